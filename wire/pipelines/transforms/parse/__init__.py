r"""`parse: {expr: message, as: json}`: take text apart into fields.

Without `into`, what is found becomes fields of the record, in place of those of the same name; with it, one field that
holds everything. The text itself stays. NULL gives NULL; text that is not what `as` says fails the record, or gives
NULL with `on_error: null`.

- `json`: any JSON; only an object can become fields of the record.
- `key_value`: `level=info msg="not found"`, all as text. Values may stand in double quotes, with `\"` for a quote.
  Words that have no value are left out.
- `regex`: the groups that have a name, `(?P<name>…)`, and the patterns that are referred to by `%{PATTERN:name}` as in
  grok, with a third part for numbers: `%{NUMBER:bytes:int}`. The pattern may match anywhere; `^` and `$` are the ends.
  Patterns are RE2's, in time linear in the text: without look-around and backreferences.
- `url`: `scheme`, `user`, `host`, `port`, `path`, `query`, `params` (the query by name, the last one of each) and
  `fragment`, NULL where there is none. A password is left out.
- `user_agent`: `browser`, `browser_version`, `os`, `os_version`, `device`, `device_brand` and `device_model`, NULL
  where it can't be told. Needs `pip install 'wire-cluster[useragent]'`.
- `timestamp`: one TIMESTAMP, in UTC; without `into` it takes the place of the field it is read from. The first of
  `formats` that fits counts.

The patterns that come with it: `BASE16NUM`, `COMBINEDAPACHELOG`, `COMMONAPACHELOG`, `DATA`, `DAY`, `EMAILADDRESS`,
`GREEDYDATA`, `HOSTNAME`, `HOSTPORT`, `HOUR`, `HTTPDATE`, `INT`, `IP`, `IPORHOST`, `IPV4`, `IPV6`, `ISO8601_TIMEZONE`,
`LOGLEVEL`, `MAC`, `MINUTE`, `MONTH`, `MONTHDAY`, `MONTHNUM`, `NONNEGINT`, `NOTSPACE`, `NUMBER`, `PATH`, `POSINT`,
`PROG`, `QS`, `QUOTEDSTRING`, `SECOND`, `SPACE`, `SYSLOGLINE`, `SYSLOGTIMESTAMP`, `TIME`, `TIMESTAMP_ISO8601`,
`UNIXPATH`, `URI`, `URIHOST`, `URIPARAM`, `URIPATH`, `URIPATHPARAM`, `URIPROTO`, `USER`, `USERNAME`, `UUID`,
`WINPATH`, `WORD`, `YEAR`.

```yaml
transforms:
  - parse:
      expr: message
      as: {type: regex, pattern: '%{IP:client} %{WORD:method} %{URIPATHPARAM:url} %{NUMBER:bytes:int}'}
  - parse: {expr: url, into: url, as: url}
  - parse: {expr: at, as: {type: timestamp, formats: [iso8601, ms, "%d/%b/%Y:%H:%M:%S %z"]}}
```
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from msgspec import field

from wire.core.config import Config, Expression, doc
from wire.core.plugins import Plugin
from wire.pipelines.expressions import Parsed
from wire.pipelines.expressions.tree import Field
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.json import AsJson
from wire.pipelines.transforms.parse.key_value import AsKeyValue
from wire.pipelines.transforms.parse.reading import Fields, Reading, Several, Value, as_mapping, objects_only, or_null
from wire.pipelines.transforms.parse.regex import AsRegex
from wire.pipelines.transforms.parse.timestamp import AsTimestamp
from wire.pipelines.transforms.parse.url import AsUrl
from wire.pipelines.transforms.parse.user_agent import AsUserAgent


class ParseConfig(Config, frozen=True, kw_only=True):
    """What to take apart, how, and where the parts go."""

    expr: Annotated[Expression, doc("Computes the text; mostly the name of a field.")]
    as_: Annotated[
        AsJson | AsKeyValue | AsRegex | AsTimestamp | AsUrl | AsUserAgent,
        doc("What the text is: a kind by its name alone (`as: json`) or with its settings."),
    ] = field(name="as")
    into: Annotated[str | None, doc("A field for everything that is found.")] = None
    on_error: Annotated[
        Literal["fail"] | None, doc("`fail` the record, or put `null` in place of what can't be found.")
    ] = "fail"


@dataclass(frozen=True, slots=True)
class Parse:
    """Takes text apart. `into` is the field for the result, None where its parts become fields of the record."""

    expr: Parsed
    reading: Reading
    into: str | None
    lenient: bool

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        match self.reading:
            case Value() if isinstance(self.expr.node, Field) and self.expr.node.name == self.into:
                builder.replace(self.into, self._read(builder, self.reading.read))
            case Value():
                builder.assign(str(self.into), self._read(builder, self.reading.read))
            case Fields() if self.into is None:
                self._emit_fields(builder, self.reading)
            case Several() if self.into is None:
                found = self._read(builder, objects_only(self.reading.read))
                builder.rewrite(f"{builder.constant(_with)}({builder.whole()}, {found})")
            case Fields() | Several() as reading:
                found = self._read(builder, as_mapping(reading) if isinstance(reading, Fields) else reading.read)
                builder.promise_json(found)
                builder.assign(str(self.into), found)

    def _emit_fields(self, builder: Builder, reading: Fields) -> None:
        found = self._read(builder, reading.read)
        values = [builder.local() for _ in reading.names]
        builder.statement(f"{', '.join(values)}, = {found} or {builder.constant((None,) * len(values))}")
        for name, value in zip(reading.names, values, strict=True):
            builder.promise_json(value)
            builder.assign(name, value)

    def _read(self, builder: Builder, read: Any) -> str:
        """Return the local that holds what was found, None for NULL."""
        text = builder.evaluate(self.expr)
        function = builder.constant(or_null(read) if self.lenient else read)
        return builder.compute(f"None if {text} is None else {function}({text})")


def _with(record: dict[str, Any], found: dict[str, Any] | None) -> dict[str, Any]:
    return {**record, **found} if found else dict(record)


def build(config: ParseConfig, context: TransformContext) -> Parse:
    """Make the transform."""
    expr, into = context.parse(config.expr, "expr"), config.into
    reading = config.as_.reading(context)
    if isinstance(reading, Value) and into is None:
        if not isinstance(expr.node, Field):
            raise context.mistake("`into` is needed where the text is computed", "name a field for the result", "into")
        into = expr.node.name
    return Parse(expr, reading, into, config.on_error is None)


PLUGIN = Plugin(
    kind="transform",
    summary="Take text apart into fields: JSON, key=value, patterns, URLs, user agents, timestamps.",
    config=ParseConfig,
    build=build,
    example="parse: {expr: message, as: json}",
)
