"""Whether a pipeline can reach its ends: what `wire doctor` looks at beyond this installation.

Nothing is changed by looking, so that it can be done beside a run of the same pipeline.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from pathlib import Path
from typing import Final

from wire.cli.checks import Check, folder
from wire.core.config import ByRecord
from wire.core.errors import WireError
from wire.core.ports import TaskId
from wire.pipelines.building import build_sink, build_source
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.sinks.elasticsearch import ElasticsearchSinkConfig
from wire.sinks.file.config import FileSinkConfig
from wire.sinks.http import HttpSinkConfig
from wire.sinks.kafka import KafkaSinkConfig
from wire.sinks.mongodb import MongoSinkConfig

_PATIENCE_S: Final = 15.0


async def ends(pipeline: LoadedPipeline) -> list[Check]:
    """Look whether the sources answer and the sinks can be written, as a run would at its start."""
    checks = [await _answered(f"source {source.name}", _source(source, pipeline)) for source in pipeline.sources]
    sinks: list[tuple[str, Component]] = [(f"sink {sink.name}", sink) for sink in pipeline.sinks]
    if pipeline.dead_letter:
        sinks.append(("dead letters", pipeline.dead_letter))
    for name, sink in sinks:
        match sink.config:
            case KafkaSinkConfig():
                checks.append(await _answered(name, _kafka(sink, sink.config, pipeline)))
            case MongoSinkConfig() | HttpSinkConfig():
                checks.append(await _answered(name, _opened(sink, pipeline)))
            case ElasticsearchSinkConfig():
                checks.append(await _answered(name, _elasticsearch(sink, sink.config, pipeline)))
            case FileSinkConfig():
                checks.append(folder(name, _folder_of(sink.config), "choose another `path`"))
    return checks


async def _answered(name: str, question: Coroutine[None, None, str]) -> Check:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return Check(name, "ok", await question)
    except WireError as exc:
        return Check(name, "missing", "; ".join(filter(None, (exc.message, exc.hint))))
    except TimeoutError:
        return Check(name, "missing", f"no answer within {_PATIENCE_S:g} s")


async def _source(component: Component, pipeline: LoadedPipeline) -> str:
    """Ask a source for its partitions, as the first thing a run would do."""
    source = build_source(component, pipeline)
    try:
        found = await source.partitions()
    finally:
        await source.close()
    return f"reachable, {len(found)} partition{'' if len(found) == 1 else 's'}"


async def _kafka(component: Component, config: KafkaSinkConfig, pipeline: LoadedPipeline) -> str:
    """Open the sink: it connects and logs in, looks for the topic, and asks for the right to write idempotently."""
    writer = await build_sink(component, pipeline).open(TaskId(pipeline.spec.name), 0, {})
    await writer.close()
    by_record = isinstance(config.topic, ByRecord)
    return f"reachable, {'its topics are known by record' if by_record else f'topic {config.topic} is there'}"


async def _opened(component: Component, pipeline: LoadedPipeline) -> str:
    """Open the sink: MongoDB's connects and logs in, HTTP's sees that somebody listens. Only records leave a trace."""
    writer = await build_sink(component, pipeline).open(TaskId(pipeline.spec.name), 0, {})
    await writer.close()
    return "reachable"


async def _elasticsearch(component: Component, config: ElasticsearchSinkConfig, pipeline: LoadedPipeline) -> str:
    """Connect and log in as the sink does. Opening it would apply its index template."""
    build_sink(component, pipeline)  # says what to install where the library is missing
    from wire.clients.elasticsearch_cluster import connect
    from wire.clients.elasticsearch_errors import SINK

    cluster = await connect(config, SINK)
    await cluster.close()
    return f"reachable, Elasticsearch {'.'.join(map(str, cluster.version or ()))}".rstrip()


def _folder_of(config: FileSinkConfig) -> Path:
    return Path(config.directory) if isinstance(config.path, ByRecord) else Path(config.path).parent
