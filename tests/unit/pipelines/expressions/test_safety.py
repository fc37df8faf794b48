"""I10: no expression reaches Python, and none costs more than it should."""

from __future__ import annotations

import ast
import contextlib
import datetime as dt
import itertools
import math
import random
import time
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.core.errors import RecordError
from wire.pipelines.expressions import ExpressionError, FunctionScope, compile_expression, emit, emit_predicate, parse
from wire.pipelines.expressions.functions.table import FUNCTIONS
from wire.pipelines.expressions.kinds import kinds_of
from wire.pipelines.expressions.values import Interval, kind_of

NASTY = [
    "x'); import os; ('", "__class__", "__import__('os')", "a\nb", "a'b", 'a"b', "a\\", "\\'", "{x}", "{0}", "%s",
    "\x00", "\u2028", "\U0001d4b6", "\uff41", "d.get('y')", "').__class__.__mro__[1]('", "a]b", "a\u202eb", "#", "t1_",
    "c0_", "record", "None", "\ud800",
]  # fmt: skip


def test_python_is_not_reached() -> None:
    for text in (
        "__import__('os')", "__import__('os').system('id')", "().__class__", "a.__class__()", "open('/etc/passwd')",
        "eval('1')", "exec('1')", "lambda: 1", "a if b else c", "[x for x in a]", "f'{a}'", "getattr(a, 'b')",
        "a := 1", "globals()", "a; import os", "b'\\x00'", "print(1)", "vars()", "type(a)", "a.b()", "@a.b()",
    ):  # fmt: skip
        with pytest.raises(ExpressionError):
            parse(text)


def test_a_dunder_name_is_only_a_field() -> None:
    assert compile_expression("a.__class__")({"a": {"__class__": 5}}) == 5
    assert compile_expression("a.__class__")({"a": {}}) is None
    assert compile_expression("__class__")({"__class__": 1}) == 1
    with pytest.raises(RecordError):
        compile_expression("a.__class__")({"a": "text"})


