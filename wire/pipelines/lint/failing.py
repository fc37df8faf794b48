"""What a pipeline says of failures: how often something is tried, and what becomes of what can't be processed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from wire.core.codes import CODES
from wire.core.config import closest
from wire.core.paths import ROOT, child
from wire.pipelines.lint.findings import Findings
from wire.pipelines.loaded import LoadedPipeline
from wire.pipelines.spec import RetrySpec


def check_letters(on_error: Any, findings: Findings) -> None:
    """Check, on the plain document, that there is a sink for dead letters just where there are any."""
    if not isinstance(on_error, dict):
        return
    policy, sink, rules = (on_error.get(name) for name in ("policy", "sink", "rules"))
    some = rules if isinstance(rules, list) else []
    policies = [policy, *(rule.get("policy") for rule in some if isinstance(rule, dict))]
    if "dead_letter" in policies and sink is None:
        hint = "add sink: {type: file, config: {path: dead/letters.jsonl}}"
        findings.add(
            "config.missing", "$.on_error.sink", "policy dead_letter needs a `sink` for the dead letters", hint
        )
    elif sink is not None and all(each in (None, "skip", "fail") for each in policies):
        message = f"a sink for dead letters does not go with policy {policy or 'fail'}"
        findings.add("config.conflict", "$.on_error.sink", message, "set policy: dead_letter, or remove the sink")


def check_failing(pipeline: LoadedPipeline, findings: Findings) -> None:
    """Check retries, rules and buffers, of the pipeline and of each of its sinks."""
    for path, retry in _retries(pipeline):
        _check_retry(retry, path, findings)
    _check_on_error(pipeline, findings)
    for sink, spec in zip(pipeline.sinks, pipeline.spec.every_sink, strict=True):
        sheds = spec.buffer is not None and spec.buffer.when_full == "shed"
        if sheds and pipeline.spec.delivery == "exactly_once":
            message = f"the sink `{sink.name}` drops records when it is slow, so the pipeline can't give exactly_once"
            hint = "use when_full: block, or delivery: at_least_once"
            findings.add("config.delivery_unsupported", f"{sink.path}.buffer.when_full", message, hint)


def _retries(pipeline: LoadedPipeline) -> Iterator[tuple[str, RetrySpec]]:
    yield child(ROOT, "retry"), pipeline.spec.retry
    for sink, spec in zip(pipeline.sinks, pipeline.spec.every_sink, strict=True):
        if spec.retry is not None:
            yield child(sink.path, "retry"), spec.retry


def _check_retry(retry: RetrySpec, path: str, findings: Findings) -> None:
    if retry.initial > retry.max:
        message = f"the first wait ({retry.initial}) is longer than the longest ({retry.max})"
        findings.add("config.conflict", child(path, "initial"), message, "lower `initial` or raise `max`")
    for index, rule in enumerate(retry.rules):
        _check_codes(rule.codes, child(child(child(path, "rules"), index), "codes"), findings)


def _check_codes(patterns: Sequence[str], path: str, findings: Findings) -> None:
    for index, pattern in enumerate(patterns):
        if not any(fnmatchcase(code, pattern) for code in CODES):
            close = closest(pattern, CODES)
            hint = (
                f"did you mean `{close}`?" if close else "docs/reference/codes.md lists them; `*` stands for anything"
            )
            message = f"there is no error of the code `{pattern}`"
            findings.add("config.unknown_code", child(path, index), message, hint)


def _check_on_error(pipeline: LoadedPipeline, findings: Findings) -> None:
    on_error = pipeline.spec.on_error
    types = [transform.type for transform in pipeline.transforms]
    names = [*(each.name for each in (*pipeline.sources, *pipeline.sinks)), *types]
    known = {*names, *(f"transforms[{index}]" for index in range(len(types)))}
    for index, rule in enumerate(on_error.rules):
        path = f"$.on_error.rules[{index}]"
        _check_codes(rule.codes, child(path, "codes"), findings)
        if rule.component is not None and rule.component not in known:
            message = f"the pipeline has no component that is called `{rule.component}`"
            findings.add("config.unknown_name", child(path, "component"), message, f"there is {', '.join(names)}")
    policies = [on_error.policy, *(rule.policy for rule in on_error.rules)]
    if on_error.max_dead_letters and all(policy == "fail" for policy in policies):
        message = "the first record that can't be processed stops the pipeline: there is nothing to count"
        findings.add("config.conflict", "$.on_error.max_dead_letters", message, "set policy: dead_letter, or skip")
