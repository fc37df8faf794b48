"""Documents: what YAML and JSON become, and what is said of text that is neither."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.core.errors import ConfigError, Finding
from wire.pipelines import document
from wire.pipelines.document import Document


def fault(text: str) -> tuple[int | None, int | None, str, str | None]:
    with pytest.raises(ConfigError) as caught:
        document.parse(text)
    finding = caught.value.findings[0]
    assert finding.code == "config.syntax"
    return finding.line, finding.column, finding.message, finding.hint


QUOTE = "put the whole value in quotes"
ONE_PAIR = "put the whole value in one pair of quotes, and check that the quotes in the lines above are closed"
OWN_FIELDS = "a field's own fields are indented below a line that ends in `:`"
NOT_UNDER = "this line does not belong to the one above, which is complete or lacks its `:`"


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        ("a:\n\tb: 1", 2, 1, "a tab can't be used to indent", "indent with spaces"),
        ("a:\n  - b: 1\n\t- c", 3, 1, "a tab can't be used to indent", "indent with spaces"),
        ("a: 'x\nb: 1\n", 1, 4, "the quote that opens here is never closed", None),
        ('a: "x', 1, 4, "the quote that opens here is never closed", None),
        ("filter: 'x' = 3", 1, 13, "there is text after the closing quote", ONE_PAIR),
        ('filter: "x\nselect: "y"', 2, 10, "there is text after the closing quote", ONE_PAIR),
        ("select: *, a", 1, 9, "a value can't start with `*` here", QUOTE),
        ("select: *", 1, 9, "a value can't start with `*` here", QUOTE),
        ("a: *b", 1, 4, "`*b` refers to an anchor that is not defined above", None),
        ("a: &x [*x]", 1, 8, "`*x` refers to an anchor that is not defined above", None),
        ("filter: !flag", 1, 9, "tags such as `!flag` are not allowed", None),
        ("a: !!python/object/apply:os.system [ls]", 1, 4, None, None),
        ("a: @x", 1, 4, "a value can't start with `@`", QUOTE),
        ("a: %x", 1, 4, "a value can't start with `%`", QUOTE),
        ("a: b: c", 1, 5, "this line has a second `: `", "put a value that contains `: ` in quotes"),
        ("a: 1\n b: 2", 2, 3, NOT_UNDER, OWN_FIELDS),
        ("a\nb: 1", 2, 2, NOT_UNDER, OWN_FIELDS),
        ("a: 1\nb\nc: 2", 2, 1, "this line has no `: `", None),
        ("a:\n  b: 1\n c: 2", 3, 2, "this line is not indented like the lines it belongs to", None),
        ("- a\nb: 1", 2, 1, "expected another `- ` item of the list above", None),
        ("a: - b", 1, 4, "a list can't start here", None),
        ("a: [1, 2\nb: 3", 2, 2, "expected `,` or `]` in the list that opens in line 1", None),
        ("a: {x: 1\nb: 2", 2, 2, "expected `,` or `}` in the mapping that opens in line 1", None),
        ("topic: {{ name }}", 1, 9, "a key must be text", None),
        ('a: "\\q"', 1, 5, "this is not an escape that double quotes know", None),
        ("a: 1\n---\nb: 2", 2, 1, "a second document starts here", None),
        ("b: 2\na: \x07", 2, 4, "there is a control character (U+0007) here", None),
        ("\x00\x01\x02", 1, 1, "there is a control character (U+0000) here", None),
        ("a: " + "9" * 5000, 1, 4, "this number is too long", None),
        ("<<: 5", 1, 5, "`<<` takes a mapping, or a list of mappings", None),
        ('{"a": 1', 1, 8, "expecting ',' delimiter", None),
        ('{"a": 1 // comment\n}', 1, 9, "expecting ',' delimiter", None),
        ("a: \ud800", 1, 1, "the text holds half a character (a lone surrogate)", None),
    ],
)
def test_a_syntax_error_says_where_and_how_to_mend_it(
    text: str, line: int, column: int, message: str | None, hint: str | None
) -> None:
    found = fault(text)
    assert found[:2] == (line, column)
    assert message is None or found[2] == message
    assert hint is None or found[3] == hint


@pytest.mark.parametrize("text", ["[" * 50_000, "{" * 50_000, "- " * 50_000, "a: " + "[" * 5000, '{"a":' * 5000])
def test_deep_nesting_is_refused_before_it_hurts(text: str) -> None:
    fault(text)


def test_anchors_that_expand_without_end_are_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        bomb += f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n"
    assert fault(bomb)[2] == "this document holds more than 100,000 values"


def test_all_keys_given_twice_are_reported() -> None:
    with pytest.raises(ConfigError) as caught:
        document.parse("a: 1\nb: {c: 1, c: 2}\na: 3")
    assert [(f.code, f.path, f.line, f.column) for f in caught.value.findings] == [
        ("config.duplicate_key", "$.b.c", 2, 11),
        ("config.duplicate_key", "$.a", 3, 1),
    ]
    with pytest.raises(ConfigError):
        document.parse('{"a": 1, "a": 2}')


def test_scalars_follow_yaml_1_2() -> None:
    text = """
