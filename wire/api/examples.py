"""An example of everything the API takes and answers, for its description. Tests hold them to the schemas."""

from __future__ import annotations

import datetime
from typing import Any, Final

from msgspec import Raw
from msgspec.structs import asdict

from wire.api import views
from wire.api.problems import Mistake, Problem

SPEC: Final = """\
name: delayed-flights
source: {type: kafka, config: {bootstrap_servers: [broker:9092], topic: flights}}
transforms:
  - filter: "dep_delay > 15"
sink: {type: elasticsearch, config: {url: "http://search:9200", index: flights}}
"""

_SPEC_JSON: Final = Raw(
    b'{"name":"delayed-flights","namespace":"default",'
    b'"source":{"type":"kafka","config":{"bootstrap_servers":["broker:9092"],"topic":"flights"}},'
    b'"transforms":[{"filter":"dep_delay > 15"}],'
    b'"sink":{"type":"elasticsearch","config":{"url":"http://search:9200","index":"flights"}}}'
)
_THEN: Final = datetime.datetime(2030, 5, 1, 12, tzinfo=datetime.UTC)
_JOB: Final = "01f2a1c0-3f5e-7c11-9a3b-2f6d1c0e8a47"
_TOKEN_ID: Final = "9f3a61c04be27d18"  # noqa: S105 (tells nothing)
_NODE: Final = "n1/6f0c5a52-96d4-4d2e-a3a8-0a4c27e4b9f1"

_PIPELINE: Final = views.Pipeline(
    name="delayed-flights", namespace="default", version=3, revision=7, spec=_SPEC_JSON, desired="running",
    state="running", job_id=_JOB, generation=0, created_at=_THEN, updated_at=_THEN,
)  # fmt: skip
_DIFFERENCE: Final = views.Difference(
    path="$.transforms[0].filter", before=Raw(b'"dep_delay > 10"'), after=Raw(b'"dep_delay > 15"')
)
_VERSION: Final = views.Version(
    version=3, created_at=_THEN, author="ada", note="only what is late", current=True, proven=True
)
_JOB_VIEW: Final = views.Job(
    id=_JOB, pipeline="delayed-flights", namespace="default", version=3, state="active", started_at=_THEN,
    ended_at=None, tasks=2,
)  # fmt: skip
_TASK: Final = views.Task(
    job_id=_JOB, slot=0, state="running", node="n1", target="n1", epoch=12, moved_at=_THEN,
    partitions=(views.Partition(source="kafka", partition="flights/0"),),
)  # fmt: skip
_CHECKPOINT: Final = views.Checkpoint(
    source="kafka", partition="flights/0", generation=0, seq=418, epoch=12, position=b"27004"
)
_COUNTED: Final = {
    "received": 27004, "sent": 4918, "filtered": 22080, "dead_lettered": 6, "skipped": 0, "retried": 100,
    "lag_records": 310, "lag_ms": 1250,
}  # fmt: skip
_FIGURES: Final = views.PipelineFigures(
    **_COUNTED, sinks_down=("elasticsearch",), name="delayed-flights", namespace="default",
    nodes=(views.NodeFigures(**_COUNTED, sinks_down=("elasticsearch",), node="n1", uptime_ms=93_600_000),),
    unanswered=("n2",),
)  # fmt: skip
_MEMBER: Final = views.Member(
    id=_NODE, name="n1", address="10.0.0.1:4001", role="leader", state="live", last_contact_ms=0, workers=8,
    labels={"zone": "a"}, release="1.0.0",
)  # fmt: skip

EXAMPLES: Final[dict[Any, Any]] = {
    views.Pipeline: _PIPELINE,
    views.Applied: views.Applied(**asdict(_PIPELINE), created=False, changed=True),
    views.Plan: views.Plan(
        name="delayed-flights", namespace="default", version=4, created=False, changed=True, keeps_positions=True,
        spec=_SPEC_JSON, differences=(_DIFFERENCE,),
    ),
    views.Diff: views.Diff(before=2, after=3, differences=(_DIFFERENCE,)),
    views.VersionSpec: views.VersionSpec(**asdict(_VERSION), spec=_SPEC_JSON),
    views.Job: _JOB_VIEW,
    views.PipelineStatus: views.PipelineStatus(
        name="delayed-flights", namespace="default", version=3, desired="running", state="running", generation=0,
        job=_JOB_VIEW, tasks=views.TaskCounts(total=2, waiting=0, running=2, moving=0, ended=0), nodes=("n1", "n2"),
        checkpoints=2,
    ),
    views.PipelineFigures: _FIGURES,
    views.Member: _MEMBER,
    views.Sample: views.Sample(
        node="n1", sink="elasticsearch", source="kafka", partition="flights/0", offset=27004, timestamp=_THEN,
        value=Raw(b'{"carrier":"UA","dep_delay":20,"api_key":"***"}'),
    ),
    views.Cluster: views.Cluster(cluster_id="c1f0", term=4, leader=_NODE, members=(_MEMBER,)),
    views.NewToken: views.NewToken(
        id=_TOKEN_ID, token=f"{_TOKEN_ID}.{'x' * 43}", expires_at=_THEN, uses=1
    ),
    views.Snapshot: views.Snapshot(index=18230, term=4, bytes=1482390, checksum="9f3a61c04be27d18"),
    views.Restored: views.Restored(cluster_id="c1f0", index=18230, taken_at=_THEN, pipelines=20, checkpoints=80),
    views.NodeStatus: views.NodeStatus(
        node=views.NodeInfo(id=_NODE, name="n1", address="10.0.0.1:4001", release="1.0.0"),
        cluster_id="c1f0", command_version=1,
        consensus=views.Consensus(
            role="leader", term=4, leader=_NODE, commit_index=18230, applied_index=18230, log_first_index=10000,
            log_last_index=18230,
        ),
        counts=views.Counts(nodes=3, pipelines=20, jobs=24, tasks=100, checkpoints=80),
    ),
    views.Page[views.Pipeline]: views.Page(items=(_PIPELINE,), next="ZGVsYXllZC1mbGlnaHRz"),
    views.Page[views.Version]: views.Page(items=(_VERSION,)),
    views.Page[views.Task]: views.Page(items=(_TASK,)),
    views.Page[views.Checkpoint]: views.Page(items=(_CHECKPOINT,)),
    views.Page[views.KeptCheckpoints]: views.Page(
        items=(
            views.KeptCheckpoints(
                name="delayed-flights", namespace="default", checkpoints=2, deleted_at=_THEN, deleted_by="ada"
            ),
        )
    ),
    views.Page[views.Job]: views.Page(items=(_JOB_VIEW,)),
    views.Page[views.PipelineFigures]: views.Page(items=(_FIGURES,)),
    views.Page[views.Token]: views.Page(
        items=(views.Token(id=_TOKEN_ID, expires_at=_THEN, uses_left=1, created_by="ada"),)
    ),
    views.Page[views.Member]: views.Page(items=(_MEMBER,)),
    Problem: Problem(
        type="urn:wire:config.invalid", title="the value is not of the kind this field takes", status=422,
        detail="expected a duration such as 5s, found a number", code="config.invalid", path="$.batch.max_wait",
        hint="write 5ms", request_id="01f2a1c0-4a02-7d3c-8e21-5b7a90d1c3f2",
        errors=(
            Mistake(
                code="config.invalid", path="$.batch.max_wait", line=7, column=19, hint="write 5ms",
                message="expected a duration such as 5s, found a number",
            ),
        ),
    ),
}  # fmt: skip
