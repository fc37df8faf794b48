"""`pii: {action: mask, key: ${env:MASK_KEY}, report: out/pii.json}`: find personal values, report or hide them.

Found are mail addresses, card numbers (of the known brands, with the Luhn check), IBANs (with country and check
digits), social security numbers, IP addresses and telephone numbers (with a country code, or as written in North
America), anywhere in a text; and by the name of their column also first and last names, birth dates, street addresses
and numbers that would otherwise be just numbers. The name of a column lowers what a value must look like, but does
not decide alone: `email_sent: true` is nothing personal. Numbers in columns whose name says nothing are left alone.

With `mask`, what is found becomes `***`; under a `key`, card numbers and mail addresses become others of the same form,
as the transform `mask` makes them. With `tag`, a record in which something is found gets a list of
`{column, kind}`; with `fail`, it fails. Each of them, and `report` alone, counts by column and kind: the counts are
logged every minute while there is something new and at the end (`pii_report`, a warning where what was found is passed
on), and written to the `report` file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from wire.core.config import Config, MisfitError, Secret, doc
from wire.core.errors import RecordError
from wire.core.permissions import LOCAL_PATH
from wire.core.plugins import Plugin
from wire.pipelines.plan.builder import Arrived, Builder, Failures, Values
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.mask.config import Card, Mail, Redact, check_key
from wire.pipelines.transforms.mask.masking import masking
from wire.pipelines.transforms.mask.pseudonyms import Pseudonyms
from wire.pipelines.transforms.pii.report import Found, Report
from wire.pipelines.transforms.pii.scan import Replace, Scan
from wire.pipelines.transforms.pii.values import Kind


class PiiConfig(Config, frozen=True, kw_only=True):
    """What to look for, and what to do about it."""

    action: Annotated[
        Literal["report", "tag", "mask", "fail"],
        doc("`report` only counts, `tag` adds what was found to the record, `mask` hides it, `fail` fails the record."),
    ] = "report"
    kinds: Annotated[list[Kind] | None, doc("What to look for; everything unless given.")] = None
    columns: Annotated[
        dict[str, Kind], doc("What columns hold whatever they are called and look like, as in `{comment: name}`.")
    ] = {}  # noqa: RUF012 (msgspec copies it)
    ignore: Annotated[list[str], doc("Columns not to look at, with all below them: `meta` or `user.note`.")] = []  # noqa: RUF012 (msgspec copies it)
    tag: Annotated[str, doc("The field that `tag` adds.")] = "pii"
    key: Annotated[
        Secret | None, doc("What pseudonyms depend on, at least 16 characters; best given as `${env:NAME}`.")
    ] = None
    report: Annotated[str | None, doc("A JSON file for the counts, replaced as they rise."), LOCAL_PATH] = None

    def __post_init__(self) -> None:
        if self.kinds == []:
            raise MisfitError("`kinds` is empty", "leave it out to look for everything")
        if self.key is not None and self.action != "mask":
            raise MisfitError("`key` does nothing without `action: mask`", "remove it, or mask")
        check_key(self.key)


@dataclass(frozen=True, slots=True)
class Pii:
    """Looks through whole records."""

    config: PiiConfig
    scan: Scan
    context: TransformContext

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        passes_on = self.config.action in ("report", "tag")
        report = Report.at(self.config.report, self.context.clock, passes_on=passes_on)
        builder.apply(functools.partial(_apply, report, self._treatment()))
        builder.on_close(report.close)

    def _treatment(self) -> Callable[[dict[str, Any]], tuple[dict[str, Any], list[Found]]]:
        match self.config.action:
            case "mask":
                replace = _replace(self.config.key)
                return lambda row: self.scan.masked(row, replace)
            case "tag":
                return lambda row: _tagged(row, self.scan.look(row), self.config.tag)
            case "fail":
                return lambda row: (row, _refused(self.scan.look(row)))
            case "report":
                return lambda row: (row, self.scan.look(row))


class _PersonalError(RecordError):
    """A record with something personal in it, which was found."""

    def __init__(self, found: list[Found]) -> None:
        first = found[0]
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        message = f"the record holds something personal: {first.kind} in `{first.column}`{more}"
        super().__init__("transform.pii.found", message, hint="`action: mask` hides it, `ignore` leaves columns out")
        self.found = found


def _apply(
    report: Report,
    treat: Callable[[dict[str, Any]], tuple[dict[str, Any], list[Found]]],
    arrived: Arrived,
    values: Values,
    failures: Failures,
) -> tuple[Arrived, Values]:
    good: Arrived = []
    treated: Values = []
    counted: list[list[Found]] = []
    for entry, value in zip(arrived, values, strict=True):
        row: dict[str, Any] | None = value
        found: list[Found] = []
        if value is not None:
            try:
                row, found = treat(value)
            except _PersonalError as exc:
                failures.append((entry[0], exc))
                counted.append(exc.found)
                continue
        if found:
            counted.append(found)
        good.append(entry)
        treated.append(row)
    report.add(len(arrived), counted)
    return good, treated


def _tagged(row: dict[str, Any], found: list[Found], tag: str) -> tuple[dict[str, Any], list[Found]]:
    if not found:
        return row, found
    tags = dict.fromkeys((one.column, one.kind) for one in found)
    return {**row, tag: [{"column": column, "kind": kind} for column, kind in tags]}, found


def _refused(found: list[Found]) -> list[Found]:
    if found:
        raise _PersonalError(found)
    return found


def _replace(key: Secret | None) -> Replace:
    """Return what hides a value of a kind."""
    redact = masking(Redact(), Pseudonyms(b""))
    if key is None:
        return lambda _, value: redact(value)
    pseudonyms = Pseudonyms(key.reveal().encode(errors="surrogatepass"))
    by_kind = {"card": masking(Card(), pseudonyms), "mail": masking(Mail(), pseudonyms)}
    return lambda kind, value: by_kind.get(kind, redact)(value)


def build(config: PiiConfig, context: TransformContext) -> Pii:
    """Make the transform."""
    kinds: frozenset[Kind] = frozenset(config.kinds or get_args(Kind))
    return Pii(config, Scan(kinds, config.columns, frozenset(config.ignore)), context)


PLUGIN = Plugin(
    kind="transform",
    summary="Find personal values by column and pattern: report, tag, mask or refuse them.",
    config=PiiConfig,
    build=build,
    example='pii: {action: mask, key: "${env:MASK_KEY}", report: out/pii.json}',
)