@pytest.mark.parametrize("name", NASTY)
def test_a_name_or_text_is_never_code(name: str) -> None:
    quoted, literal = '"' + name.replace('"', '""') + '"', "'" + name.replace("'", "''") + "'"
    assert compile_expression(quoted)({name: 5}) == 5
    assert compile_expression(literal)({}) == name
    assert compile_expression(f"{quoted} = {literal}")({name: name}) is True
    assert compile_expression(f"a || {literal} || a")({"a": "-"}) == f"-{name}-"
    assert compile_expression(f"a.{quoted}")({"a": {name: 1}}) == 1
    assert compile_expression(f"{{{literal}: 1}}")({}) == {name: 1}
    assert compile_expression(f"CASE a WHEN {literal} THEN 1 END")({"a": name}) == 1
    assert compile_expression(f"a IN ({literal}, 'x')")({"a": name}) is True
    if name != "\ud800":
        assert compile_expression(f"replace(a, {literal}, '')")({"a": f"x{name}y"}) == "xy"


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.text(alphabet=st.characters(exclude_categories=[]), max_size=30))
def test_any_text_is_kept_as_it_is(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    assert compile_expression(f"[{quoted}, {quoted} || a, a || {quoted}]")({"a": "x"}) == [text, f"{text}x", f"x{text}"]


ALLOWED_NODES = (
    ast.Expression, ast.Load, ast.Store, ast.Constant, ast.Name, ast.NamedExpr, ast.IfExp, ast.BoolOp, ast.And, ast.Or,
    ast.Compare, ast.Call, ast.BinOp, ast.UnaryOp, ast.operator, ast.unaryop, ast.cmpop, ast.List, ast.Dict,
    ast.Attribute, ast.JoinedStr, ast.FormattedValue, ast.Subscript, ast.Slice, ast.Lambda, ast.arguments, ast.Tuple,
)  # fmt: skip
ALLOWED_ATTRIBUTES = {"__class__", "get", "isascii", "upper", "lower", "startswith", "endswith", "find"}


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_the_source_of_a_call_holds_only_what_we_write(function: str) -> None:
    count = FUNCTIONS[function].least - (1 if FUNCTIONS[function].meta else 0)
    plain = [name for name in NASTY if '"' not in name]
    names = ", ".join(f'"{name}"' for name in itertools.islice(itertools.cycle(plain), count))
    source = emit(parse(f"{function}({names})"), FunctionScope())
    for node in ast.walk(ast.parse(source, mode="eval")):
        assert isinstance(node, ALLOWED_NODES), ast.dump(node)
        assert not isinstance(node, ast.Attribute) or node.attr in ALLOWED_ATTRIBUTES


NESTS: dict[str, Callable[[int], str]] = {
    "parentheses": lambda n: "(" * n + "x" + ")" * n,
    "calls": lambda n: "substring(" * n + "x" + ", 1, 2)" * n,
    "sums": lambda n: "x + (" * n + "x" + ")" * n,
    "chain": lambda n: "x" + " + x" * n,
    "cases": lambda n: "CASE WHEN x THEN y ELSE " * n + "z" + " END" * n,
    "conditions": lambda n: "CASE WHEN " * n + "x" + " THEN y END" * n,
    "subjects": lambda n: "CASE " * n + "x" + " WHEN y THEN z END" * n,
    "defaults": lambda n: "CASE x WHEN y THEN z ELSE " * n + "x" + " END" * n,
    "not": lambda n: "NOT " * n + "x",
    "minus": lambda n: "- " * n + "x",
    "between": lambda n: "(" * n + "x" + " BETWEEN y AND z)" * n,
    "lists": lambda n: "[" * n + "x" + "]" * n,
    "structs": lambda n: "{'a': " * n + "x" + "}" * n,
    "indexes": lambda n: "x[" * n + "y" + "]" * n,
    "paths": lambda n: "x" + ".a" * n,
    "casts": lambda n: "x" + "::INT" * n,
    "tries": lambda n: "TRY(" * n + "x" + ")" * n,
    "mixed": lambda n: "x AND (y OR (" * (n // 2) + "x" + "))" * (n // 2),
    "in": lambda n: "x IN (" * n + "y" + ")" * n,
    "coalesce": lambda n: "coalesce(x, " * n + "y" + ")" * n,
}


@pytest.mark.parametrize("nest", NESTS)
@pytest.mark.parametrize("depth", [5, 30, 39, 200, 2000])
def test_nesting_compiles_or_is_refused(nest: str, depth: int) -> None:
    refused: ExpressionError | None
    try:
        parsed = parse(NESTS[nest](depth))
    except ExpressionError as exc:
        refused = exc
    else:
        refused = None
    if refused:
        assert (refused.code, depth > 30) == ("expression.too_complex", True)
        return
    for write in (emit, emit_predicate):
        compile(
            f"def f(d):\n  for d in d:\n    try:\n      x = [({write(parsed, FunctionScope())})]\n    except E: 0",
            "",
            "exec",
        )


@pytest.mark.parametrize("word", [" AND ", " OR ", " || "])
def test_long_chains_are_no_nesting(word: str) -> None:
    text = word.join(["x"] * 500)
    assert compile_expression(text)({"x": "1"}) in (True, "1" * 500)


def test_an_expression_has_a_greatest_length() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("x" * 20_001)
    assert caught.value.code == "expression.too_complex"


def test_a_deep_caller_can_still_parse() -> None:
    def descend(frames: int) -> object:
        return descend(frames - 1) if frames else parse("(" * 30 + "x" + ")" * 30)

    assert descend(600)


@pytest.mark.parametrize(
    ("text", "record"),
    [
        ("a ~ '(a+)+$'", {"a": "a" * 5000 + "b"}),
        ("a ~ '(a|aa)+$'", {"a": "a" * 5000 + "b"}),
        ("a ~ '(.*a){20}b'", {"a": "a" * 5000}),
        ("regexp_replace(a, '(a*)*b', 'x', 'g')", {"a": "a" * 2000}),
        ("a LIKE '%a%a%a%a%a%a%a%a%b'", {"a": "a" * 5000}),
        ("a LIKE b", {"a": "a" * 5000, "b": "%a_" * 300 + "b"}),
        ("a GLOB '*a*a*a*a*a*a*b'", {"a": "a" * 5000}),
        ("strptime(a, '%m%m%m%m%m%m%m%m%m%m%m%m%m%m%m%m%m%m%m%mx')", {"a": "1" * 30}),
        ("a::BIGINT", {"a": "1" * 100_000}),
        ("a::BIGINT", {"a": "1e999999999"}),
        ("a::DOUBLE", {"a": "1" * 100_000}),
        ("a::DECIMAL(38,10)", {"a": "1e999999"}),
        ("a::TIMESTAMP", {"a": " " * 100_000}),
        ("a::INTERVAL", {"a": "1 day " * 20_000}),
        ("a ** 100000", {"a": 10**15}),
        ("factorial(a)", {"a": 10**9}),
        ("a << b", {"a": 1, "b": 10**12}),
        ("repeat(a, 1000000000000)", {"a": "ab"}),
        ("lpad(a, 1000000000000, 'x')", {"a": "ab"}),
        ("replace(a, 'a', a)", {"a": "a" * 10_000}),
        ("regexp_replace(a, 'a', b, 'g')", {"a": "a" * 10_000, "b": "b" * 10_000}),
        ("levenshtein(a, a)", {"a": "a" * 100_000}),
        ("round(a, -1000000000)", {"a": 5}),
        ("round(a, 1000000000)", {"a": 5.5}),
        ("regexp_split_to_array(a, '')", {"a": "é" * 5000}),
    ],
)  # fmt: skip
def test_no_expression_costs_more_than_it_should(text: str, record: dict[str, object]) -> None:
    function = compile_expression(text)
    start = time.perf_counter()
    with contextlib.suppress(RecordError):
        function(record)
    assert time.perf_counter() - start < 5  # a bomb would take hours


@pytest.mark.parametrize("text", ["array_to_string(a, b)", "concat_ws(b, a[1], a[2], a[3], a[4])"])
def test_joining_makes_no_text_out_of_all_proportion(text: str) -> None:
    with pytest.raises(RecordError) as caught:
        compile_expression(text)({"a": ["x"] * 20, "b": "-" * 6_000_000})
    assert caught.value.code == "expression.overflow"


VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 7, 2**31, 2**63 - 1, -(2**63), 2**63, 10**30, 10**400, 0.0, 1.5, -2.5, 1e308, 5e-324,
    math.inf, -math.inf, math.nan, "", "a", "abc", "12", "1e400", "2013-01-01", "0001-01-01T00:00:00+23:00",
    "9999-12-31T23:59:59-23:00", "\ud800", "é", "%", "\\", "(", "$.a", "[1,2]", "x" * 1000, "day", "999999999999 years",
    "%Y", "%q", "+-inf", "2013-01-01 10:00:00.123+01",
    dt.date.min, dt.date.max, dt.datetime.min, dt.datetime.max, dt.datetime(2013, 1, 31, 10), dt.time.max,
    Interval(1, 2, 3), Interval(2**31 - 1, 2**31 - 1, 2**63 - 1), Decimal("1.5"), Decimal("-1e30"), b"", b"\xff\xfe",
    [], [1, 2], [None], ["a", 1, None, [1]], {}, {"a": 1}, {"a": None, "b": [1]}, (1, 2), object(),
]  # fmt: skip
OPERATORS = [
    "x + y", "x - y", "x * y", "x / y", "x // y", "x % y", "x ** y", "x = y", "x < y", "x >= y", "x & y", "x << y",
    "x || y", "x LIKE y", "x ILIKE y", "x ~ y", "x GLOB y", "x -> y", "x ->> y", "x IS DISTINCT FROM y", "-x", "~x",
    "NOT x", "x AND y", "x IN (y, 1)", "x BETWEEN y AND 5", "CASE x WHEN y THEN 1 END", "x[y]", "x[y:]", "x.a", "x + 1",
    "x * 1.5", "1 - x", "x / 2", "x // 3", "x % 3", "x > 1", "x > 1.5", "x = 'a'", "x > '12'", "x > '2013-01-01'",
    "x IN (1, 2)", "x IN ('a', 'b')", "x || '-' || y", "x LIKE 'a%'", "INTERVAL (x) month", "TRY(x + y)", "x::BIGINT",
    "x::DOUBLE", "x::VARCHAR", "x::DATE", "x::TIMESTAMP", "x::TIMESTAMPTZ", "x::TIME", "x::INTERVAL",
    "x::DECIMAL(10,2)", "x::BOOLEAN", "x::FLOAT", "x::BLOB", "x::JSON", "x::BIGINT[]", "TRY_CAST(x AS HUGEINT)",
    "x IS TRUE",
]  # fmt: skip
CALLS = [
    f"{name}({', '.join('xyzuvw'[:count])})"
    for name, function in FUNCTIONS.items()
    if not function.meta
    for count in {function.least, len(function.args) + function.variadic}
]


@pytest.mark.parametrize("text", OPERATORS + CALLS)
def test_whatever_a_record_holds_only_a_record_error_comes_out(text: str) -> None:
    function, kinds = compile_expression(text), kinds_of(parse(text).node)
    chosen = random.Random(text)
    records = [{name: chosen.choice(VALUES) for name in "xyzuvw"} for _ in range(150)]
    records += [{"x": value, "y": value, "z": value} for value in VALUES]
    for record in records:
        with contextlib.suppress(RecordError):
            result = function(record)
            assert kind_of(result) & kinds, f"{text} gives {result!r}, which is none of {kinds!r}"
