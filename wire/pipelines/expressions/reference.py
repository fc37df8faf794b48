"""The reference page of the expression language, made from the tables the language runs on."""

# ruff: noqa: E501 (rows of a Markdown table)

from __future__ import annotations

from wire.pipelines.expressions.casts import SIMPLE
from wire.pipelines.expressions.functions.table import SECTIONS
from wire.pipelines.expressions.tree import Function

_HEAD = """\
# Expressions

*Made by `make docs` from the tables the language runs on. Change those, not this page.*

Filters, selects, keys, ids and paths are SQL expressions over one record, with DuckDB's semantics. They are read when
a pipeline is checked, so that a mistake is reported with its column, and compiled to Python before the first record.

```yaml
transforms:
  - filter: "dep_delay > 15 AND carrier IN ('UA', 'AA')"
  - select: "*, dep_delay * 60 AS delay_s, upper(carrier) AS carrier, meta.tags[1] AS first_tag"
```

## Fields and values

- `name` is a field of the record; `"a name"` one whose name is not a plain word. Names match exactly, in case too.
  A field the record does not have is NULL.
- `a.b.c`, `a['b']` and `list[1]` reach into nested values. Lists count from 1, negative from the end; `list[2:3]` is a
  slice with both ends. What is not there is NULL.
- JSON's values have these types: BOOLEAN, BIGINT (HUGEINT beyond 64 bits), DOUBLE, VARCHAR, LIST, STRUCT. A cast or a
  function gives the others: DATE, TIME, TIMESTAMP (without time zone, always UTC), INTERVAL, DECIMAL, BLOB. Written to
  JSON, DECIMAL becomes a number and the rest text.
- Literals: `1`, `1.5` and `1e3` (both DOUBLE), `'text'` with `''` for a quote, `true`, `NULL`, `[1, 2]`, `{'a': 1}`,
  `DATE '2013-01-01'`, `TIMESTAMP '2013-01-01 10:00:00'`, `INTERVAL 5 minutes`.

## Operators

From the loosest to the tightest:

| Operators | |
|---|---|
| `OR` | NULL OR TRUE is TRUE |
| `AND` | NULL AND FALSE is FALSE |
| `NOT` | |
| `IS [NOT] NULL`, `IS [NOT] TRUE`, `IS [NOT] FALSE`, `IS [NOT] DISTINCT FROM` | never NULL |
| `=` `<>` `!=` `<` `<=` `>` `>=` | NULL on either side gives NULL; nan equals nan and is the greatest number |
| `[NOT] BETWEEN a AND b`, `[NOT] IN (…)`, `[NOT] LIKE`, `ILIKE`, `SIMILAR TO`, `GLOB`, `~`, `!~` | `LIKE … ESCAPE '#'`; `SIMILAR TO` fits the whole text, `~` a part |
| `->` `->>` | what is at a JSON path, as a value and as text |
| <code>&#124;&#124;</code> `&` <code>&#124;</code> `<<` `>>` `^@` | join as text, or lists; bits; starts with |
| `+` `-` | also DATE and TIMESTAMP with INTERVAL, and DATE with days |
| `*` `/` `//` `%` | `/` is always DOUBLE, ±inf or nan for a zero; `//` and `%` round towards zero and fail on an integer zero |
| `**` `^` | power, DOUBLE |
| `-x` `~x` `@x` | sign, bits inverted, absolute value |
| `x::type` `x[…]` `x.name` | |

BIGINT results beyond 64 bits are an error. Comparing BIGINT with DOUBLE compares as DOUBLE. A text literal becomes the
type it is compared with: `dep_delay > '15'`.

`CASE WHEN … THEN … ELSE … END`, `CASE x WHEN … THEN … END`, `if(condition, then, else)`, `coalesce(a, b, …)`,
`ifnull(a, b)` and `TRY(x)`, which is NULL where x fails, evaluate only what they need.

## A record that fails

An expression that can't be computed for a record (an overflow, text that is no number, a function over the wrong type)
fails that record alone: it goes to the dead letters with one of these codes, the pipeline goes on.

| Code | |
|---|---|
| `expression.cast` | a value can't be converted; `TRY_CAST` gives NULL instead |
| `expression.domain` | an argument is outside what the function is defined for, such as an integer division by zero |
| `expression.overflow` | a result does not fit its type, or text grows beyond 16 MiB |
| `expression.type_mismatch` | an operator or function does not take a value of this type |

## Where Wire differs from DuckDB

DuckDB knows every column's type before it starts; Wire meets each value as it comes.

- Types are checked per record, and a result has the type of the value it came from: `coalesce(a, b)` is BIGINT for
  one record and DOUBLE for the next if the fields are. `typeof(NULL)` is `NULL`. All integers are BIGINT.
- `1.5` is DOUBLE, not DECIMAL. `CAST(x AS DECIMAL(10,2))` gives exact numbers.
- JSON has no timestamps: where a function or comparison wants a TIMESTAMP, text is read as ISO 8601 and converted to
  UTC by its offset. `CAST(text AS TIMESTAMP)` ignores an offset, as in DuckDB; `CAST(text AS TIMESTAMPTZ)` converts by
  it, to a TIMESTAMP in UTC. Years run from 1 to 9999.
- A struct's field that is not there is NULL, and `->` gives a value rather than JSON text. `CAST(text AS JSON)` parses.
- AND, OR, CASE and the like stop at what decides: the rest can't fail. A constant part that can't be computed, such as
  `1 // 0`, is refused when the expression is read, wherever it stands.
- `upper` and `lower` go character by character; `reverse` keeps accents with their letters but knows no emoji sequences.
- Subqueries, aggregates, windows, lambdas, parameters and time zones other than UTC are refused; so is what nests
  deeper than 32 brackets or is longer than 20,000 characters.

## Types

`CAST(x AS type)`, `x::type`, and `TRY_CAST`, which gives NULL where the conversion fails:
"""


def reference() -> str:
    """Return the reference page as Markdown."""
    types = ", ".join(f"`{name}`" for name in (*SIMPLE, "DECIMAL(p,s)"))
    sections = [_section(name, functions) for name, functions in SECTIONS.items()]
    return f"{_HEAD}\n{types}, and a list of any of them: `BIGINT[]`.\n\n" + "\n".join(sections)


def _section(name: str, functions: tuple[Function, ...]) -> str:
    rows = "".join(f"| {_signature(function)} | {_text(function)} | {_example(function)} |\n" for function in functions)
    return f"## {name}\n\n| Function | | Example |\n|---|---|---|\n{rows}"


def _signature(function: Function) -> str:
    names = [arg.name for arg in function.args][1 if function.meta else 0 :]
    if function.variadic:
        names.append("…")
    least = function.least - (1 if function.meta else 0)
    shown = [name if index < least or name == "…" else f"[{name}]" for index, name in enumerate(names)]
    return f"`{function.name}({', '.join(shown)})`"


def _text(function: Function) -> str:
    aliases = ", ".join(f"`{alias}`" for alias in function.aliases)
    return _cell(f"{function.doc} Also {aliases}." if aliases else function.doc)


def _example(function: Function) -> str:
    return _cell("`{}` → `{}`".format(*function.example)) if function.example else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
