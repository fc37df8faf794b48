"""What a pipeline's parts must be to each other: rules that no single field can check."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from wire.clients.compression import without_suffix
from wire.core.config import closest, fields_of
from wire.core.errors import WireError
from wire.core.formats import JsonFormat
from wire.core.paths import ROOT, child
from wire.core.ports import Guarantee, Sink, TransactionalSink
from wire.core.references import has_reference
from wire.pipelines.building import context_of, shared_by_sinks
from wire.pipelines.codecs import encoder
from wire.pipelines.lint.cases import check_case
from wire.pipelines.lint.documents import check_documents
from wire.pipelines.lint.failing import check_failing, check_letters
from wire.pipelines.lint.findings import Findings
from wire.pipelines.lint.secrets import scalars
from wire.pipelines.lint.versions import check_versions
from wire.pipelines.loaded import Component, LoadedPipeline, SinkComponent
from wire.pipelines.plan import parse_at, sink_expressions
from wire.pipelines.spec import PipelineSpec, TestCase
from wire.pipelines.transforms import TransformContext

_IDENTITY: Final = {
    "elasticsearch": ("url", "index"),
    "file": ("path",),
    "kafka": ("bootstrap_servers", "topic"),
    "mongodb": ("uri", "database", "collection"),
}
"""By component type: the fields that together say where it reads or writes."""

_FORGETFUL: Final = ("dedupe",)
"""Transforms whose decisions depend on what is only in memory: after a restart they may decide differently."""

_COMPONENT_FIELDS: Final = ("source", "sources", "transforms", "sink", "sinks", "tests", "description")


def check_document(tree: dict[str, Any], findings: Findings) -> None:
    """Check what can be checked on the plain document, whether or not its parts are right."""
    known = [field.encode_name for field in fields_of(PipelineSpec)]
    misspelt = {closest(key, known) for key in tree if key not in known}
    for one, several in (("source", "sources"), ("sink", "sinks")):
        if one in tree and several in tree:
            message = f"`{one}` and `{several}` can't both be given"
            findings.add("config.conflict", child(ROOT, several), message, f"move the {one} into the list `{several}`")
        elif tree.get(one) is None and several not in tree and one not in misspelt:
            hint = f"add {one}: {{type: …, config: {{…}}}}; `wire list {several}` shows the types"
            findings.add("config.missing", child(ROOT, one), f"`{one}` is required", hint)
        elif tree.get(several) == []:
            findings.add(
                "config.invalid",
                child(ROOT, several),
                f"expected at least one {one}, found an empty list",
                f"`wire list {several}` shows what there is",
            )
    _check_references(tree, findings)
    check_letters(tree.get("on_error"), findings)


def _check_references(tree: dict[str, Any], findings: Findings) -> None:
    """References are resolved on the worker, so they can't decide what the cluster must know beforehand."""
    outside = {key: value for key, value in tree.items() if key not in _COMPONENT_FIELDS and key != "on_error"}
    for path, value in scalars(outside, ROOT):
        if has_reference(value):
            hint = "write the value here, or give it to `wire run` with --set"
            message = "a reference works only in the configuration of a source, a transform or a sink"
            findings.add("config.reference_misplaced", path, message, hint)


def check_names(components: Sequence[Component], findings: Findings) -> None:
    """Check that several sources, or several sinks, can be told apart."""
    names = Counter(component.name for component in components)
    for component in components:
        if names[component.name] > 1:
            message = f"{names[component.name]} are called `{component.name}`"
            findings.add("config.duplicate_name", component.path, message, "give each a `name` of its own")


def check_components(pipeline: LoadedPipeline, findings: Findings) -> None:
    """Check each component for itself, by building it (which does no I/O), and its expressions."""
    for source in pipeline.sources:
        _build(source, pipeline, findings)
        if pipeline.spec.delivery == "exactly_once" and not source.plugin.repeats:
            message = (
                f"what `{source.name}` has read can't be read again: after a crash it is not there once, but not at all"
            )
            hint = "write it to a file first, and read that; or use delivery: at_least_once"
            findings.add("config.delivery_unsupported", child(source.path, "type"), message, hint)
    for transform in pipeline.transforms:
        _check_transform(transform, pipeline, findings)
    shared, transactions = shared_by_sinks(pipeline), None
    for sink in pipeline.sinks:
        _check_expressions(sink, findings)
        built = _build(sink, pipeline, findings, shared)
        if built is not None:
            _check_sink(sink, built, pipeline, findings)
        if isinstance(built, TransactionalSink):
            transactions = transactions or built.transactions
            if built.transactions is not transactions:
                message = "a transaction can't span several clusters, or connections that are configured otherwise"
                hint = "write to one cluster only, with the same connection in each sink, or a pipeline for each"
                findings.add("config.delivery_unsupported", sink.path, message, hint)
    for component in (*pipeline.sources, *pipeline.sinks, *([pipeline.dead_letter] if pipeline.dead_letter else [])):
        _check_ending(component, findings)
    if pipeline.dead_letter:
        _check_dead_letter_expressions(pipeline.dead_letter, findings)
        built = _build(pipeline.dead_letter, pipeline, findings, shared)
        if pipeline.spec.delivery == "exactly_once" and built and built.guarantee is not Guarantee.EXACTLY_ONCE:
            message = "a dead letter may be written twice after a failure: its sink can't give exactly_once"
            hint = "use a file for dead letters, or a topic where the records go to; or bear with it: none is lost"
            findings.warn("config.delivery_unsupported", child(pipeline.dead_letter.path, "type"), message, hint)