yes: no
on: [off, y, N]
date: 2013-01-01
time: 2013-01-01T10:00:00Z
null: ~
empty:
int: [0x1f, 010, +3, -4, 0o17]
float: [1e3, .5, 1., -2.5, .inf]
text: [1_000, 1:30, "5", '', !!str 7]
bool: [true, False]
5: five
"""
    assert document.parse(text).tree == {
        "yes": "no",
        "on": ["off", "y", "N"],
        "date": "2013-01-01",
        "time": "2013-01-01T10:00:00Z",
        "null": None,
        "empty": None,
        "int": [31, 10, 3, -4, 15],
        "float": [1000.0, 0.5, 1.0, -2.5, float("inf")],
        "text": ["1_000", "1:30", "5", "", "7"],
        "bool": [True, False],
        "5": "five",
    }


def test_anchors_and_merges() -> None:
    text = "base: &b {x: 1, y: 2}\na: {<<: *b, y: 3}\nc: {<<: [{z: 9}, *b]}\nd: *b"
    tree = document.parse(text).tree
    assert tree["a"] == {"y": 3, "x": 1}
    assert tree["c"] == {"z": 9, "x": 1, "y": 2}
    assert tree["d"] == {"x": 1, "y": 2}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "---\n...\n", "\ufeff"])
def test_an_empty_document_has_no_tree(text: str) -> None:
    assert document.parse(text).tree is None


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(), json_data), st.sampled_from([None, 2, "\t"]), st.booleans())
def test_json_is_read_as_json(data: Any, indent: int | str | None, ascii_only: bool) -> None:
    import json

    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    assert document.parse(text).tree == data


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab:,-*&!'\"[]{}|>#%@ \n\t01.~"), max_size=40))
def test_no_text_fails_otherwise_than_by_a_finding_with_a_place(text: str) -> None:
    findings: tuple[Finding, ...] = ()
    try:
        document.parse(text)
    except ConfigError as exc:
        findings = exc.findings
    assert all(finding.line and finding.column for finding in findings)


SCALARS = """\
plain: dep_delay > 15
single: 'it''s > 1'
double: "a\\u00e9\\t > 1"
literal: |
  one > 1

    two > 2
folded: >
  one > 1
list:
  - x
  - {expr: "y > 1"}
several: one
  two > 1
