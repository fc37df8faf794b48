"""Reads a pipeline's dead letters back, from wherever its dead-letter sink puts them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from wire.core import plugins
from wire.core.errors import FatalError
from wire.core.letters import Letter, opened
from wire.core.plugins import ComponentContext, ReadBack
from wire.core.ports import ReadLimit, Source
from wire.pipelines.loaded import LoadedPipeline

_LIMIT: Final = ReadLimit(1000, 8 << 20)


async def dead_letters(pipeline: LoadedPipeline) -> AsyncIterator[Letter]:
    """Give all letters there are now, partition by partition, each in its order; what is no letter is left out.

    Raises FatalError where the pipeline has no dead-letter sink, or one that can't be read; UnavailableError or
    RetryableError while the other side is away.
    """
    back = _read_back(pipeline)
    plugin = plugins.load("source", back.source)
    source: Source = plugin.build(
        plugin.config(**back.config),
        ComponentContext(pipeline.spec.name, "dead letters", bounded=True, permissions=pipeline.permissions),
    )
    try:
        for partition in await source.partitions():
            reader = await source.open(partition, None)
            try:
                while (batch := await reader.read(_LIMIT)) is not None:
                    for record in batch.records:
                        if (letter := opened(record, enveloped=back.enveloped)) is not None:
                            yield letter
            finally:
                await reader.close()
    finally:
        await source.close()


def _read_back(pipeline: LoadedPipeline) -> ReadBack:
    sink = pipeline.dead_letter
    if sink is None:
        hint = "add on_error: {policy: dead_letter, sink: …}; `wire list sinks` shows what there is"
        raise FatalError("dlq.none", path="$.on_error", hint=hint)
    if sink.plugin.read_back is None:
        message = f"what the sink `{sink.type}` has written can't be read back"
        raise FatalError("dlq.unreadable", message, path=sink.path, hint="use a topic, files or an index")
    return sink.plugin.read_back(sink.config)
