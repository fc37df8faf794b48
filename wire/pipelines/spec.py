"""The pipeline specification: what a user writes in YAML or JSON, as structs. `wire.pipelines.lint` reads it."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, field

from wire.core.config import Config, Expression, MisfitError, doc
from wire.core.units import Duration, Quota, Rate, Size

_LEAST_AGE: Final = Duration(100)


class RetryRule(Config, frozen=True, kw_only=True):
    """How errors of some codes are tried again, where it is not the usual."""

    codes: Annotated[
        list[str], Meta(min_length=1), doc("The errors' codes, or patterns of them: `sink.http.busy`, `sink.kafka.*`.")
    ]
    attempts: Annotated[int, Meta(ge=1, description="How often a record is tried: 1 for not again.")]
    then: Annotated[
        Literal["reject", "fail"],
        doc(
            "What becomes of a record that a sink has not taken by then: `reject` does with it what `on_error` says, "
            "and is about nothing but records; `fail` stops the pipeline, whatever was tried."
        ),
    ] = "reject"


class RetrySpec(Config, frozen=True, kw_only=True):
    """How a failed operation is tried again: exponential backoff with full jitter, reset after a success."""

    initial: Annotated[Duration, doc("Ceiling of the first wait.")] = Duration(1000)
    max: Annotated[Duration, doc("Ceiling of any wait.")] = Duration(600_000)
    factor: Annotated[float, Meta(ge=1, description="By how much the ceiling grows with each attempt.")] = 2.0
    attempts: Annotated[
        Literal["unlimited"] | Annotated[int, Meta(ge=1)], doc("How often to try before the pipeline stops.")
    ] = "unlimited"
    rules: Annotated[
        list[RetryRule], doc("For errors of some codes, other attempts than `attempts`; the first that fits counts.")
    ] = field(default_factory=list)


class BreakerSpec(Config, frozen=True, kw_only=True):
    """When a sink is taken to be down. It is shown to be, and asked whether it is back with one record at a time."""

    failures: Annotated[
        int, Meta(ge=1, description="It is down after so many writes in a row of which nothing got in.")
    ] = 5
    open_for: Annotated[
        Duration | None, doc("The least time between two attempts then; as `retry` says if absent.")
    ] = None


class BufferSpec(Config, frozen=True, kw_only=True):
    """What may be under way for a sink, besides what may be in any pipeline (8 batches), and what if that is full."""

    max_records: Annotated[int, Meta(ge=0, description="So many more records.")] = 10_000
    max_bytes: Annotated[Size, doc("So many more bytes of record values.")] = Size(16 << 20)
    when_full: Annotated[
        Literal["block", "shed"],
        doc(
            "`block` stops reading, for all sinks, until there is room. `shed` drops, and counts, what only waits for "
            "this sink, so that it holds up nobody."
        ),
    ] = "block"
    max_age: Annotated[Duration, doc("With `shed`, what only waits for this sink is dropped after so long.")] = (
        Duration(10_000)
    )

    def __post_init__(self) -> None:
        if self.max_age < _LEAST_AGE:
            raise MisfitError(f"`max_age` is less than {_LEAST_AGE}", "a write takes longer than that now and then")


class ComponentSpec(Config, frozen=True, kw_only=True):
    """A component and its configuration."""

    type: Annotated[str, doc("The component's name; `wire list` shows them.")]
    config: Annotated[dict[str, Any], doc("The component's own fields; `wire describe TYPE` shows them.")] = field(
        default_factory=dict
    )
    name: Annotated[str | None, doc("Tells several of a kind apart; the type's name unless given.")] = None


class SourceSpec(ComponentSpec, frozen=True, kw_only=True):
    """Where records come from."""

    rate_limit: Annotated[
        Rate | None, doc("At most so much is read in a second: `5000/s`, `10MiB/s`, or `5000/s, 10MiB/s`.")
    ] = None


class SinkSpec(ComponentSpec, frozen=True, kw_only=True):
    """Where records go: under which condition, and how patiently."""

    when: Annotated[Expression | None, doc("Only records for which this is true go to this sink.")] = None
    retry: Annotated[RetrySpec | None, doc("Counts instead of the pipeline's `retry`.")] = None
    breaker: BreakerSpec = BreakerSpec()
    buffer: BufferSpec | None = None
    rate_limit: Annotated[
        Rate | None, doc("At most so much is written in a second: `5000/s`, `10MiB/s`, or `5000/s, 10MiB/s`.")
    ] = None


class BatchSpec(Config, frozen=True, kw_only=True):
    """How records are gathered into one write. All three are ceilings; whichever is reached first counts."""

    max_records: Annotated[int, Meta(ge=1, description="Records per write.")] = 1000
    max_bytes: Annotated[Size, doc("Bytes of record values per write.")] = Size(1 << 20)
    max_wait: Annotated[Duration, doc("The longest a record waits for company.")] = Duration(5)
    adaptive: Annotated[bool, doc("Find the best size below the ceilings from the sink's latency and errors.")] = True


Policy = Literal["dead_letter", "skip", "fail"]
"""What happens to a record that can't be processed."""


class OnErrorRule(Config, frozen=True, kw_only=True):
    """What happens to some records that can't be processed, where it is not the usual."""

    codes: Annotated[
        list[str], Meta(min_length=1), doc("The errors' codes, or patterns of them: `record.decode`, `sink.*`.")
    ] = field(default_factory=lambda: ["*"])
    component: Annotated[
        str | None,
        doc("Only what fails there: the name of a source or sink, a transform's type or place (`transforms[1]`)."),
    ] = None
    policy: Annotated[Policy, doc("As `on_error.policy`.")]


