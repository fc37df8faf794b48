"""The compiled stage against a dumb interpreter that applies one transform after the other to dicts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jsonschema
from hypothesis import event, given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.transforms.kit import JSON, run, stage, written
from wire.core.config import Expression
from wire.core.errors import RecordError
from wire.pipelines.codecs.json import encode
from wire.pipelines.expressions import compile_expression
from wire.pipelines.plan import OutputPlan

Row = dict[str, Any]
Transform = dict[str, Any]

FIELDS = ["a", "b", "c", "d"]
CONDITIONS = [
    "{0} > 1",
    "{0} IS NULL OR {1} IS NOT NULL",
    "{0} = {1}",
    "NOT ({0} < 2 AND {1} < 2)",
    "CAST({0} AS BIGINT) < 9",
]
VALUES = [
    "{0}",
    "{0} + 1",
    "coalesce({0}, {1})",
    "{0} || 'x'",
    "upper(CAST({0} AS VARCHAR))",
    "7",
    "{0}.n",
    "[{0}, {1}]",
    "{{'n': {0}}}",
    "TIMESTAMP '2013-01-01 00:00:00'",
    "INTERVAL 1 DAY",
    "CAST({0} AS DOUBLE)",
    "NULL",
]

fields = st.sampled_from(FIELDS)


def expression(templates: Sequence[str]) -> st.SearchStrategy[str]:
    return st.builds(lambda template, *names: template.format(*names), st.sampled_from(templates), fields, fields)


class Select(NamedTuple):
    """A select list: what `*` leaves out (None without a `*`), and the named items as (expression, name)."""

    gone: list[str] | None
    items: list[tuple[str, str]]


selects = st.builds(
    Select,
    st.none() | st.lists(fields, max_size=2, unique=True),
    st.lists(st.tuples(expression(VALUES), fields), min_size=1, max_size=3, unique_by=lambda item: item[1]),
)


def as_written(step: Transform) -> Transform:
    """Return a transform as YAML has it."""
    ((name, config),) = step.items()
    if not isinstance(config, Select):
        return {name: config}
    star = [] if config.gone is None else [f"* EXCLUDE ({', '.join(config.gone)})" if config.gone else "*"]
    return {name: ", ".join([*star, *(f"{source} AS {alias}" for source, alias in config.items)])}


renames = st.dictionaries(fields, fields, min_size=1).filter(lambda names: len(set(names.values())) == len(names))
transforms = st.lists(
    st.one_of(
        expression(CONDITIONS).map(lambda text: {"filter": text}),
        selects.map(lambda config: {"select": config}),
        st.lists(st.sampled_from([*FIELDS, "a.n", "b.n"]), min_size=1, max_size=2).map(lambda names: {"drop": names}),
        renames.map(lambda names: {"rename": names}),
        st.dictionaries(fields, st.sampled_from(["bigint", "varchar", "double"]), min_size=1, max_size=2).map(
            lambda types: {"cast": {name: {"type": kind, "on_error": None} for name, kind in types.items()}}
        ),
        st.just({"python": f"{__name__}:without_c"}),
        st.sampled_from(
            [
                {"flatten": {"arrays": "index"}},
                {"unflatten": {"arrays": "keep"}},
                {"validate": {"schema": {"properties": {"a": {"type": ["integer", "null", "object"]}}}}},
                {"parse": {"expr": "b", "as": "json", "on_error": None}},
                {"parse": {"expr": "c", "as": "json", "into": "d"}},
            ]
        ),
    ),
    max_size=5,
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 10)
    | st.sampled_from(["x", "2", "", "ü", '{"a": {"n": 2}}'])
    | st.just(1.5)
)
records = st.none() | st.dictionaries(
    st.sampled_from([*FIELDS, "e"]), scalars | st.fixed_dictionaries({"n": scalars}) | st.lists(scalars, max_size=2)
)


def without_c(rows: list[Row]) -> list[Row | None]:
    """Drop rows without any of the fields, poison those where `d` is 3, take `c` away from the others."""
    if any(row.get("d") == 3 and row["d"] is not True for row in rows):
        raise ValueError("three")
    return [{name: value for name, value in row.items() if name != "c"} if row else None for row in rows]


# the dumb interpreter: one record, one transform at a time; None is a record that was dropped


def interpret(steps: Sequence[Transform], row: Row) -> Row | None:
    current: Row | None = row
    for step in steps:
        ((name, config),) = step.items()
        if current is not None:
            current = INTERPRETERS[name](config, current)
    return current


def do_filter(text: str, row: Row) -> Row | None:
    return row if compile_expression(text)(row) is True else None


def do_select(config: Select, row: Row) -> Row:
    kept = {} if config.gone is None else {name: value for name, value in row.items() if name not in config.gone}
    return kept | {name: compile_expression(source)(row) for source, name in config.items}


def do_drop(names: Sequence[str], row: Row) -> Row:
    for path in names:
        name, _, inner = path.partition(".")
        if not inner:
            row = {key: value for key, value in row.items() if key != name}
        elif isinstance(row.get(name), dict):
            row = {**row, name: {key: value for key, value in row[name].items() if key != inner}}
    return row


def do_rename(names: Mapping[str, str], row: Row) -> Row:
    kept = {name: value for name, value in row.items() if name not in names and name not in names.values()}
    return kept | {new: row[old] for old, new in names.items() if old in row}


def do_cast(types: Mapping[str, Any], row: Row) -> Row:
    for name, target in types.items():
        if name in row:
            row = {**row, name: compile_expression(f"TRY_CAST({name} AS {target['type']})")(row)}
    return row


def do_python(_: str, row: Row) -> Row | None:
    try:
        return without_c([row])[0]
    except ValueError as exc:
        raise RecordError("transform.python.failed") from exc


def do_flatten(_: Any, row: Row) -> Row:
    flat: Row = {}
    for name, value in row.items():
        for path, leaf in leaves(name, value):
            if path in flat:
                raise RecordError("transform.flatten.conflict")
            flat[path] = leaf
    return flat


def leaves(name: str, value: Any) -> list[tuple[str, Any]]:
    if value and value.__class__ in (dict, list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [leaf for part, inner in items for leaf in leaves(f"{name}.{part}", inner)]
    return [(name, value)]


def do_unflatten(_: Any, row: Row) -> Row:
    deep: Row = {}
    made = [deep]
    for name, value in row.items():
        *outer, last = name.split(".")
        inside = deep
        for part in outer:
            if part not in inside:
                inside[part] = {}
                made.append(inside[part])
            inside = inside[part]
            if not any(inside is one for one in made):
                raise RecordError("transform.unflatten.conflict")
        if last in inside:
            raise RecordError("transform.unflatten.conflict")
        inside[last] = value
    return deep


def do_validate(config: Any, row: Row) -> Row:
    if not jsonschema.Draft202012Validator(config["schema"]).is_valid(json.loads(encode(row))):
        raise RecordError("transform.validate.failed")
    return row


def do_parse(config: Any, row: Row) -> Row:
    text = row.get(config["expr"])
    found = None
    if text is not None:
        try:
            found = json.loads(text)
        except ValueError:
            found = RecordError("transform.parse.invalid")
        except TypeError:
            found = RecordError("transform.parse.not_text")
    if "into" in config:
        if isinstance(found, RecordError):
            raise found
        return {**row, config["into"]: found}
    return row | found if isinstance(found, dict) else row


INTERPRETERS: dict[str, Any] = {
    "filter": do_filter,
    "select": do_select,
    "drop": do_drop,
    "rename": do_rename,
    "cast": do_cast,
    "python": do_python,
    "flatten": do_flatten,
    "unflatten": do_unflatten,
    "validate": do_validate,
    "parse": do_parse,
}


def expected(steps: Sequence[Transform], when: str | None, row: Row | None) -> Any:
    """Return what a sink should get, as JSON shows it; `DROPPED`, or the code of a failure."""
    if row is None:
        return None  # a tombstone passes everything that reads fields
    try:
        result = interpret(steps, row)
        if result is None or (when and compile_expression(when)(result) is not True):
            return DROPPED
        return json.loads(encode(result))
    except RecordError as exc:
        return exc.code


DROPPED = "dropped"


@settings(deadline=None, max_examples=400)
@given(transforms, st.lists(records, max_size=6), st.none() | expression(CONDITIONS[:4]))
def test_the_compiled_stage_does_what_the_transforms_do_one_by_one(
    steps: list[Transform], rows: list[Row | None], when: str | None
) -> None:
    output = OutputPlan("out", JSON, None if when is None else Expression(when), {"id": Expression("meta_offset()")})
    result = run(stage(*map(as_written, steps), outputs=[output]), *rows)
    wanted = [expected(steps, when, row) for row in rows]
    failed = dict(result.failures)
    written_rows = iter(written(result))
    offsets = iter((result.outputs[0].columns or {})["id"])
    for index, want in enumerate(wanted):
        if index in failed:
            assert want == failed[index].code
        elif want != DROPPED:
            assert next(written_rows) == want
            assert next(offsets) == 10 * index
    assert list(written_rows) == []
    assert result.filtered == wanted.count(DROPPED)
    event(f"failures: {bool(failed)}, dropped: {bool(result.filtered)}")


@settings(deadline=None, max_examples=200)
@given(
    transforms,
    st.lists(records | st.sampled_from([b"", b"{", b"[]", b'{"a": "\xff"}']), max_size=6),
    st.lists(st.none() | expression(CONDITIONS), min_size=1, max_size=3),
    st.sampled_from(["{0}", "CAST({0} AS BIGINT)"]),
)
def test_every_record_is_accounted_for_exactly_once(
    steps: list[Transform], rows: list[Any], conditions: list[str | None], key: str
) -> None:
    outputs = [
        OutputPlan(f"out{i}", JSON, None if when is None else Expression(when), {"key": Expression(key.format("a"))})
        for i, when in enumerate(conditions)
    ]
    result = run(stage(*map(as_written, steps), outputs=outputs), *rows)
    sent = {record.offset // 10 for out in result.outputs for record in out.records}
    failed = [index for index, _ in result.failures]
    assert len(set(failed)) == len(failed)
    assert not sent & set(failed)
    assert len(sent) + len(failed) + result.filtered == len(rows)
    for out in result.outputs:
        assert [record.offset for record in out.records] == sorted({record.offset for record in out.records})
        assert len((out.columns or {})["key"]) == len(out.records)
