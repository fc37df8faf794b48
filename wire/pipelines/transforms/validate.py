"""`validate: order.schema.json`, or `{schema: {type: object, …}}`: let records pass that fit a JSON Schema.

Any other record fails, with the places in it that don't fit: "`$.items[2].price`: -1 is less than the minimum of 0".
The record itself is never changed. Drafts 4 to 2020-12 are known by the schema's `$schema`, the newest is taken where
there is none. `format` is checked. Patterns run in time linear in the text: they have no look-around and no
backreferences. A `$ref` leads to a place in the same schema, never to another file or address. The file is read when
the pipeline starts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from wire.core.config import Config, MisfitError, doc
from wire.core.errors import ConfigError, RecordError, UnavailableError
from wire.core.paths import ROOT, child
from wire.core.permissions import LOCAL_PATH
from wire.core.plugins import Plugin
from wire.pipelines.codecs.json import encode
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext

if TYPE_CHECKING:
    import jsonschema_rs

_MOST_PLACES: Final = 3
_LONGEST: Final = 200
_HINTS: Final = {
    "type": "the types are array, boolean, integer, null, number, object and string",
    "pattern": "patterns have no look-around and no backreferences",
    "patternProperties": "patterns have no look-around and no backreferences",
}


class ValidateConfig(Config, frozen=True, kw_only=True):
    """A JSON Schema, in a file or written here."""

    file: Annotated[str | None, doc("A file with the schema, in JSON."), LOCAL_PATH] = None
    schema: Annotated[dict[str, Any] | None, doc("The schema itself.")] = None

    def __post_init__(self) -> None:
        if (self.file is None) == (self.schema is None):
            hint = "write file: order.schema.json, or schema: {type: object, properties: {…}}"
            raise MisfitError("exactly one of `file` and `schema` is needed", hint)


@dataclass(frozen=True, slots=True)
class Validate:
    """Fails records that don't fit a schema, which is read and compiled with the pipeline."""

    config: ValidateConfig
    context: TransformContext

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        check = builder.constant(checker(self._compiled()))
        row = builder.whole()
        builder.statement(f"{check}({row if builder.holds_json() else f'{builder.constant(_as_json)}({row})'})")

    def _compiled(self) -> jsonschema_rs.Validator:
        import jsonschema_rs

        schema: Any = self.config.schema if self.config.file is None else self._read(self.config.file)
        try:
            # I10: nothing is fetched or opened because a schema says so, and no pattern can hold the pipeline up.
            linear = jsonschema_rs.RegexOptions()
            return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=_refuse, pattern_options=linear)
        except jsonschema_rs.ValidationError as exc:
            raise self._mistake(exc.message, exc.instance_path) from exc
        except ValueError as exc:
            raise self._mistake(str(exc), []) from exc

    def _read(self, file: str) -> Any:
        try:
            return msgspec.json.decode(Path(file).read_bytes())
        except OSError as exc:
            message = f"the file {file} can't be read: {exc.strerror}"
            hint = "check the path and its permissions"
            raise UnavailableError("transform.validate.unreadable", message, hint=hint) from exc
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise self.context.mistake(
                f"the file {file} is not JSON: {exc}", "correct the file", *self._keys()
            ) from exc

    def _mistake(self, message: str, place: Sequence[str | int]) -> ConfigError:
        word = next((key for key in reversed(place) if key in _HINTS), None)
        hint = _HINTS[str(word)] if word and word in place[-2:] else "correct the schema"
        shown = _shortened(message)
        if "is not present in a registry" in message:
            shown = f"the schema refers to {message.split(chr(39))[1]!r}, which is outside of it"
            hint = "put what it refers to under `$defs`, and refer to it as in `#/$defs/name`"
        if self.config.file is None:
            return self.context.mistake(f"not a JSON Schema: {shown}", hint, *self._keys(), *place)
        message = f"the file {self.config.file} holds no JSON Schema: `{_path(place)}`: {shown}"
        return self.context.mistake(message, hint, *self._keys())

    def _keys(self) -> tuple[str, ...]:
        return ("schema",) if self.config.file is None else ("file",)


def checker(validator: jsonschema_rs.Validator) -> Callable[[dict[str, Any]], None]:
    """Return a function that raises RecordError for a record that doesn't fit, with the places where it doesn't."""
    is_valid, iter_errors = validator.is_valid, validator.iter_errors

    def check(row: dict[str, Any]) -> None:
        if is_valid(row):
            return
        places = [f"`{_path(error.instance_path)}`: {_shortened(error.message)}" for error in iter_errors(row)]
        more = f" (and {len(places) - _MOST_PLACES} more)" if len(places) > _MOST_PLACES else ""
        message = f"the record does not fit the schema: {'; '.join(places[:_MOST_PLACES])}{more}"
        raise RecordError("transform.validate.failed", message)

    return check


def _path(place: Sequence[str | int]) -> str:
    path = ROOT
    for key in place:
        path = child(path, key)
    return path


def _shortened(message: str) -> str:
    """Leave out the middle of a message that quotes a long value."""
    if len(message) <= _LONGEST:
        return message
    return f"{message[: _LONGEST // 2]} … {message[-_LONGEST // 2 :]}"


def _as_json(row: dict[str, Any]) -> Any:
    return msgspec.json.decode(encode(row))


def _refuse(uri: str) -> Any:
    raise ValueError(uri)


def build(config: str | ValidateConfig, context: TransformContext) -> Validate:
    """Make the transform. The schema is not read yet."""
    import jsonschema_rs  # noqa: F401 (that it is missing is said now, not when the pipeline runs)

    if isinstance(config, ValidateConfig):
        return Validate(config, context)
    return Validate(ValidateConfig(file=config), context)


PLUGIN = Plugin(
    kind="transform",
    summary="Let only records pass that fit a JSON Schema.",
    config=Annotated[str, LOCAL_PATH] | ValidateConfig,
    build=build,
    extra="validate",
    example="validate: {schema: {type: object, properties: {id: {type: integer}}, required: [id]}}",
)
