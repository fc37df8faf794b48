"""`${env:NAME}` and `${file:PATH}`: values that are looked up where the pipeline runs, never stored or shown (I9)."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from wire.core.errors import Finding
from wire.core.paths import child
from wire.core.permissions import EVERYTHING, HINTS, Permissions

REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")

_MAX_FILE_BYTES: Final = 1 << 20


class Resolved(str):
    """Text in which references were replaced by what they name. `wire.core.config.parse` may read it as a number.

    `hidden` holds what was put in, which no message may repeat (I9).
    """

    hidden: tuple[str, ...] = ()


def has_reference(value: object) -> bool:
    """Say whether a plain value contains a reference."""
    return isinstance(value, str) and REFERENCE.search(value) is not None


def resolve(
    data: Any,
    environ: Mapping[str, str],
    path: str,
    findings: list[Finding],
    permissions: Permissions = EVERYTHING,
) -> Any:
    """Return `data` with every reference replaced by what it names; what can't be had becomes a finding.

    What `permissions` don't allow is not looked up at all (I10).

    Text with a reference in it becomes `Resolved`, which `wire.core.config.parse` accepts in place of a number or a
    boolean: `port: ${env:PORT}`. A file's trailing newline is dropped.
    """
    if isinstance(data, dict):
        return {key: resolve(value, environ, child(path, key), findings, permissions) for key, value in data.items()}
    if isinstance(data, list):
        return [resolve(value, environ, child(path, i), findings, permissions) for i, value in enumerate(data)]
    if not has_reference(data):
        return data
    matches = list(REFERENCE.finditer(data))
    refused = [finding for match in matches if (finding := _refusal(match, path, permissions))]
    if refused:
        findings.append(refused[0])
        return data
    hidden = [_look_up(match, environ, path, findings) for match in matches]
    values = iter(hidden)
    text = Resolved(REFERENCE.sub(lambda _: next(values), data))
    text.hidden = tuple(hidden)
    return text


def _refusal(match: re.Match[str], path: str, permissions: Permissions) -> Finding | None:
    kind, name = match.groups()
    if permissions.allows_env(name) if kind == "env" else permissions.allows_path(name):
        return None
    what = f"the environment variable {name}" if kind == "env" else f"the file {name}"
    hint = HINTS["env" if kind == "env" else "path"]
    return Finding(code="config.not_allowed", path=path, message=f"{what} may not be read here", hint=hint)


def _look_up(match: re.Match[str], environ: Mapping[str, str], path: str, findings: list[Finding]) -> str:
    kind, name = match.groups()
    if kind == "env":
        if name in environ:
            return environ[name]
        return _missing(findings, path, f"the environment variable {name} is not set", f"set {name} before starting")
    try:
        with Path(os.path.realpath(name)).open("rb") as file:  # which is what the permissions were asked for
            content = file.read(_MAX_FILE_BYTES + 1)
        if len(content) <= _MAX_FILE_BYTES:
            return content.decode().rstrip("\r\n")
        reason = "it is larger than 1 MiB"
    except OSError as exc:
        reason = (exc.strerror or "it can't be opened").lower()
    except UnicodeDecodeError:
        reason = "it is not UTF-8 text"
    return _missing(findings, path, f"the file {name} can't be read: {reason}", "check the path and its permissions")


def _missing(findings: list[Finding], path: str, message: str, hint: str) -> str:
    findings.append(Finding(code="config.reference_unresolved", path=path, message=message, hint=hint))
    return ""
