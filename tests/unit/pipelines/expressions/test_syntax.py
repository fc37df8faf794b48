"""Reading: what is refused, with which code and at which column; which fields are read; select lists."""

from __future__ import annotations

import subprocess
import sys

import pytest

from wire.pipelines.expressions import ExpressionError, parse, parse_select

MISTAKES = [
    ("", "expression.syntax", 1),
    ("   ", "expression.syntax", 1),
    ("a +", "expression.syntax", 4),
    ("(a", "expression.syntax", 3),
    ("a b", "expression.syntax", 3),
    ("a > 1 ANDD b", "expression.syntax", 7),
    ("a)", "expression.syntax", 2),
    ("a; b", "expression.syntax", 2),
    ("'abc", "expression.syntax", 1),
    ("a = 'x", "expression.syntax", 5),
    ("select 1", "expression.syntax", 1),
    ("1 < 2 < 3", "expression.syntax", 9),
    ("~a + 1", "expression.syntax", 2),
    ("a ->> 'b' || 'c'", "expression.syntax", 1),
    ("{'a'}", "expression.syntax", 2),
    ("a[1, 2]", "expression.syntax", 1),
    ("a IS 5", "expression.syntax", 6),
    (":x", "expression.syntax", 1),
    ("  uper(carrier)", "expression.unknown_function", 3),
    ("a + foo(b)", "expression.unknown_function", 5),
    ("a::foo", "expression.unknown_type", 1),
    ("CAST(a AS STRUCT(b INT))", "expression.unknown_type", 6),
    ("a + upper(b, c)", "expression.wrong_arguments", 5),
    ("round()", "expression.wrong_arguments", 1),
    ("now(1)", "expression.wrong_arguments", 1),
    ("upper(5)", "expression.wrong_arguments", 7),
    ("a + 'b'", "expression.wrong_arguments", 5),
    ("-'b'", "expression.wrong_arguments", 2),
    ("regexp_matches(a, '(')", "expression.wrong_arguments", 19),
    ("regexp_matches(a, '(?=x)')", "expression.wrong_arguments", 19),
    ("a ~ '(a)\\1'", "expression.wrong_arguments", 5),
    ("strftime(a, '%q')", "expression.wrong_arguments", 13),
    ("date_trunc('moth', a)", "expression.wrong_arguments", 12),
    ("year('tomorrow')", "expression.wrong_arguments", 6),
    ("{'a': 1, 'a': 2}", "expression.wrong_arguments", 7),
    ("1 // 0", "expression.domain", 1),
    ("a + 'x'::INT", "expression.cast", 5),
    ("9223372036854775807 + 1", "expression.overflow", 1),
    ("9" * 50, "expression.overflow", 1),
    ("sum(a)", "expression.not_allowed", 1),
    ("count(*)", "expression.not_allowed", 1),
    ("a > (SELECT 1)", "expression.not_allowed", 13),
    ("EXISTS(SELECT 1)", "expression.not_allowed", 15),
    ("a IN (SELECT 1)", "expression.not_allowed", 1),
    ("row_number() OVER ()", "expression.not_allowed", 1),
    ("a = ?", "expression.not_allowed", 1),
    ("a = $1", "expression.not_allowed", 1),
    ("list_transform(a, x -> x + 1)", "expression.not_allowed", 19),
    ("a.upper()", "expression.not_allowed", 3),
    ("*", "expression.not_allowed", 1),
    ("a.*", "expression.not_allowed", 1),
    ("(a, b)", "expression.not_allowed", 2),
    ("a AT TIME ZONE 'UTC'", "expression.not_allowed", 1),
]


