"""`--update`: what a file looks like afterwards, and when it is left alone."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.cli.testing.rewriting import update
from wire.cli.testing.running import run_file
from wire.cli.testing.yaml_edits import put
from wire.core.errors import FatalError
from wire.pipelines.document import parse

HEAD = """\
# a pipeline
name: p   # its name
source: {type: stdin}
transforms:
  - select: "*, n::INT * 2 AS twice"
sink: {type: stdout}
tests:
"""


def updated(path: Path, text: str) -> str:
    path.write_text(text, newline="")
    result, cases = run_file(path, [])
    for case, outcome in zip(cases, result.cases, strict=True):
        if not outcome.passed:
            assert update(case, outcome).updated
    again, _ = run_file(path, [])
    assert again.exit_code == 0
    with path.open(newline="") as file:
        return file.read()


def rewritten(path: Path, text: str) -> str:
    changed = updated(path, HEAD + textwrap.indent(textwrap.dedent(text), "  "))
    assert changed.startswith(HEAD)
    return textwrap.dedent(changed.removeprefix(HEAD))


def test_comments_and_what_stays_the_same_stay_as_they_were_written(tmp_path: Path) -> None:
    before = """\
        - name: one # first
          input: [{n: 1}, {n: 2}, {n: 3}]
          output:
            # the first
            - {n: 1,   twice: 2}  # right
            # the second
            - {n: 2, twice: 5}
            - n: 3 # the third
              twice: 6

          # the end of it
        - {name: two}
    """
    after = textwrap.dedent(before).replace("twice: 5", "twice: 4")
    assert rewritten(tmp_path / "p.yaml", before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("- input: [{n: 1}]\n", "- input: [{n: 1}]\n  output:\n    - {n: 1, twice: 2}\n"),
        ("- {input: [{n: 1}]}\n", "- {input: [{n: 1}], output: [{n: 1, twice: 2}]}\n"),
        ("- input: [{n: 1}]\n  output: [] # none\n", "- input: [{n: 1}]\n  output: [{n: 1, twice: 2}] # none\n"),
        ("- output:\n    - {n: 1}\n    # gone\n  input: []\n", "- output: []\n    # gone\n  input: []\n"),
        (
            "- output: [\n    {n: 1}\n  ]\n  input: [{n: 1}]\n",
            "- output: [\n    {n: 1, twice: 2}\n  ]\n  input: [{n: 1}]\n",
        ),
        (
            "- input: [{n: x}]\n",
            '- input: [{n: x}]\n  failures:\n    - {record: 0, code: expression.cast, path: "$.transforms[0]"}\n',
        ),
        ("- input: [{n: x}, {n: y}]\n  failures: 1\n", "- input: [{n: x}, {n: y}]\n  failures: 2\n"),
        ("- input: []\n  failures: 2\n", "- input: []\n  failures: 0\n"),
    ],
)  # fmt: skip
def test_a_case_is_written_as_it_was(tmp_path: Path, before: str, after: str) -> None:
    assert rewritten(tmp_path / "p.yaml", before) == after


def test_a_record_too_long_for_a_line_gets_several(tmp_path: Path) -> None:
    text = "a" * 120
    assert rewritten(tmp_path / "p.yaml", f"- input:\n    - n: 1\n      s: {text}\n  output:\n    - {{n: 1}}\n") == (
        f"- input:\n    - n: 1\n      s: {text}\n  output:\n    - n: 1\n      s: {text}\n      twice: 2\n"
    )


def test_line_ends_are_kept(tmp_path: Path) -> None:
    text = (HEAD + "  - input: [{n: 1}]\n    output: [{n: 1}]\n").replace("\n", "\r\n")
    assert updated(tmp_path / "p.yaml", text) == text.replace("output: [{n: 1}]", "output: [{n: 1, twice: 2}]")


def test_json_stays_json(tmp_path: Path) -> None:
    spec = {
        "name": "p",
        "source": {"type": "stdin"},
        "transforms": [{"select": "*, n * 2 AS twice"}],
        "sink": {"type": "stdout"},
        "tests": [{"input": [{"n": 1, "s": "a"}], "output": [{"n": 1}]}],
    }
    for indent in (None, 2):
        changed = json.loads(updated(tmp_path / "p.json", json.dumps(spec, indent=indent)))
        assert changed["tests"][0]["output"] == [{"n": 1, "s": "a", "twice": 2}]


def test_files_that_a_case_names_are_rewritten_instead(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.json", "c.csv"):
        (tmp_path / name).write_text("[]" if name == "b.json" else "twice,n\n" if name == "c.csv" else "")
    text = HEAD + "".join(f"  - {{input: [{{n: 1}}], output: {name}}}\n" for name in ("a.jsonl", "b.json", "c.csv"))
    assert updated(tmp_path / "p.yaml", text) == text
    assert (tmp_path / "a.jsonl").read_text() == '{"n": 1, "twice": 2}\n'
    assert json.loads((tmp_path / "b.json").read_text()) == [{"n": 1, "twice": 2}]


def test_a_case_in_a_file_of_its_own_is_rewritten_there(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("# why\ninput: [{n: 1}]\noutput:\n- {n: 1}\n")
    (tmp_path / "b.yaml").write_text("- name: x\n- input: [{n: 1}]\n  output:\n  - {n: 1}\n")
    text = HEAD + '  - "[ab].yaml"\n'
    assert updated(tmp_path / "p.yaml", text) == text
    assert (tmp_path / "a.yaml").read_text() == "# why\ninput: [{n: 1}]\noutput:\n- {n: 1, twice: 2}\n"
    assert (tmp_path / "b.yaml").read_text() == "- name: x\n- input: [{n: 1}]\n  output:\n  - {n: 1, twice: 2}\n"


@pytest.mark.parametrize(
    "tests",
    [
        "  - {input: &x [{n: 1}], output: *x}\n",
        "  - {input: [{n: 1}], output: &x [{n: 2}]}\n  - {input: [], output: *x}\n",
    ],
)
def test_a_file_that_would_mean_something_else_is_left_alone(tmp_path: Path, tests: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(HEAD + tests)
    result, cases = run_file(path, [])
    with pytest.raises(FatalError, match="can't be rewritten"):
        update(cases[0], result.cases[0])
    assert path.read_text() == HEAD + tests
    assert [file.name for file in tmp_path.iterdir()] == ["p.yaml"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
TEXTS = (
    "a: 1\nx:\n  - {a: 1} # c\n  - b: 2\n    c: [1]\n# d\nz: 2\n",
    "a: 1\nx: [1, 2] # c\nz: 2 # d\n",
    "a: 1\nx:\n- 1\n- |\n  text\n\nz: 2\n",
    "a: 1\nx:\nz: 2\n",
    "# d\nx: >-\n  abc\n  def\n\nz: 2\n",
    "x:   'abc'   # c\nz: 2\n",
    "x: {a: 1,\n  b: 2}\nz: 2\n",
    "x: # nothing\n  a: 1\n  # in\n  b: 2 # t\nz: 2\n",
    "x:\n  - - 1\n    - 2\n  -\n    a: 1\nz: 2\n",
    "{a: 1, x: [1, {b: 2}], z: 2}\n",
    '{"a": 1, "x": [1, 2],\n "z": 2}',
)
LACKING = ("a: 1\nz: 2", "a:\n  b: 1 # c\n\n# d\n", "{}", "{a: 1}\n", "# c\na: |\n  text\n\n  more\n")


@given(text=st.sampled_from(TEXTS), value=json_values | st.lists(json_values, max_size=5))
def test_what_is_put_in_is_read_back_and_nothing_else_changes(text: str, value: Any) -> None:
    changed = put(text, ["x"], value)
    wanted = {**parse(text).tree, "x": value}
    assert json.dumps(parse(changed).tree, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    assert changed.startswith(text[: text.index("x")])
    assert changed.endswith(text[text.index("z") :])
    assert all(comment in changed for comment in ("# d",) if comment in text)


@given(text=st.sampled_from(LACKING), value=json_values)
def test_a_field_that_is_not_there_is_added(text: str, value: Any) -> None:
    changed = put(text, ["x"], value)
    assert json.dumps(parse(changed).tree) == json.dumps({**parse(text).tree, "x": value})
    assert all(comment in changed for comment in ("# c", "# d") if comment in text)
