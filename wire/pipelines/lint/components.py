"""From the plain description of a component to a `Component`: found, its references resolved, its fields parsed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wire.core.config import fields_of, parse
from wire.core.errors import Finding, WireError
from wire.core.paths import child
from wire.core.permissions import Permissions
from wire.core.plugins import Kind, Plugin, load, names
from wire.core.references import Resolved, has_reference, resolve
from wire.pipelines.lint.findings import Findings
from wire.pipelines.lint.permitted import not_permitted
from wire.pipelines.lint.secrets import secret_paths, telling_paths
from wire.pipelines.loaded import Component
from wire.pipelines.spec import SinkSpec, SourceSpec


class Components:
    """Reads the components of one document. `secrets` gathers the paths of everything that must not be shown."""

    def __init__(self, findings: Findings, environ: Mapping[str, str], permissions: Permissions) -> None:
        self._findings = findings
        self._environ = environ
        self._permissions = permissions
        self.secrets: set[str] = set()
        self.hidden: set[str] = set()

    def endpoint(self, kind: Kind, raw: Any, path: str) -> Component | None:
        """Read a source or sink (`{type, config, name}`); None if anything about it is wrong."""
        if isinstance(raw, str):
            hint = f"write {kind}: {{type: {raw}, config: {{…}}}}"
            self._findings.add("config.invalid", path, "expected a mapping with `type` and `config`, found text", hint)
        if not isinstance(raw, dict):
            return None
        config_path = child(path, "config")
        config = raw.get("config", {})
        if not isinstance(raw.get("type"), str):
            self.secrets.update(telling_paths(raw, path))
            return None
        plugin = self._plugin(kind, raw["type"], child(path, "type"))
        if plugin is None:
            self.secrets.update(telling_paths(raw, path))
            return None
        self._misplaced_fields(plugin, raw, path)
        parsed = self._config(plugin, config, config_path)
        if self._findings.any_under(path):
            return None
        name = raw.get("name")
        return Component(name if isinstance(name, str) else raw["type"], raw["type"], plugin, parsed, path)

    def transform(self, raw: Any, path: str) -> Component | None:
        """Read one item of `transforms`; None if anything about it is wrong."""
        if not isinstance(raw, dict) or not raw:
            hint = 'as in `- filter: "a > 1"`'
            if isinstance(raw, str) and raw in names("transform"):
                hint = f"as in `- {raw}: …`, or `- {raw}: {{}}` if it needs none; `wire describe {raw}` tells"
            self._findings.add("config.invalid", path, "expected one `name: configuration`", hint)
            return None
        name, *more = raw
        if more:
            hint = f"put `{more[0]}` into an item of its own: `- {more[0]}: …`"
            message = "each item holds exactly one transform"
            self._findings.put_at_key(
                Finding(code="config.invalid", path=child(path, more[0]), message=message, hint=hint)
            )
        where = child(path, name)
        plugin = self._transform_plugin(name, where)
        if plugin is None:
            return None
        parsed = self._config(plugin, raw[name], where)
        return None if self._findings.any_under(path) else Component(name, name, plugin, parsed, where)

    def _transform_plugin(self, name: str, path: str) -> Plugin | None:
        try:
            return load("transform", name)
        except WireError as exc:  # a transform is named by its key
            self._findings.put_at_key(Finding(code=exc.code, path=path, message=exc.message, hint=exc.hint))
            return None

    def _plugin(self, kind: Kind, name: str, path: str) -> Plugin | None:
        try:
            return load(kind, name)
        except WireError as exc:
            self._findings.add(exc.code, path, exc.message, exc.hint)
            return None

    def _config(self, plugin: Plugin, raw: Any, path: str) -> Any:
        found: list[Finding] = []
        secrets = set(secret_paths(plugin.config, raw, path))
        self.secrets |= secrets
        resolved = resolve(raw, self._environ, path, found, self._permissions)
        self._look_for_literals(raw, path, secrets)
        self._findings.put_all(found)
        found = []
        parsed = parse(plugin.config, resolved, path, found)
        self.hidden.update(text for value in _texts(resolved) for text in value.hidden)
        self._findings.put_all(found)
        if parsed is not None:
            self._findings.put_all(not_permitted(plugin, parsed, path, self._permissions))
        return parsed

    def _look_for_literals(self, raw: Any, path: str, secrets: set[str]) -> None:
        if isinstance(raw, dict | list):
            for key, value in raw.items() if isinstance(raw, dict) else enumerate(raw):
                self._look_for_literals(value, child(path, key), secrets)
        elif path in secrets and not has_reference(raw):
            self.hidden.add(str(raw))
            message = "a secret is written out here"
            hint = "use ${env:NAME} or ${file:PATH}; a cluster refuses a written-out secret"
            self._findings.warn("config.literal_secret", path, message, hint)
        elif isinstance(raw, str) and "${" in raw and not has_reference(raw):
            message = "`${` begins no reference that Wire knows; this stays text"
            self._findings.warn(
                "config.suspicious_reference", path, message, "references are ${env:NAME} and ${file:PATH}"
            )

    def _misplaced_fields(self, plugin: Plugin, raw: dict[str, Any], path: str) -> None:
        """Say so where a field of the configuration stands beside `config` instead of in it."""
        fields = {field.encode_name for field in fields_of(plugin.config)}
        known = {field.encode_name for field in fields_of(SinkSpec if plugin.kind == "sink" else SourceSpec)}
        for key in raw:
            if key in fields and key not in known:
                message = f"`{key}` is a field of the {raw['type']} {plugin.kind}'s configuration"
                self._findings.add("config.unknown_key", child(path, key), message, f"move `{key}` below `config:`")


def _texts(data: Any) -> list[Resolved]:
    if isinstance(data, dict):
        return [text for value in data.values() for text in _texts(value)]
    if isinstance(data, list):
        return [text for value in data for text in _texts(value)]
    return [data] if isinstance(data, Resolved) else []
