"""What only compiling shows: a format that can't hold what the transforms make, a lookup file that is not there."""

from __future__ import annotations

import msgspec

from wire.core.errors import ConfigError, WireError
from wire.core.formats import CsvFormat, Format, JsonFormat
from wire.pipelines.building import build_sink, build_source, build_transforms, plan_output
from wire.pipelines.lint.linter import LintResult
from wire.pipelines.loaded import Component, LoadedPipeline
from wire.pipelines.plan import compile_stage


def compile_here(result: LintResult) -> LintResult:
    """Also compile a pipeline that passed lint, and add what that finds.

    Blocking: reads the files that lookups name; one that is not here is a warning, it may be there where the pipeline
    runs. A pipeline with a `python` transform is left as it is: finding mistakes must not run anyone's code (I10).
    """
    pipeline = result.pipeline
    if pipeline is None or any(transform.type == "python" for transform in pipeline.transforms):
        return result
    try:
        for source in pipeline.sources:
            _compile(source, pipeline)
    except ConfigError as exc:
        return LintResult((*result.findings, *result.placed(exc)), None, result.lines, result.shown, result.document)
    except WireError as exc:
        warnings = [msgspec.structs.replace(finding, severity="warning") for finding in result.placed(exc)]
        return LintResult((*result.findings, *warnings), pipeline, result.lines, result.shown, result.document)
    return result


def _compile(component: Component, pipeline: LoadedPipeline) -> None:
    outputs = [plan_output(sink, build_sink(sink, pipeline).format) for sink in pipeline.sinks]
    form = _known(build_source(component, pipeline).format)
    compile_stage(form, component.name, build_transforms(pipeline), outputs, component.path)


def _known(form: Format) -> Format:
    """Stand in for the columns that a file's header will tell: any field may be there, as in JSON."""
    return JsonFormat() if isinstance(form, CsvFormat) and form.columns is None else form