def check_pipeline(pipeline: LoadedPipeline, findings: Findings) -> None:
    """Check how the parts of a pipeline go together, once each of them is right."""
    check_failing(pipeline, findings)
    _check_tests(pipeline, findings)
    _check_loops(pipeline, findings)
    _check_shared_files(pipeline, findings)
    check_versions(pipeline, findings)
    check_documents(pipeline, findings)


def _check_expressions(sink: SinkComponent, findings: Findings) -> None:
    expressions = {f"{sink.path}.config.{name}": text for name, text in sink_expressions(sink.config).items()}
    if sink.when is not None:
        expressions[f"{sink.path}.when"] = sink.when
    for path, text in expressions.items():
        try:
            parse_at(text, path)
        except WireError as exc:
            findings.put_error(exc, path)


def _check_dead_letter_expressions(sink: Component, findings: Findings) -> None:
    """A dead letter goes around the compiled stage, often because it can't be decoded: nothing is computed for it."""
    for name in sink_expressions(sink.config):
        message = f"`{name}` can't be computed from a dead letter: its fields may be what is wrong with it"
        hint = "leave it out, or write a fixed value; a dead letter keeps its own key"
        findings.add("config.conflict", f"{sink.path}.config.{name}", message, hint)


def _build(
    component: Component, pipeline: LoadedPipeline, findings: Findings, shared: dict[object, Any] | None = None
) -> Any:
    """Return what the component's factory makes, None where it refuses."""
    try:
        return component.plugin.build(component.config, context_of(component, pipeline, shared=shared))
    except WireError as exc:
        if exc.code == "config.missing_dependency":
            findings.warn(
                exc.code, child(component.path, "type"), exc.message, exc.hint
            )  # it may be there where the pipeline runs
        else:
            findings.put_error(exc, child(component.path, "config"))
        return None


def _check_sink(component: SinkComponent, sink: Sink, pipeline: LoadedPipeline, findings: Findings) -> None:
    if pipeline.spec.delivery == "exactly_once" and sink.guarantee is not Guarantee.EXACTLY_ONCE:
        message = f"the sink `{component.name}` can't give exactly_once: it may write a record twice after a failure"
        findings.add(
            "config.delivery_unsupported", "$.delivery", message, "use delivery: at_least_once, or another sink"
        )
    path = f"{component.path}.config.format"
    try:
        encoder(sink.format, path)
    except WireError as exc:
        findings.put_error(exc, path)


def _check_transform(component: Component, pipeline: LoadedPipeline, findings: Findings) -> None:
    try:
        component.plugin.build(component.config, TransformContext(component.path))
    except WireError as exc:
        if exc.code == "config.missing_dependency":  # as of sources and sinks
            findings.warn(exc.code, component.path, exc.message, exc.hint)
        else:
            findings.put_error(exc, component.path)
    if pipeline.spec.delivery == "exactly_once" and component.type in _FORGETFUL:
        message = f"`{component.type}` can't keep exactly_once: what it has seen is forgotten when the pipeline stops"
        hint = "use delivery: at_least_once, or a sink that knows duplicates by an id"
        findings.add("config.delivery_unsupported", component.path, message, hint)


def _check_ending(component: Component, findings: Findings) -> None:
    """JSON is the format where none is given: a CSV file that is read or written as JSON is mostly an oversight."""
    path, encoding = (getattr(component.config, name, None) for name in ("path", "format"))
    if not isinstance(path, str) or not isinstance(encoding, JsonFormat):
        return
    name, _ = without_suffix(path.lower())
    if not name.endswith((".csv", ".tsv")):
        return
    options = ['delimiter: "\\t"'] if name.endswith(".tsv") else []
    if component.plugin.kind == "sink":
        message, options = f"JSON is written to {path}", [*options, "columns: […]"]
    else:
        message = f"{path} is read as JSON, but its name says CSV"
    hint = f"add format: {{type: csv, {', '.join(options)}}}" if options else "add format: csv"
    findings.warn("config.suspicious_format", f"{component.path}.config.path", message, hint)


def _check_tests(pipeline: LoadedPipeline, findings: Findings) -> None:
    tests = pipeline.spec.tests
    for i, case in enumerate(tests if isinstance(tests, list) else ()):
        if isinstance(case, TestCase):
            check_case(case, child("$.tests", i), pipeline, findings)


def _check_loops(pipeline: LoadedPipeline, findings: Findings) -> None:
    for sink in pipeline.sinks:
        for source in pipeline.sources:
            if source.type == sink.type and _identity(source) is not None and _identity(source) == _identity(sink):
                message = f"the sink writes to what the source `{source.name}` reads: the pipeline feeds itself"
                findings.warn("config.loop", sink.path, message, "write somewhere else")


def _check_shared_files(pipeline: LoadedPipeline, findings: Findings) -> None:
    """Two sinks can't have the same file: under its final name a file holds what one of them has committed."""
    owners: dict[str, Component] = {}
    for sink in (*pipeline.sinks, *([pipeline.dead_letter] if pipeline.dead_letter else [])):
        path = getattr(sink.config, "path", None)
        if sink.type != "file" or not isinstance(path, str):
            continue
        owner = owners.setdefault(os.path.normpath(path), sink)
        if owner is not sink:
            message = f"the sink `{owner.name}` writes to this file already"
            findings.add("config.conflict", f"{sink.path}.config.path", message, "give each sink a file of its own")


def _identity(component: Component) -> tuple[object, ...] | None:
    values = tuple(getattr(component.config, field, None) for field in _IDENTITY.get(component.type, ()))
    return values if values and None not in values else None
