"""A pipeline's transforms as one compiled stage.

The planner walks the transforms once, when the pipeline starts. Each writes what it does to one record, as Python
source, into a `Builder`, which keeps a picture of the record: which field is in which local variable, what was changed,
what was never looked at. From that picture follows how little must be decoded and encoded. The result is one generated
function per source, `CompiledStage.run`, that loops over a batch: decode, transform, route, encode. A transform that
has to ask outside makes it a coroutine, `CompiledStage.run_waiting`.

Core types: `PlanNode` (a transform), `Builder` (the function being written), `OutputPlan` (what one sink wants),
`CompiledStage`.

What holds for every plan:
- Every input record ends up in outputs (all it was routed to, or none), counted as filtered, or as a failure (I2).
  One that is made into several may be in outputs and a failure.
- A tombstone (a record without a value) has no fields: conditions that read fields don't apply to it, and it passes
  through as it is, so that deletions reach the sinks; conditions that read only metadata do apply. A sink's columns are
  computed for it with every field NULL.
- What no transform needs is not decoded and thus not checked; bytes that nothing changed are passed on untouched.
- I10: the generated source contains nothing a user wrote. Names enter as `ascii()` literals, values as bound constants.
"""

from wire.pipelines.plan.builder import Builder
from wire.pipelines.plan.columns import sink_expressions
from wire.pipelines.plan.node import PlanNode
from wire.pipelines.plan.parsing import parse_at, parse_select_at
from wire.pipelines.plan.planner import OutputPlan, compile_stage
from wire.pipelines.plan.stage import CompiledStage
from wire.pipelines.plan.values import ValuesResult, ValuesStage, compile_values_stage

__all__ = [
    "Builder",
    "CompiledStage",
    "OutputPlan",
    "PlanNode",
    "ValuesResult",
    "ValuesStage",
    "compile_stage",
    "compile_values_stage",
    "parse_at",
    "parse_select_at",
    "sink_expressions",
]
