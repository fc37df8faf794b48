"""The Elasticsearch sink: connects, checks what it writes to, and applies its index template."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec
import structlog

from wire.clients.elasticsearch_cluster import ElasticsearchCluster, connect
from wire.clients.elasticsearch_errors import SINK
from wire.core.config import ByRecord
from wire.core.errors import RetryableError, UnavailableError
from wire.core.formats import Format, JsonFormat
from wire.core.plugins import ComponentContext
from wire.core.ports import Guarantee, TaskId
from wire.core.records import Checkpoint, PartitionId
from wire.core.units import Duration
from wire.sinks.elasticsearch import ElasticsearchSinkConfig, IndexTemplate
from wire.sinks.elasticsearch.writer import ElasticsearchWriter

log = structlog.get_logger()

_GC_DELETES: Final = "index.gc_deletes"
_LONG_ENOUGH: Final = Duration.parse("10m")


class ElasticsearchSink:
    """Indices of one cluster."""

    format: Format = JsonFormat()
    carries_headers = False

    def __init__(self, config: ElasticsearchSinkConfig, context: ComponentContext) -> None:
        """Make a sink; nothing is connected yet."""
        self._config = config
        self._context = context

    @property
    def guarantee(self) -> Guarantee:
        """Exactly once where writing a document again changes nothing: not with `update`."""
        exactly = self._config.op != "update" and not isinstance(self._config.op, ByRecord)
        return Guarantee.EXACTLY_ONCE if exactly else Guarantee.AT_LEAST_ONCE

    async def open(self, task: TaskId, epoch: int, recover: Mapping[PartitionId, Checkpoint]) -> ElasticsearchWriter:
        """Connect, see that it is Elasticsearch 8 or 9, and apply the index template.

        Raises UnavailableError within seconds: an unreachable cluster, a refused log-in, another product.
        """
        cluster = await connect(self._config, SINK, connections=self._config.max_in_flight)
        try:
            if self._config.template is not None:
                await _apply(cluster, self._config.template)
            if self._config.versioned and isinstance(self._config.index, str):
                await _look_at_memory(cluster, self._config.index)
        except RetryableError as exc:
            await cluster.close()
            raise UnavailableError(exc.code, exc.message, hint=exc.hint) from exc
        except BaseException:
            await cluster.close()
            raise
        return ElasticsearchWriter(cluster, self._config, self._context.clock, task.generation)


class _Settings(msgspec.Struct):
    settings: dict[str, str] = {}
    defaults: dict[str, str] = {}


async def _look_at_memory(cluster: ElasticsearchCluster, index: str) -> None:
    """Tell the log where the versions of deleted documents are forgotten sooner than an old process may come back."""
    target = f"/{quote(index, safe='')}/_settings/{_GC_DELETES}?include_defaults=true&flat_settings=true"
    answer = await cluster.request("GET", target, doing=f"looking at the index `{index}`")
    if not answer.ok:
        return  # it is not there yet, or its settings are not for this user to see
    for name, found in msgspec.json.decode(answer.body, type=dict[str, _Settings]).items():
        kept = found.settings.get(_GC_DELETES) or found.defaults.get(_GC_DELETES, "")
        try:
            short = Duration.parse(kept) < _LONG_ENOUGH
        except ValueError:
            continue
        if short:
            log.info("elasticsearch_gc_deletes_short", index=name, gc_deletes=kept, advised=str(_LONG_ENOUGH))


async def _apply(cluster: ElasticsearchCluster, template: IndexTemplate) -> None:
    body = msgspec.json.encode(_plain(template.body))
    target = f"/_index_template/{quote(template.name, safe='')}"
    await cluster.ask("PUT", target, body, doing=f"applying the index template `{template.name}`")


def _plain(data: Any) -> Any:
    """Return data as the encoder takes it: text from a reference is a type of its own."""
    if isinstance(data, dict):
        return {str(key): _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    return str(data) if isinstance(data, str) else data
