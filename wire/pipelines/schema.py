"""JSON Schema of the pipeline specification, the configuration of every installed component included.

Draft 7, which editors know best: `wire schema > pipeline.schema.json`, then `# yaml-language-server: $schema=…`.
"""

from __future__ import annotations

import datetime
import types
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from wire.core import plugins
from wire.core.config import Expression, Secret, description, fields_of, is_struct
from wire.core.errors import UnavailableError
from wire.core.units import Duration, Quota, Rate, Size
from wire.pipelines.describe import default_of, plain
from wire.pipelines.spec import ComponentSpec, PipelineSpec, SinkSpec, SourceSpec

Schema = dict[str, Any]

_REFERENCE: Final = r"\$\{(env|file):[^{}]+\}"
_RATE: Final = r"\d+(\.\d+)?\s*([KMGT]i?B|B|)/s"
_LEAF: Final[dict[Any, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    Any: {},
    datetime.datetime: {"type": "string", "format": "date-time"},
    Expression: {"type": ["string", "number", "boolean"]},
    Secret: {"type": "string", "writeOnly": True},
    Duration: {"type": "string", "pattern": rf"^(\s*\d+(\.\d+)?(us|ms|s|m|h|d))+$|{_REFERENCE}"},
    Size: {"type": "string", "pattern": rf"^\d+(\.\d+)?\s*([KMGT]i?B|B)$|{_REFERENCE}"},
    Rate: {"type": "string", "pattern": rf"^{_RATE}(\s*,\s*{_RATE})?$"},
    Quota: {"type": "string", "pattern": r"^\d+(\.\d+)?%?/(\s*\d+(\.\d+)?(ms|s|m|h|d))+$"},
}
_ALSO_BY_REFERENCE: Final = (int, float, bool)


def pipeline_schema() -> Schema:
    """Return the schema of a whole pipeline."""
    schema = of_type(PipelineSpec)
    properties = schema["properties"]
    source, sink, letters = (
        _component("source", SourceSpec),
        _component("sink", SinkSpec),
        _component("sink", ComponentSpec),
    )
    properties["source"] = source
    properties["sources"] = {"type": "array", "items": {"$ref": "#/properties/source"}, "minItems": 1}
    properties["sink"] = sink
    properties["sinks"] = {"type": "array", "items": {"$ref": "#/properties/sink"}, "minItems": 1}
    properties["transforms"]["items"] = _transforms()
    properties["on_error"]["properties"]["sink"] = letters
    exactly_one = [{"oneOf": [{"required": [one]}, {"required": [f"{one}s"]}]} for one in ("source", "sink")]
    return {**_head("Wire pipeline"), **schema, "allOf": exactly_one}


def config_schema(kind: Any, title: str) -> Schema:
    """Return the schema of a document that is one configuration struct."""
    return {**_head(title), **of_type(kind)}


def _head(title: str) -> Schema:
    return {"$schema": "http://json-schema.org/draft-07/schema#", "title": title}


def _component(kind: plugins.Kind, spec: Any) -> Schema:
    """Return the schema of a source or sink: what `config` takes depends on `type`."""
    schema = of_type(spec)
    known = {name: plugin for name in plugins.names(kind) if (plugin := _load(kind, name))}
    schema["properties"]["type"]["enum"] = sorted(known)
    schema["allOf"] = [
        {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": _with_config(plugin)}
        for name, plugin in known.items()
    ]
    return schema


def _with_config(plugin: plugins.Plugin) -> Schema:
    config = of_type(plugin.config)
    schema: Schema = {"properties": {"config": {"description": plugin.summary, **config}}}
    return {**schema, "required": ["config"]} if config.get("required") else schema


def _transforms() -> Schema:
    properties = {
        name: {"description": plugin.summary, **of_type(plugin.config)}
        for name in plugins.names("transform")
        if (plugin := _load("transform", name))
    }
    return {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }


def _load(kind: plugins.Kind, name: str) -> plugins.Plugin | None:
    try:
        return plugins.load(kind, name)
    except UnavailableError:  # one third-party component that is broken must not take the others' schema away
        return None


def of_type(kind: Any) -> Schema:
    """Return the schema of a configuration type."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _annotated(kind)
    if origin is Literal:
        return {"enum": list(get_args(kind))}
    if origin in (Union, types.UnionType):
        return _union(kind)
    if origin is list:
        return {"type": "array", "items": of_type(get_args(kind)[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": of_type(get_args(kind)[1])}
    if is_struct(kind):
        return _struct(kind)
    schema = dict(_LEAF[kind])
    return {"anyOf": [schema, {"type": "string", "pattern": _REFERENCE}]} if kind in _ALSO_BY_REFERENCE else schema


def _annotated(kind: Any) -> Schema:
    schema = of_type(get_args(kind)[0])
    text = description(kind)
    limited = schema["anyOf"][0] if get_args(kind)[0] in _ALSO_BY_REFERENCE else schema
    for meta in get_args(kind)[1:]:
        if isinstance(meta, msgspec.Meta):
            limited.update({name: value for name, value in _limits(meta).items() if value is not None})
    return {"description": text, **schema} if text else schema


def _limits(meta: msgspec.Meta) -> dict[str, Any]:
    return {
        "minimum": meta.ge,
        "exclusiveMinimum": meta.gt,
        "maximum": meta.le,
        "exclusiveMaximum": meta.lt,
        "multipleOf": meta.multiple_of,
        "pattern": meta.pattern,
    }


def _union(kind: Any) -> Schema:
    members = get_args(kind)
    tags = [m.__struct_config__.tag for m in members if is_struct(m)]
    options = [of_type(member) for member in members]
    if tags and all(tags):
        options.append({"enum": tags})  # by its tag alone: `format: csv`
    return {"anyOf": options}


def _struct(kind: Any) -> Schema:
    fields = fields_of(kind)
    properties: dict[str, Schema] = {}
    required = [field.encode_name for field in fields if field.required]
    tag_field, tag = kind.__struct_config__.tag_field, kind.__struct_config__.tag
    if tag_field:
        properties[tag_field] = {"const": tag}
        required.insert(0, tag_field)
    for field in fields:
        schema = of_type(field.type)
        default = default_of(field)
        properties[field.encode_name] = schema if default is None else {**schema, "default": plain(default)}
    result: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**result, "required": required} if required else result
