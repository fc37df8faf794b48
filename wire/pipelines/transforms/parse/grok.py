"""Patterns that others are made of, referred to by `%{NAME}`. RE2 takes them all: none needs look-around."""

from __future__ import annotations

from typing import Final

_HEX: Final = r"[0-9A-Fa-f]{1,4}"
_BYTE: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_V4: Final = rf"{_BYTE}\.{_BYTE}\.{_BYTE}\.{_BYTE}"


def _ipv6() -> str:
    """Return RFC 4291, 2.2: eight groups, or fewer with one `::` for the missing ones; the last two may be IPv4.

    What has more groups stands before what has fewer: the first that fits counts.
    """
    shortened = [rf"(?:{_HEX}:){{1,{before}}}(?::{_HEX}){{1,{7 - before}}}" for before in range(1, 7)]
    with_v4 = [
        rf"(?:{_HEX}:){{6}}{_V4}",
        *(rf"(?:{_HEX}:){{1,{before}}}(?::{_HEX}){{0,{5 - before}}}:{_V4}" for before in range(1, 6)),
        rf"::(?:{_HEX}:){{0,5}}{_V4}",
    ]
    ends = [rf":(?::{_HEX}){{1,7}}", rf"(?:{_HEX}:){{1,7}}:", "::"]
    return "|".join([*with_v4, rf"(?:{_HEX}:){{7}}{_HEX}", *shortened, *ends])


PATTERNS: Final[dict[str, str]] = {
    # words
    "WORD": r"\b\w+\b",
    "NOTSPACE": r"\S+",
    "SPACE": r"\s*",
    "DATA": r".*?",
    "GREEDYDATA": r".*",
    "QUOTEDSTRING": r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'",
    "QS": "%{QUOTEDSTRING}",
    "UUID": r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
    "USERNAME": r"[a-zA-Z0-9._-]+",
    "USER": "%{USERNAME}",
    "EMAILADDRESS": r"[a-zA-Z0-9!#$%&'*+/=?^_{|}~.-]+@%{HOSTNAME}",
    "LOGLEVEL": r"(?i:trace|debug|info(?:rmation)?|notice|warn(?:ing)?|err(?:or)?|crit(?:ical)?|alert|fatal|severe|"
    r"emerg(?:ency)?|panic)",
    # numbers
    "INT": r"[+-]?[0-9]+",
    "POSINT": r"\b[1-9][0-9]*\b",
    "NONNEGINT": r"\b[0-9]+\b",
    "NUMBER": r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?",
    "BASE16NUM": r"[+-]?(?:0[xX])?[0-9A-Fa-f]+",
    # networks
    "IPV4": _V4,
    "IPV6": _ipv6(),
    "IP": "%{IPV6}|%{IPV4}",
    "MAC": r"[0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2}){5}|[0-9A-Fa-f]{2}(?:-[0-9A-Fa-f]{2}){5}|"
    r"[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}",
    "HOSTNAME": r"\b[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,62})(?:\.[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,62}))*\.?",
    "IPORHOST": "%{IP}|%{HOSTNAME}",
    "HOSTPORT": "%{IPORHOST}:%{POSINT}",
    # paths and addresses
    "UNIXPATH": r"(?:/[^/\s]*)+",
    "WINPATH": r"(?:[A-Za-z]:|\\)(?:\\[^\\?*\s]*)+",
    "PATH": "%{UNIXPATH}|%{WINPATH}",
    "URIPROTO": r"[A-Za-z][A-Za-z0-9+.-]*",
    "URIHOST": "%{IPORHOST}(?::%{POSINT})?",
    "URIPATH": r"(?:/[^\s?#]*)+",
    "URIPARAM": r"\?[^\s#]*",
    "URIPATHPARAM": "%{URIPATH}(?:%{URIPARAM})?",
    "URI": r"%{URIPROTO}://(?:[^\s/@]*@)?(?:%{URIHOST})?(?:%{URIPATHPARAM})?",
    # times
    "YEAR": r"[0-9]{4}",
    "MONTHNUM": r"0[1-9]|1[0-2]|[1-9]",
    "MONTH": r"\b(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sep(?:tember)?|"
    r"Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\b",
    "MONTHDAY": r"0[1-9]|[12][0-9]|3[01]|[1-9]",
    "DAY": r"\b(?:Mon(?:day)?|Tue(?:sday)?|Wed(?:nesday)?|Thu(?:rsday)?|Fri(?:day)?|Sat(?:urday)?|Sun(?:day)?)\b",
    "HOUR": r"2[0-3]|[01]?[0-9]",
    "MINUTE": r"[0-5][0-9]",
    "SECOND": r"(?:60|[0-5]?[0-9])(?:[.,][0-9]+)?",
    "TIME": "%{HOUR}:%{MINUTE}(?::%{SECOND})?",
    "ISO8601_TIMEZONE": r"Z|[+-]%{HOUR}(?::?%{MINUTE})?",
    "TIMESTAMP_ISO8601": "%{YEAR}-%{MONTHNUM}-%{MONTHDAY}[T ]%{HOUR}:?%{MINUTE}(?::?%{SECOND})?"
    "(?:%{ISO8601_TIMEZONE})?",
    "HTTPDATE": r"%{MONTHDAY}/%{MONTH}/%{YEAR}:%{TIME} [+-][0-9]{4}",
    "SYSLOGTIMESTAMP": r"%{MONTH} +%{MONTHDAY} %{TIME}",
    # whole lines
    "PROG": r"[^\s\[\]:]+",
    "SYSLOGLINE": r"%{SYSLOGTIMESTAMP:timestamp} %{IPORHOST:host} %{PROG:program}(?:\[%{POSINT:pid:int}\])?: "
    r"%{GREEDYDATA:message}",
    "COMMONAPACHELOG": r'%{IPORHOST:client} %{NOTSPACE:ident} %{NOTSPACE:auth} \[%{HTTPDATE:timestamp}\] '
    r'"(?:%{WORD:verb} %{NOTSPACE:request}(?: HTTP/%{NUMBER:http_version})?|%{DATA:raw_request})" '
    r"%{INT:status:int} (?:%{INT:bytes:int}|-)",
    "COMBINEDAPACHELOG": r'%{COMMONAPACHELOG} "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"',
}  # fmt: skip
