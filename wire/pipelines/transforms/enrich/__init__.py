"""`enrich: {type: http, url: "https://example.com/customers/{customer_id}", select: "name AS customer"}`: ask others.

Adds what an HTTP service or a MongoDB collection knows about a record; `select` says what, as in SQL over the answer's
fields, and replaces fields of the same name. Within a batch each thing is asked for once, and answers are remembered
(`cache`), also that there is none. NULL in a placeholder, or as key, asks nothing: there is no answer.

`type: http` makes one request for each distinct URL (and body), or, with `batch`, one for many keys, answered by a list
of objects. 404, 410, 204 and `null` mean that there is nothing; any other answer that is not 2xx JSON is a failure.
`type: mongodb` finds documents whose `column` is among the keys. Numbers, text and ObjectIds are different keys.

After timeouts, 408, 425, 429 and 5xx it is asked again `retries` times, not before `Retry-After`; then, and for what is
refused, `on_failure` decides. A pipeline that waits for an answer goes on with its other partitions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog

from wire.core.errors import ConfigError, FatalError, Finding, RecordError, RetryableError
from wire.core.plugins import Plugin, missing_dependency
from wire.pipelines.expressions import FunctionScope, Parsed, SelectItem, emit
from wire.pipelines.plan.builder import Arrived, Builder, Failures, Values
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.enrich.asking import Asker, Failed, Found
from wire.pipelines.transforms.enrich.cache import Cache
from wire.pipelines.transforms.enrich.config import EnrichConfig, HttpEnrich, MongoEnrich
from wire.pipelines.transforms.enrich.service import Request, Row, Service, Stub, json_of, key_of
from wire.pipelines.transforms.enrich.template import filler, split

log = structlog.get_logger()

_REQUEST: Final = "\0enrich"
"""The field in which a record's request travels from where it is computed to where it is made."""
_COMPLAIN_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Enrich:
    """Adds fields that others know. `texts` and `parts` make the URL, `body` is what is sent, or the key."""

    config: EnrichConfig
    names: Sequence[str]
    select: Callable[[Row], tuple[Any, ...]]
    texts: Sequence[str]
    parts: Sequence[Parsed]
    body: Parsed | None
    context: TransformContext

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        service = Stub(self.context.ask) if self.context.ask else _service(self.config, self.context)
        builder.assign(_REQUEST, self._request(builder))
        builder.wait_for(_Enriching(self, service).run)
        builder.on_close(service.close)

    def _request(self, builder: Builder) -> str:
        body = builder.evaluate(self.body) if self.body else None
        if isinstance(self.config, MongoEnrich) or self.config.batch:
            return f"{builder.constant(key_of)}({body})"
        url = f"{builder.constant(filler(self.texts))}({', '.join(map(builder.evaluate, self.parts))})"
        if body is None:
            return f"{builder.constant(_request)}({url})"
        return f"{builder.constant(_request_with_body)}({url}, {body})"


class _Enriching:
    def __init__(self, node: Enrich, service: Service) -> None:
        config, clock = node.config, node.context.clock
        self._names = node.names
        self._missing = config.missing
        self._on_failure = config.on_failure
        self._nothing = (None,) * len(node.names)
        self._clock = clock
        self._complain_at_s = 0.0
        self._asker = Asker(
            service,
            node.select,
            Cache(config.cache, clock),
            clock,
            retries=config.retries,
            concurrency=config.concurrency,
        )

    async def run(self, arrived: Arrived, values: Values, failures: Failures) -> tuple[Arrived, Values]:
        requests = [None if value is None else value.pop(_REQUEST) for value in values]
        found = await self._asker.find(request for request in requests if request is not None)
        good: Arrived = []
        enriched: Values = []
        for entry, value, request in zip(arrived, values, requests, strict=True):
            if value is not None:
                try:
                    value = self._enriched(value, found[request] if request else None)  # noqa: PLW2901
                except RecordError as exc:
                    failures.append((entry[0], exc))
                    continue
            good.append(entry)
            enriched.append(value)
        return good, enriched

    def _enriched(self, value: dict[str, Any], found: Found | Failed) -> dict[str, Any] | None:
        if isinstance(found, RetryableError | RecordError):
            found = self._after(found)
        elif found is None:
            if self._missing == "drop":
                return None
            if self._missing == "fail":
                hint = "`missing: keep` keeps such records, `missing: drop` drops them"
                raise RecordError("transform.enrich.no_match", hint=hint)
            found = self._nothing
        value.update(zip(self._names, found, strict=True))
        return value

    def _after(self, error: Failed) -> tuple[Any, ...]:
        """Do what is to be done when asking failed: raise, or return what the record gets instead."""
        match self._on_failure:
            case "dead_letter":
                raise RecordError(error.code, error.message, hint=error.hint)
            case "fail":
                raise (
                    error
                    if isinstance(error, RetryableError)
                    else FatalError(error.code, error.message, hint=error.hint)
                )
            case "keep":
                now_s = self._clock.monotonic()
                if now_s >= self._complain_at_s:
                    self._complain_at_s = now_s + _COMPLAIN_S
                    log.warning("enrich_failed", code=error.code, error=error.message)
                return self._nothing