"""


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        ("$.plain", 1, 11),
        ("$.single", 1, 6),
        ("$.double", 1, 5),
        ("$.literal", 1, 5),
        ("$.literal", 3, 7),
        ("$.folded", 1, 5),
        ("$.list[1].expr", 1, 3),
    ],
)
def test_a_character_inside_a_value_is_found_in_the_file(path: str, line: int, column: int) -> None:
    read = document.parse(SCALARS)
    mark = read.inside(path, line, column)
    assert mark is not None
    assert read.lines[mark.line - 1][mark.column - 1] == ">"


def test_where_folding_hides_the_place_none_is_given() -> None:
    read = document.parse(SCALARS)
    assert read.inside("$.several", 1, 9) is None
    assert read.inside("$.list", 1, 1) is None
    assert read.inside("$.nowhere", 1, 1) is None


def test_positions_of_keys_and_values() -> None:
    read = document.parse("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n")
    assert read.position("$.a.b") == (2, 6)
    assert read.key_position("$.a.b") == (2, 3)
    assert read.position("$.a") == (1, 1), "a mapping below its key is shown at the key"
    assert read.position("$.a.c[0]") == (4, 7)
    assert read.position("$.a.c[1].zzz") == (5, 7)
    assert read.position("$.a.zzz.deeper") == (1, 1)


def test_positions_in_json() -> None:
    read = document.parse('{\n\t"a": {"b": [1,\n "x\\ud83d\\ude00 > y"]}}')
    assert read.position("$.a.b[0]") == (2, 14)
    assert read.key_position("$.a.b") == (2, 8)
    mark = read.inside("$.a.b[1]", 1, 4)
    assert mark is not None
    assert read.lines[mark.line - 1][mark.column - 1] == ">"


def test_values_are_set_on_top() -> None:
    read = document.parse("a: {b: 1}\nlist: [{x: 1}]\n")
    changed = read.with_values(["a.b=2", "a.c.d=[1, x]", "list.0.x=true", "list[0].y=", "new=a=b", "e={f: 1h}"])
    assert changed.tree == {
        "a": {"b": 2, "c": {"d": [1, "x"]}},
        "list": [{"x": True, "y": None}],
        "new": "a=b",
        "e": {"f": "1h"},
    }
    assert read.with_values(["list=[{x: 1}, [y]]"]).tree["list"] == [{"x": 1}, ["y"]], "braces are YAML's too"
    assert read.tree == {"a": {"b": 1}, "list": [{"x": 1}]}, "the original stays"
    assert changed.position("$.a.b") is None, "what was set has no place of its own in the text"
    assert read.position("$.a.b") == (1, 8)


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("a.b", "--set a.b: expected key=value"),
        ("=1", "--set : expected key=value"),
        ("a..b=1", "--set a..b: expected key=value"),
        ("a.b.c=1", "--set a.b.c: $.a.b is a single value and has no `c`"),
        ("list.7=1", "--set list.7: $.list is a list of 1"),
        ("list.x=1", "--set list.x: $.list is a list of 1"),
        ("a.b='x", "--set a.b: the value can't be read: the quote that opens here is never closed"),
    ],
)
def test_an_assignment_that_can_not_be_made(assignment: str, message: str) -> None:
    read = document.parse("a: {b: 1}\nlist: [1]\n")
    with pytest.raises(ConfigError) as caught:
        read.with_values([assignment])
    assert (caught.value.code, caught.value.message) == ("config.bad_assignment", message)


def test_masked_lines_keep_their_columns() -> None:
    read = document.parse("a: {p: 'hun\"ter2', q: 1}\nb: |\n  secret\n  more\nc: 1\n")
    assert read.masked(["$.a.p", "$.b", "$.nowhere"]) == [
        "a: {p: **********, q: 1}",
        "b: *",
        "********",
        "******",
        "c: 1",
        "",
    ]


def read_fault(path: Path) -> tuple[str, str]:
    with pytest.raises(ConfigError) as caught:
        document.read(path)
    return caught.value.code, caught.value.message


def test_files_that_can_not_be_read(tmp_path: Path) -> None:
    missing, large, binary, latin = (tmp_path / name for name in ("missing", "large", "binary", "latin"))
    large.write_bytes(b"a: 1\n" * (1 << 20))
    binary.write_bytes(b"PK\x03\x04\x00\x00\xff\xfe")
    latin.write_bytes("name: x\ndescription: M\xfcnchen\n".encode("latin-1"))
    assert read_fault(missing) == ("config.unreadable", f"{missing} can't be read: no such file or directory")
    assert read_fault(tmp_path) == ("config.unreadable", f"{tmp_path} is a directory")
    assert read_fault(large) == ("config.unreadable", f"{large} is larger than 1 MiB")
    assert read_fault(binary)[0] == "config.syntax"
    assert read_fault(latin) == ("config.syntax", "this is not UTF-8 text")
    with pytest.raises(ConfigError) as caught:
        document.read(latin)
    assert caught.value.findings[0].line == 2


def test_a_file_that_is_not_there_was_perhaps_another(tmp_path: Path) -> None:
    def hint(name: str) -> str | None:
        with pytest.raises(ConfigError) as caught:
            document.read(tmp_path / name)
        return caught.value.hint

    assert hint("a.yaml") == "`wire new` writes a pipeline to start from"
    assert hint("none/a.yaml") == f"there is no folder {tmp_path}/none either"
    for name in ("flights.yaml", "notes.txt", "orders.json"):
        (tmp_path / name).touch()
    assert hint("flihgts.yaml") == f"did you mean {tmp_path}/flights.yaml?"
    assert hint("orders") == f"did you mean {tmp_path}/orders.json?"
    assert hint("x.yaml") == "found there: flights.yaml, orders.json"
    for number in range(5):
        (tmp_path / f"{number}.yml").touch()
    assert hint("x.yaml") == "found there: 0.yml, 1.yml, 2.yml, 3.yml, 4.yml, …"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_other_encodings_that_say_so(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: ü\r\n", encoding=encoding)
    read: Document = document.read(path)
    assert read.tree == {"name": "ü"}
