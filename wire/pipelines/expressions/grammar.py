"""From text to sqlglot's tree: its DuckDB grammar with the functions left as they were written.

sqlglot is imported here only, when the first expression is read. It normally turns functions into the common
vocabulary it translates dialects with; here a call stays a name with arguments, so that what a function means is
decided by our tables alone.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any, ClassVar, Final

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, TokenError
from sqlglot.parsers.duckdb import DuckDBParser
from sqlglot.tokenizer_core import Token, TokenType

from wire.pipelines.expressions.advice import EMPTY_HINT, ONE_HINT, QUOTE_HINT, SPLIT_HINT, too_early, unexpected
from wire.pipelines.expressions.errors import ExpressionError

MAX_LENGTH: Final = 20_000
MAX_NESTING: Final = 32
"""Brackets within brackets. The parser takes some thirty Python frames for each (I10: no recursion bombs)."""

_SPECIAL_SYNTAX: Final = ("CAST", "TRY_CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM")
_OPENING: Final = (TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE, TokenType.CASE)
_CLOSING: Final = (TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE, TokenType.END)
_PREFIX: Final = (TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE)


class _Parser(DuckDBParser):
    FUNCTIONS: ClassVar[Any] = {}
    FUNCTION_PARSERS: ClassVar[Any] = {name: DuckDBParser.FUNCTION_PARSERS[name] for name in _SPECIAL_SYNTAX}
    NO_PAREN_FUNCTION_PARSERS: ClassVar[Any] = {
        name: DuckDBParser.NO_PAREN_FUNCTION_PARSERS[name] for name in ("CASE", "IF", "@")
    }
    PLACEHOLDER_PARSERS: ClassVar[Any] = {
        # without the colon, which begins `:name` elsewhere, but here only a slice without a start
        kind: parser
        for kind, parser in DuckDBParser.PLACEHOLDER_PARSERS.items()
        if kind is not TokenType.COLON
    }
    JSON_OPERATORS: ClassVar[Any] = {
        TokenType.ARROW: lambda self, this, key: self.expression(exp.JSONExtract(this=this, expression=key)),
        TokenType.DARROW: lambda self, this, key: self.expression(exp.JSONExtractScalar(this=this, expression=key)),
    }


_DIALECT: Final = DuckDB()
_DIALECT.INDEX_OFFSET = 0  # list indexes stay as they were written


def parse_condition(text: str) -> exp.Expr:
    """Return the tree of one expression. Raises ExpressionError."""
    return _parse(text, [], exp.Condition)


def parse_select(text: str) -> exp.Expr:
    """Return the tree of `SELECT <text>`, with positions within `text`. Raises ExpressionError."""
    return _parse(text, [Token(TokenType.SELECT, "SELECT")], exp.Select)


def _parse(text: str, before: list[Token], into: type[exp.Expr]) -> exp.Expr:
    _check_length(text)
    tokens = _tokenize(text)
    _check_nesting(text, tokens)
    _check_commas(text, tokens)
    try:
        with _deep_stack():
            trees = _Parser(dialect=_DIALECT).parse_into(into, [*before, *tokens], text)
    except ParseError as exc:
        raise _syntax_error(text, tokens, exc) from exc
    except RecursionError:
        raise too_complex(text, 0) from None
    if len(trees) != 1 or trees[0] is None:
        at = next((token.start for token in tokens if token.token_type is TokenType.SEMICOLON), len(text))
        raise ExpressionError("expression.syntax", "expected one expression", text=text, at=at, hint=ONE_HINT)
    return trees[0]


def _check_length(text: str) -> None:
    if len(text) > MAX_LENGTH:
        message = f"the expression has {len(text)} characters, more than {MAX_LENGTH}"
        raise ExpressionError("expression.too_complex", message, text=text, at=MAX_LENGTH, hint=SPLIT_HINT)
    if not text.strip():
        raise ExpressionError("expression.syntax", "the expression is empty", text=text, at=0, hint=EMPTY_HINT)


def _tokenize(text: str) -> list[Token]:
    try:
        return _DIALECT.tokenize(text)
    except TokenError as exc:
        quote = max((text.rfind(mark) for mark in "'\"$"), default=0)
        message = "a quote or comment is never closed"
        raise ExpressionError("expression.syntax", message, text=text, at=max(quote, 0), hint=QUOTE_HINT) from exc


def _check_nesting(text: str, tokens: list[Token]) -> None:
    depth = prefixes = 0
    for token in tokens:
        kind = token.token_type
        depth += (kind in _OPENING) - (kind in _CLOSING)
        prefixes = prefixes + 1 if kind in _PREFIX else 0
        if depth > MAX_NESTING or prefixes > MAX_NESTING:
            raise too_complex(text, token.start)


def _check_commas(text: str, tokens: list[Token]) -> None:
    """Refuse what sqlglot reads as if it weren't there: a comma with nothing before it, AS with no name behind it."""
    before = TokenType.COMMA
    for token in tokens:
        if token.token_type is TokenType.COMMA and before in (TokenType.COMMA, TokenType.ALIAS, *_OPENING):
            message, hint = "unexpected ','", "write what is missing before it, or take it away"
            raise ExpressionError("expression.syntax", message, text=text, at=token.start, hint=hint)
        before = token.token_type
    if before is TokenType.ALIAS:
        hint = too_early(text, tokens)
        raise ExpressionError("expression.syntax", "the expression ends too early", text=text, at=len(text), hint=hint)


def too_complex(text: str, at: int) -> ExpressionError:
    """Return the error for an expression that nests too deeply."""
    message = "the expression nests too deeply"
    return ExpressionError("expression.too_complex", message, text=text, at=at, hint=SPLIT_HINT)


@contextlib.contextmanager
def _deep_stack() -> Iterator[None]:
    """Give the parser the frames its bounded nesting may need, however deep the caller is."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 4000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _syntax_error(text: str, tokens: list[Token], exc: ParseError) -> ExpressionError:
    found = exc.errors[0] if exc.errors else {}
    highlight, line, column = found.get("highlight") or "", found.get("line") or 1, found.get("col") or 0
    # sqlglot's column is where the token ends; the token list knows where it starts.
    fault = next((token for token in tokens if (token.line, token.col) == (line, column)), None)
    at = fault.start if fault else len(text)
    last = tokens[-1]
    description = str(found.get("description") or "").partition(".")[0]
    if fault is last and not description.startswith("Invalid expression"):
        at, message, hint = last.end + 1, "the expression ends too early", too_early(text, tokens)
    else:
        message = f"unexpected {highlight!r}" if highlight else "this is not an expression"
        hint = unexpected(text, fault)
    return ExpressionError("expression.syntax", message, text=text, at=at, hint=hint)