class OnErrorSpec(Config, frozen=True, kw_only=True):
    """What happens to a record that can't be processed."""

    policy: Annotated[
        Policy, doc("`dead_letter` keeps the original aside, `skip` drops and counts it, `fail` stops the pipeline.")
    ] = "fail"
    sink: Annotated[ComponentSpec | None, doc("Where dead letters go; required with `dead_letter`.")] = None
    rules: Annotated[list[OnErrorRule], doc("For errors of some codes or components; the first that fits counts.")] = (
        field(default_factory=list)
    )
    max_dead_letters: Annotated[
        Quota | None,
        doc(
            "The pipeline stops once a task of it has put aside, or skipped, more than that: `1000/1h`, or `1%/1m` of "
            "what it has read, which counts from 100 records on."
        ),
    ] = None


class CheckpointSpec(Config, frozen=True, kw_only=True):
    """How often progress is made durable."""

    interval: Annotated[Duration, doc("The longest time between two checkpoints while records flow.")] = Duration(1000)


class ExpectedFailure(Config, frozen=True, kw_only=True):
    """A record that can't be processed, and why."""

    record: Annotated[int, Meta(ge=0, description="Which record of `input`, counted from 0.")]
    code: Annotated[str, doc("The error's code.")]
    path: Annotated[str | None, doc("The part of the pipeline that the error names, such as `$.transforms[0]`.")] = None


class TestCase(Config, frozen=True, kw_only=True):
    """Records to put in front of the transforms, and what must come out behind them."""

    __test__ = False  # not a test class, whatever pytest makes of its name

    name: Annotated[str | None, doc("Shown in the report; `--filter` chooses by it.")] = None
    now: Annotated[
        datetime.datetime | None,
        doc("The time it is, UTC unless it says otherwise; it stands still. 2000-01-01T00:00:00Z where none is given."),
    ] = None
    input: Annotated[list[Any] | str, doc("Decoded records, in order, or a file of them.")] = field(
        default_factory=list
    )
    keys: Annotated[
        list[str | None], doc("The keys of these records, for what reads them; records beyond the list have none.")
    ] = field(default_factory=list)
    lookups: Annotated[
        dict[str, list[Any] | dict[str, Any] | str],
        doc(
            "What a transform finds, instead of asking a file or a service: rows, answers by key, or a file of either. "
            "Named by the transform's type, its place (`transforms[1]`) or the file it names."
        ),
    ] = field(default_factory=dict)
    output: Annotated[
        list[Any] | dict[str, list[Any] | str] | str,
        doc(
            "The records expected, in order, or a file of them; with several sinks, such a list or file for each by "
            "the sink's name."
        ),
    ] = field(default_factory=list)
    failures: Annotated[
        Annotated[int, Meta(ge=0)] | list[ExpectedFailure],
        doc("The records that can't be processed, or just how many."),
    ] = 0


class PipelineSpec(Config, frozen=True, kw_only=True):
    """One pipeline. Exactly one of `source` and `sources`, and of `sink` and `sinks`, is given."""

    name: Annotated[
        str,
        Meta(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", description="Lower-case letters, digits and hyphens."),
    ]
    namespace: Annotated[str, doc("Groups pipelines.")] = "default"
    description: Annotated[str | None, doc("For people.")] = None
    source: Annotated[SourceSpec | None, doc("Where records come from.")] = None
    sources: Annotated[list[SourceSpec] | None, doc("Several sources, each with a `name`.")] = None
    transforms: Annotated[list[dict[str, Any]], doc("Applied in order; each is one `name: configuration`.")] = field(
        default_factory=list
    )
    sink: Annotated[SinkSpec | None, doc("Where records go.")] = None
    sinks: Annotated[list[SinkSpec] | None, doc("Several sinks, each with a `name`; `when` routes.")] = None
    delivery: Annotated[
        Literal["at_least_once", "exactly_once"], doc("What the pipeline promises; lint says what can't keep it.")
    ] = "at_least_once"
    parallelism: Annotated[
        Literal["auto"] | Annotated[int, Meta(ge=1)],
        doc("How many tasks share the source's partitions in a cluster; `wire run` is always one."),
    ] = "auto"
    weight: Annotated[
        int,
        Meta(ge=1, le=1000, description="How much of a node each task takes, compared with other pipelines' tasks."),
    ] = 1
    node_selector: Annotated[
        dict[str, str], doc("Labels that a cluster's node must have to run tasks of this pipeline: {zone: a}.")
    ] = field(default_factory=dict)
    batch: BatchSpec = BatchSpec()
    rate_limit: Annotated[
        Rate | None,
        doc("At most so much passes in a second: `5000/s`, `10MiB/s` of what is read, or `5000/s, 10MiB/s`."),
    ] = None
    retry: RetrySpec = RetrySpec()
    on_error: OnErrorSpec = OnErrorSpec()
    checkpoint: CheckpointSpec = CheckpointSpec()
    tests: Annotated[
        list[TestCase | str] | str,
        doc("Run by `wire test`: cases, or patterns of YAML files that hold one case or a list of them."),
    ] = field(default_factory=list)

    @property
    def every_source(self) -> list[SourceSpec]:
        """The sources, whether one or several were given."""
        return self.sources or [source for source in (self.source,) if source]

    @property
    def every_sink(self) -> list[SinkSpec]:
        """The sinks, whether one or several were given."""
        return self.sinks or [sink for sink in (self.sink,) if sink]
