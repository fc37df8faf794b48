"""What the tests of lint share: a good pipeline to spoil, and ways to look at what was found."""

from __future__ import annotations

from typing import Any

from wire.pipelines.lint import LintResult, lint

KAFKA = "{bootstrap_servers: [localhost:9092], topic: t}"
GOOD = f"""\
name: flights
source: {{type: kafka, config: {KAFKA}}}
transforms:
  - filter: "dep_delay > 15"
  - select: "*, upper(carrier) AS carrier"
  - drop: [minute, hour]
sink: {{type: kafka, config: {{bootstrap_servers: [localhost:9092], topic: late}}}}
"""


def check(text: str, **environ: str) -> LintResult:
    return lint(text, environ=environ)


def found(result: LintResult) -> list[tuple[str, str, int | None, int | None]]:
    return [(f.code, f.path, f.line, f.column) for f in result.findings]


def only(result: LintResult) -> Any:
    assert len(result.findings) == 1, found(result)
    return result.findings[0]


def with_sink(config: str, **environ: str) -> LintResult:
    return check(GOOD.replace("{bootstrap_servers: [localhost:9092], topic: late}", config), **environ)


def with_transforms(*items: str) -> LintResult:
    head, _, tail = GOOD.partition("transforms:\n")
    written = "".join(f"  - {item}\n" for item in items)
    return check(f"{head}transforms:\n{written}{tail[tail.index('sink:') :]}")
