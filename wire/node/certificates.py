"""A private authority, and certificates of it for nodes and clients.

ECDSA on P-256 throughout: every client of TLS 1.3 takes it, which can't be said of Ed25519.

A node's certificate carries its name and its hosts as DNS names and addresses; that is how the others know it. A
client's carries `wire:client:NAME` as a URI and nothing else, so that it is never taken for a node's.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

from wire.core.errors import ConfigError, FatalError, Finding
from wire.node.listener.peer import CLIENT_URI

_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion)
_SKEW: Final = timedelta(hours=1)  # clocks differ: a certificate that is not valid yet helps nobody
_LABEL: Final = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS: Final = re.compile(rf"(?=.{{1,253}}$){_LABEL}(\.{_LABEL})*")
_HERE: Final = ("localhost", "127.0.0.1", "::1")
RESERVED: Final = ("localhost", "ca")
"""What nobody is called: every node is `localhost`, and the authority's files are `ca`."""
_CLIENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,127}")


class Pair(Struct, frozen=True):
    """A certificate and its private key, both PEM. The key is a secret (I9)."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Pair(…)"


class Validity(Struct, frozen=True):
    """From when to when a certificate is good."""

    begins: datetime
    ends: datetime

    def days_left(self, now: datetime) -> float:
        """Return how many days it is still good, negative once it is not."""
        return (self.ends - now) / timedelta(days=1)


class Authority:
    """Issues certificates. Whoever has its key can be any node: it belongs on no node's disk."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        """Use a certificate and its key; see `create` and `load`."""
        self._certificate = certificate
        self._key = key

    @classmethod
    def create(cls, name: str, lifetime: timedelta, now: datetime) -> Authority:
        """Make a new one, which signs itself."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _subject(name)
        certificate = (
            _builder(subject, subject, key.public_key(), Validity(now - _SKEW, now + lifetime))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def load(cls, pair: Pair) -> Authority:
        """Use one that was made before. Raises FatalError (`certs.unusable`) if the two are none, or no pair."""
        try:
            certificate = x509.load_pem_x509_certificate(pair.certificate)
            key = load_pem_private_key(pair.key, password=None)
        except (*_UNREADABLE, TypeError) as exc:
            raise _unusable(f"the authority's files can't be read: {exc}") from None
        if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
            raise _unusable("the authority's key does not belong to its certificate")
        return cls(certificate, key)

    @property
    def pair(self) -> Pair:
        """Certificate and key."""
        return Pair(self._certificate.public_bytes(Encoding.PEM), _pem(self._key))

    @property
    def validity(self) -> Validity:
        """How long it is good, and so every certificate of it."""
        return _validity(self._certificate)

    def node(self, name: str, hosts: Sequence[str], lifetime: timedelta, now: datetime) -> Pair:
        """Issue a certificate for a node: for its name, and for the names and addresses it is reached by.

        This machine's own names are among them, for whoever uses a node on the spot. It is good for serving and for
        dialing, and no longer than the authority. Raises ConfigError for a name that is none.
        """
        if not _DNS.fullmatch(name) or name.lower() in RESERVED:
            raise _bad_name(name, "letters, digits, hyphens and dots, such as node-1")
        names = [_host(each) for each in dict.fromkeys((name, *hosts, *_HERE))]
        return self._issue(
            name, names, (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH), lifetime, now
        )

    def client(self, name: str, lifetime: timedelta, now: datetime) -> Pair:
        """Issue a certificate for somebody who uses the API. Raises ConfigError for a name that is none."""
        if not _CLIENT.fullmatch(name) or name.lower() in RESERVED:
            raise _bad_name(name, "letters, digits, and . _ @ - within, such as alice or ci@example.org")
        uri = x509.UniformResourceIdentifier(CLIENT_URI + name)
        return self._issue(name, [uri], (ExtendedKeyUsageOID.CLIENT_AUTH,), lifetime, now)

    def _issue(
        self,
        name: str,
        names: Sequence[x509.GeneralName],
        purposes: Sequence[x509.ObjectIdentifier],
        lifetime: timedelta,
        now: datetime,
    ) -> Pair:
        if self.validity.days_left(now) <= 0:
            raise FatalError("certs.expired", "the authority has expired", hint="make a new one with `wire certs init`")
        key = ec.generate_private_key(ec.SECP256R1())
        validity = Validity(now - _SKEW, min(now + lifetime, self.validity.ends))
        certificate = (
            _builder(_subject(name), self._certificate.subject, key.public_key(), validity)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, SHA256())
        )
        return Pair(certificate.public_bytes(Encoding.PEM), _pem(key))


def validity_of(pem: bytes) -> Validity:
    """Return how long the first certificate in a file is good. Raises FatalError (`certs.unusable`)."""
    try:
        return _validity(x509.load_pem_x509_certificate(pem))
    except _UNREADABLE as exc:
        raise _unusable(f"it holds no certificate: {exc}") from None


def names_in(pem: bytes) -> list[str]:
    """Return the DNS names in the first certificate of a file. Raises FatalError (`certs.unusable`)."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    except _UNREADABLE as exc:
        raise _unusable(f"it holds no certificate: {exc}") from None
    return names.get_values_for_type(x509.DNSName)


def is_issued_by(pem: bytes, authorities: bytes) -> bool:
    """Say whether one of the authorities signed a certificate. Raises FatalError (`certs.unusable`)."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        known = x509.load_pem_x509_certificates(authorities)
    except _UNREADABLE as exc:
        raise _unusable(f"it holds no certificate: {exc}") from None
    return any(_signed(certificate, each) for each in known)


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _validity(certificate: x509.Certificate) -> Validity:
    return Validity(certificate.not_valid_before_utc, certificate.not_valid_after_utc)


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        if not _DNS.fullmatch(text):
            raise _bad_name(text, "a host's name or address, such as node-1, db.example.org or 10.0.0.5") from None
        return x509.DNSName(text.lower())


def _bad_name(name: str, expected: str) -> ConfigError:
    return ConfigError(
        [
            Finding(
                code="config.invalid",
                path="",
                message=f"{name!r} is no name for a certificate",
                hint=f"expected {expected}",
            )
        ]
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.begins.astimezone(UTC))
        .not_valid_after(validity.ends.astimezone(UTC))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _unusable(message: str) -> FatalError:
    return FatalError("certs.unusable", message, hint="the files are those that `wire certs init` has written, in PEM")
