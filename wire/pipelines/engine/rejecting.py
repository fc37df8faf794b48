"""What happens to a record that can't be processed: which policy has the say, and when there are too many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from msgspec import Struct

from wire.core.errors import FatalError, RetryableError, WireError
from wire.core.ports import Failure
from wire.core.records import Batch, Record
from wire.pipelines.engine.account import Account
from wire.pipelines.engine.ledger import Ticket
from wire.pipelines.engine.progress import Progress, Reason
from wire.pipelines.engine.queue import Item
from wire.pipelines.spec import OnErrorRule, PipelineSpec

Fits = Callable[[WireError], bool]
"""Whether a rule is about an error."""


class Rejected(Struct, frozen=True):
    """One record that can't be processed: `record` is the original as the source gave it."""

    record: Record
    error: WireError
    attempts: int = 1


def as_rejected(item: Item, failures: Sequence[Failure]) -> list[Rejected]:
    """Return those of an item's records that failed, as the source gave them."""
    originals = {_identity(record): record for record in item.origin.records}
    return [
        Rejected(originals.get(_identity(record), record), failure.error, item.attempts)
        for failure in failures
        for record in (item.batch.records[failure.record],)
    ]


def _identity(record: Record) -> tuple[int, int]:
    """Return what a record shares with the one it was made of, and with no other.

    Records may share an offset, even with an equal key; but a stage hands on the very key that the source made.
    """
    return record.offset, id(record.key)


class RejectPolicy(Protocol):
    """Decides over rejected records. When `reject` returns, the caller may settle its hold on the ticket."""

    last_resort: bool
    """Whether it has nowhere to put records: none should be rejected for having been tried too often."""

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:
        """Take charge of records of `origin` that can't be processed. Raises FatalError to stop the pipeline."""
        ...


class Fail:
    """Stops the pipeline at the first record that can't be processed. Nothing is lost: it is read again next time."""

    last_resort = False

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:  # noqa: D102 (contract in RejectPolicy)
        first = rejected[0]
        where = f"in the record {coordinates(source, origin, first.record)}"
        if isinstance(first.error, RetryableError):  # it was given up, as a rule of `retry` says
            where += f", after {first.attempts} attempt{'s' * (first.attempts > 1)}"
        raise FatalError(
            first.error.code,
            f"{first.error.message}, {where}",
            path=first.error.path,
            hint=first.error.hint or "mend the record or the pipeline, or set `on_error.policy` to keep going",
        ) from first.error


class Skip:
    """Drops and counts."""

    last_resort = False

    def __init__(self, progress: Progress) -> None:
        """Count into `progress`."""
        self._progress = progress

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:  # noqa: D102 (contract in RejectPolicy)
        self._progress.skipped += len(rejected)
        count(self._progress, rejected)


class RejectedByDeadLetterSink:
    """The policy of the dead-letter sink itself: what it refuses stops the pipeline rather than being dropped."""

    last_resort = True

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:  # noqa: D102 (contract in RejectPolicy)
        first = rejected[0]
        raise FatalError(
            "pipeline.dead_letter_refused",
            f"the dead-letter sink refused {coordinates(source, origin, first.record)}: {first.error.message}",
            path="$.on_error.sink",
            hint=first.error.hint or "mend the dead-letter sink; the record is read again at the next start",
        ) from first.error


def about(rule: OnErrorRule, places: Mapping[str, Sequence[str]]) -> Fits:
    """Return what tells whether a rule is about an error; `places` are the paths of components by what they are called.

    Several may be called the same: a source and a sink, transforms of one type.
    """

    def fits(error: WireError) -> bool:
        if not any(fnmatchcase(error.code, pattern) for pattern in rule.codes):
            return False
        its = places.get(rule.component, ()) if rule.component is not None else ()
        return rule.component is None or any(_below(error.path or "", place) for place in its)

    return fits


def places_of(parts: Iterable[tuple[str, str]], spec: PipelineSpec) -> dict[str, list[str]]:
    """Return where everything is that a rule may be about: sources and sinks by name, transforms by type and place."""
    transforms = [(f"$.transforms[{index}]", type_) for index, each in enumerate(spec.transforms) for type_ in each]
    found: dict[str, list[str]] = {}
    for name, path in [*parts, *((type_, path) for path, type_ in transforms)]:
        found.setdefault(name, []).append(path)
    return found | {path.removeprefix("$."): [path] for path, _ in transforms}


def _below(path: str, of: str) -> bool:
    return path == of or path.startswith((f"{of}.", f"{of}["))


class ByRule:
    """Asks the policy of the first rule that fits an error, else the usual one."""

    last_resort = False

    def __init__(self, rules: Sequence[tuple[Fits, RejectPolicy]], usual: RejectPolicy) -> None:
        """Ask them in that order."""
        self._rules = rules
        self._usual = usual

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:  # noqa: D102 (contract in RejectPolicy)
        by_policy: dict[int, tuple[RejectPolicy, list[Rejected]]] = {}
        for one in rejected:
            policy = next((policy for fits, policy in self._rules if fits(one.error)), self._usual)
            by_policy.setdefault(id(policy), (policy, []))[1].append(one)
        for policy, its in by_policy.values():
            policy.reject(ticket, source, origin, its)


class UpTo:
    """Passes records on to a policy, and stops the pipeline once that were more than a quota allows."""

    last_resort = False

    def __init__(self, policy: RejectPolicy, account: Account) -> None:
        """Let so many pass to `policy` as `account` says."""
        self._policy = policy
        self._account = account

    def reject(self, ticket: Ticket, source: str, origin: Batch, rejected: Sequence[Rejected]) -> None:  # noqa: D102 (contract in RejectPolicy)
        self._policy.reject(ticket, source, origin, rejected)
        self._account.rejected(len(rejected))
        if self._account.exceeded:
            last = rejected[-1].error
            raise FatalError(
                "pipeline.too_many_dead_letters",
                f"more than {self._account.quota} can't be processed; the last error was {last.code}: {last.message}",
                path="$.on_error.max_dead_letters",
                hint=last.hint or "mend the pipeline or its source: what was put aside meanwhile stays there",
            ) from last


def count(progress: Progress, rejected: Sequence[Rejected]) -> None:
    """Tell why. Codes are a closed list, so there are never many reasons (I8)."""
    for one in rejected:
        reason = progress.reasons.get(one.error.code)
        if reason is None:
            error = one.error
            reason = progress.reasons[error.code] = Reason(0, error.message, error.path, error.hint)
        reason.records += 1
    progress.last_error = str(rejected[-1].error)


def coordinates(source: str, origin: Batch, record: Record) -> str:
    """Return where a record came from, `source/partition@offset`."""
    return f"{source}/{origin.partition}@{record.offset}"
