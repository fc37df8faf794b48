"""Compiling and running pipelines given as YAML would give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from wire.core.clock import Clock, SystemClock
from wire.core.config import parse
from wire.core.errors import ConfigError, Finding
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import load
from wire.core.records import Batch, PartitionId, Position, Record
from wire.pipelines.plan import CompiledStage, OutputPlan, PlanNode, compile_stage
from wire.pipelines.stage import StageResult
from wire.pipelines.transforms import TransformContext

JSON = JsonFormat()
ALL = OutputPlan("out", JSON)


def node(transform: dict[str, Any], path: str = "$.transforms[0]", clock: Clock | None = None) -> PlanNode:
    """Build one transform; mistakes are raised as ConfigError."""
    ((name, config),) = transform.items()
    plugin = load("transform", name)
    findings: list[Finding] = []
    parsed = parse(plugin.config, config, f"{path}.{name}", findings)
    if findings:
        raise ConfigError(findings)
    built: PlanNode = plugin.build(parsed, TransformContext(f"{path}.{name}", clock or SystemClock()))
    return built


def stage(
    *transforms: dict[str, Any],
    source: Format = JSON,
    outputs: Sequence[OutputPlan] = (ALL,),
    clock: Clock | None = None,
) -> CompiledStage:
    nodes = [node(transform, f"$.transforms[{i}]", clock) for i, transform in enumerate(transforms)]
    return compile_stage(source, "test", nodes, outputs)


def batch(*values: bytes | None) -> Batch:
    records = [Record(value, b"k%d" % i, 1000 + i, (("h", b"%d" % i),), 10 * i) for i, value in enumerate(values)]
    return Batch(PartitionId("p"), Position(b"after"), records, watermark_ms=5)


def run(compiled: CompiledStage, *values: Any) -> StageResult:
    """Run values: bytes as they are, None as a tombstone, anything else as JSON."""
    encoded = [value if isinstance(value, bytes | None) else json.dumps(value).encode() for value in values]
    return compiled.run(batch(*encoded))


def written(result: StageResult, sink: int = 0) -> list[Any]:
    """Return what a JSON sink gets, decoded."""
    return [None if record.value is None else json.loads(record.value) for record in result.outputs[sink].records]


def transformed(transforms: Sequence[dict[str, Any]], *values: Any) -> list[Any]:
    """Run JSON records through transforms into JSON; no record may fail."""
    result = run(stage(*transforms), *values)
    assert result.failures == []
    return written(result)


def codes(result: StageResult) -> list[tuple[int, str]]:
    return [(index, error.code) for index, error in result.failures]


def finding(exc: ConfigError) -> tuple[str, str]:
    (only,) = exc.findings
    return only.code, only.path