@pytest.mark.parametrize(("text", "code", "column"), MISTAKES)
def test_a_mistake_is_refused_with_its_code(text: str, code: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.code == code
    if column > 1 or code != "expression.not_allowed":
        assert (caught.value.line, caught.value.column) == (1, column), str(caught.value)


def test_the_line_is_counted_in_a_text_of_several_lines() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("a > 1\n  AND b\n  ANDD c")
    assert (caught.value.line, caught.value.column) == (3, 3)


@pytest.mark.parametrize("text", [text for text, _, _ in MISTAKES])
def test_every_mistake_comes_with_a_hint(text: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "column"), [("a,, b", 3), (", a", 1), ("a AS, b", 5), ("a AS", 5), ("coalesce(a,, b)", 12)]
)
def test_nothing_is_made_of_what_is_not_there(text: str, column: int) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_select(text)
    assert (caught.value.code, caught.value.column) == ("expression.syntax", column)
    assert [item.name for item in parse_select("a, b,")] == ["a", "b"], "as in DuckDB"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("uper(a)", "did you mean upper?"),
        ("regexp_match(a, 'b')", "did you mean regexp_matches?"),
        ("a::bigintt", "did you mean bigint?"),
        ("1 < a < 3", "write a < b AND b < c"),
        ("a.upper()", "write upper(a, …)"),
        ("a > 1 ANDD b", "did you mean AND?"),
        ("f((a)", "close `(` with `)`"),
        ("CASE WHEN a THEN 1", "close `CASE` with `END`"),
        ("a >", "write what comes after `>`, or take it away"),
        ("a)", "take it away, or open what `)` is to close"),
        ("a, b", "take it away; only a select list and what is in brackets have several parts"),
        ("select a", "write the expression alone, without SELECT"),
    ],
)
def test_the_hint_fits_the_mistake(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert caught.value.hint == hint


def test_unsupported_words_are_not_mistaken_for_python() -> None:
    with pytest.raises(ExpressionError):
        parse("a if b else c")
    with pytest.raises(ExpressionError):
        parse("a ** b ** c ***d")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("1", set()),
        ("a", {"a"}),
        ("a + b * a", {"a", "b"}),
        ("a.b.c.d.e.f", {"a"}),
        ("a['b'][c]", {"a", "c"}),
        ("CASE WHEN a THEN b ELSE upper(c) END", {"a", "b", "c"}),
        ("x IN (y, 1) AND z BETWEEN v AND w", {"v", "w", "x", "y", "z"}),
        ("[a, {'k': b}]", {"a", "b"}),
        ("TRY(a) || coalesce(b, c)", {"a", "b", "c"}),
        ('"a name" || "quo""te"', {"a name", 'quo"te'}),
        ("Value + value + VALUE", {"Value", "value", "VALUE"}),
        ("date + timestamp + key + offset + value", {"date", "timestamp", "key", "offset", "value"}),
        ("meta_key() || header('x') || now()", set()),
    ],
)  # fmt: skip
def test_the_fields_an_expression_reads(text: str, fields: set[str]) -> None:
    assert parse(text).fields == fields


def test_the_metadata_an_expression_reads() -> None:
    parsed = parse("meta_key() || meta_offset() || header('x') || a")
    assert parsed.metas == {"key", "offset", "headers"}


def test_a_select_list() -> None:
    items = parse_select("*, dep_delay * 60 AS delay_s, upper(carrier) AS carrier, a.b, c, d['e'].f")
    assert [item.name for item in items] == [None, "delay_s", "carrier", "b", "c", "f"]
    assert [sorted(item.expression.fields) if item.expression else None for item in items] == [
        None, ["dep_delay"], ["carrier"], ["a"], ["c"], ["d"],
    ]  # fmt: skip


def test_a_star_leaves_out_and_replaces() -> None:
    (star,) = parse_select('* EXCLUDE (a, "B b") REPLACE (c + 1 AS c, 2 AS d)')
    assert star.exclude == {"a", "B b"}
    assert [(name, sorted(parsed.fields)) for name, parsed in star.replace] == [("c", ["c"]), ("d", [])]
    (bare,) = parse_select("* EXCLUDE a")
    assert bare.exclude == {"a"}


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("a, b + 1", "expression.no_name", 4),
        ("a, a", "expression.duplicate_name", 4),
        ("*, *", "expression.duplicate_name", None),
        ("a, b AS a", "expression.duplicate_name", None),
        ("a FROM t", "expression.not_allowed", None),
        ("a WHERE b > 1", "expression.not_allowed", None),
        ("a ORDER BY b", "expression.not_allowed", None),
        ("DISTINCT a", "expression.not_allowed", None),
        ("a LIMIT 5", "expression.not_allowed", None),
        ("* RENAME (a AS b)", "expression.not_allowed", None),
        ("t.*", "expression.not_allowed", None),
        ("sum(a) AS s", "expression.not_allowed", 1),
        ("a, uper(b) AS c", "expression.unknown_function", 4),
        ("a; b", "expression.syntax", None),
        ("", "expression.syntax", 1),
    ],
)
def test_a_select_list_that_is_refused(text: str, code: str, column: int | None) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_select(text)
    assert caught.value.code == code
    assert column is None or caught.value.column == column


def test_nothing_heavy_is_imported_before_the_first_expression() -> None:
    code = "import sys, wire.pipelines.expressions; print(sorted({'sqlglot', 'duckdb'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
