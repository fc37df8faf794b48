"""Nothing in Wire can run what it is sent: no module that unpickles is imported anywhere (I10)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import wire

ROOT = Path(wire.__file__).parent
UNSAFE = {"pickle", "_pickle", "cPickle", "pickletools", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}
CALLS = {"eval", "exec", "__import__"}
OUR_OWN_SOURCE = "noqa: S102 (I10: our own source)", "noqa: S307 (I10: our own source)"


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def called(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node.func.id, node.lineno


def test_no_module_that_unpickles_is_imported() -> None:
    paths = list(ROOT.rglob("*.py"))
    assert len(paths) > 100
    for path in paths:
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            assert not UNSAFE & set(name.split(".")), f"{path} imports {name}"


def test_text_is_run_only_where_it_is_our_own() -> None:
    for path in ROOT.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for name, line in called(ast.parse(text)):
            assert any(reason in text.splitlines()[line - 1] for reason in OUR_OWN_SOURCE), (
                f"{path}:{line} calls {name}"
            )
            assert "raft" not in path.relative_to(ROOT).parts


def test_the_search_finds_what_it_is_for() -> None:
    tree = ast.parse("import os, pickle\nfrom multiprocessing import shelve\nfrom dill import loads\nx = eval('1')")
    assert UNSAFE & {part for name in imported(tree) for part in name.split(".")} == {"pickle", "shelve", "dill"}
    assert list(called(tree)) == [("eval", 4)]