def _request(url: str | None) -> Request | None:
    return None if url is None else Request(url)


def _request_with_body(url: str | None, body: Any) -> Request | None:
    return None if url is None or body is None else Request(url, json_of(body))


def _service(config: EnrichConfig, context: TransformContext) -> Service:
    try:
        if isinstance(config, MongoEnrich):
            from wire.pipelines.transforms.enrich.mongodb import MongoService

            return MongoService(config)
        from wire.pipelines.transforms.enrich.http import BatchedHttpService, HttpService

        if config.batch is not None:
            return BatchedHttpService(config, config.batch, context.clock)
        return HttpService(config, context.clock)
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.partition(".")[0] == "wire":
            raise
        raise missing_dependency("enrich", "mongodb" if isinstance(config, MongoEnrich) else "http", exc) from exc


def build(config: EnrichConfig, context: TransformContext) -> Enrich:
    """Make the transform. Nothing is asked yet."""
    items = context.parse_select(config.select, "select")
    if any(item.name is None for item in items):
        raise context.mistake(
            "an answer can't be selected with `*`", "name its fields, as in `name AS customer`", "select"
        )
    if any(item.expression.metas for item in items if item.expression):
        raise context.mistake("an answer has no metadata", "select fields of the answer", "select")
    texts, parts = _url(config, context)
    return Enrich(
        config, [str(item.name) for item in items], _select(items), texts, parts, _body(config, context), context
    )


def _url(config: EnrichConfig, context: TransformContext) -> tuple[list[str], list[Parsed]]:
    if isinstance(config, MongoEnrich):
        return [""], []
    try:
        texts, expressions = split(config.url)
    except ValueError:
        hint = "`{` and `}` stand around an expression; elsewhere write %7B and %7D"
        raise context.mistake("`url` has a brace without its other", hint, "url") from None
    if not texts[0].startswith(("http://", "https://")):
        raise context.mistake("`url` is no URL", "it begins with http:// or https://", "url")
    return texts, [_placeholder(text, context) for text in expressions]


def _placeholder(text: str, context: TransformContext) -> Parsed:
    try:
        return context.parse(text, "url")
    except ConfigError as exc:  # the place within the placeholder is none in the URL
        (found,) = exc.findings
        message = f"{{{text}}}: {found.message}"
        raise ConfigError([Finding(code=found.code, path=found.path, message=message, hint=found.hint)]) from exc


def _body(config: EnrichConfig, context: TransformContext) -> Parsed | None:
    if isinstance(config, MongoEnrich):
        return context.parse(config.key, "key")
    if config.batch is not None:
        return context.parse(config.batch.key, "batch", "key")
    return context.parse(config.body, "body") if config.body is not None else None


def _select(items: Sequence[SelectItem]) -> Callable[[Row], tuple[Any, ...]]:
    """Return a function from an answer to what it adds."""
    scope = FunctionScope("row")
    sources = [emit(item.expression, scope) for item in items if item.expression]
    # I10: the source comes from the expression emitter alone.
    select: Callable[[Row], tuple[Any, ...]] = eval(f"lambda row: ({', '.join(sources)},)", dict(scope.constants))  # noqa: S307 (I10: our own source)
    return select


PLUGIN = Plugin(
    kind="transform",
    summary="Add what an HTTP service or a MongoDB collection knows about a record.",
    config=HttpEnrich | MongoEnrich,
    build=build,
    example="""\
enrich:
  type: http
  url: "https://crm.example.com/customers/{customer_id}"
  auth: {bearer: "${env:CRM_TOKEN}"}
  select: "name AS customer, tier"
""",
)
