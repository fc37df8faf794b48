"""Why YAML could not be read, said in the words of someone who writes pipelines."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml
from yaml.reader import ReaderError

from wire.core.errors import ConfigError
from wire.pipelines.document.node import Mark, syntax_error

LINE_BREAK: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

_QUOTE_IT: Final = "put the whole value in quotes"


def explain(exc: yaml.YAMLError, text: str) -> ConfigError:
    """Return the error for what libyaml says about `text`: what is wrong, where, and how to write it right."""
    if isinstance(exc, ReaderError):
        return _control_character(exc.position, text)
    if not isinstance(exc, yaml.MarkedYAMLError) or exc.problem_mark is None:
        return syntax_error(str(exc), Mark(1, 1))
    at = _mark(exc.problem_mark)
    opened = _mark(exc.context_mark) if exc.context_mark else at
    lines = LINE_BREAK.split(text)
    problem, context = exc.problem or "", exc.context or ""
    match problem, context:
        case ("found unexpected end of stream", "while scanning a quoted scalar"):
            hint = "add the closing quote; inside single quotes, write '' for '"
            return syntax_error("the quote that opens here is never closed", opened, hint)
        case (_, "while scanning an alias"):
            return syntax_error("a value can't start with `*` here", opened, _QUOTE_IT)
        case (_, "while scanning an anchor"):
            return syntax_error("a value can't start with `&` here", opened, _QUOTE_IT)
        case (_, "while scanning a directive"):
            return syntax_error("a line can't start with `%`", opened, "put the text in quotes")
    if problem.startswith("found a tab character"):
        return syntax_error("a tab can't be used to indent", at, "indent with spaces")
    if "cannot start any token" in problem:
        return _bad_first_character(_character(lines, at), at)
    if problem.startswith("mapping values are not allowed"):
        return _stray_colon(lines, at)
    if problem == "did not find expected key":
        return _stray_text(lines, at)
    if problem == "could not find expected ':'":
        hint = "write `field: value`; indent a line that continues the text above"
        return syntax_error("this line has no `: `", opened, hint)
    return _other(problem, context, at, opened)


def _other(problem: str, context: str, at: Mark, opened: Mark) -> ConfigError:
    if problem.startswith("did not find expected ',' or"):
        bracket = problem[-2]
        message = f"expected `,` or `{bracket}` in the list that opens in line {opened.line}"
        if bracket == "}":
            message = message.replace("list", "mapping")
        return syntax_error(message, at, f"close it with `{bracket}`, or put text with brackets or colons in quotes")
    if problem == "did not find expected '-' indicator":
        return syntax_error("expected another `- ` item of the list above", at, "check the indentation of this line")
    if problem.startswith("block sequence entries are not allowed"):
        return syntax_error("a list can't start here", at, "put each `- ` item on a line of its own, below the field")
    if problem == "found unknown escape character":
        hint = "use single quotes, inside which a backslash is an ordinary character"
        return syntax_error("this is not an escape that double quotes know", at, hint)
    return syntax_error(f"{problem} {context}".strip(), at, "check the indentation and the quotes around this place")


def _bad_first_character(character: str, at: Mark) -> ConfigError:
    if character == "\t":
        return syntax_error("a tab can't be used to indent", at, "indent with spaces")
    return syntax_error(f"a value can't start with `{character}`", at, _QUOTE_IT)


def _stray_colon(lines: list[str], at: Mark) -> ConfigError:
    before = lines[at.line - 1][: at.column - 1]
    if re.search(r":\s", before):
        return syntax_error("this line has a second `: `", at, "put a value that contains `: ` in quotes")
    hint = "a field's own fields are indented below a line that ends in `:`"
    return syntax_error("this line does not belong to the one above, which is complete or lacks its `:`", at, hint)


def _stray_text(lines: list[str], at: Mark) -> ConfigError:
    before = lines[at.line - 1][: at.column - 1].rstrip()
    if before.endswith(("'", '"')):
        hint = "put the whole value in one pair of quotes, and check that the quotes in the lines above are closed"
        return syntax_error("there is text after the closing quote", at, hint)
    if before.endswith(("]", "}")):
        return syntax_error("there is text after the closing bracket", at, _QUOTE_IT)
    hint = "all fields of one mapping start in the same column"
    return syntax_error("this line is not indented like the lines it belongs to", at, hint)


def _control_character(position: int, text: str) -> ConfigError:
    before = LINE_BREAK.split(text[:position])
    code = ord(text[position]) if position < len(text) else 0
    message = f"there is a control character (U+{code:04X}) here"
    return syntax_error(message, Mark(len(before), len(before[-1]) + 1), "a pipeline is plain text in UTF-8")


def _character(lines: list[str], at: Mark) -> str:
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    return line[at.column - 1 : at.column]


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)
