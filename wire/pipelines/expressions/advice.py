"""What to do about text that is not an expression."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Final

from sqlglot.tokenizer_core import Token, TokenType

QUOTE_HINT: Final = "end it with the quote it begins with; a quote within text is written twice: 'it''s'"
EMPTY_HINT: Final = "write one, such as amount > 100"
ONE_HINT: Final = "write one expression, without `;`; join conditions with AND"
SPLIT_HINT: Final = "split it: compute a part in an earlier select"

_BEFORE_WORD: Final = "put an operator or a comma before it; a name that is not a plain word goes in double quotes"
_JOINING: Final = ("AND", "OR", "IN", "IS", "NOT", "LIKE", "BETWEEN", "AS", "THEN", "ELSE", "END", "WHEN")
_CLOSING: Final = {
    TokenType.L_PAREN: (TokenType.R_PAREN, ")"),
    TokenType.L_BRACKET: (TokenType.R_BRACKET, "]"),
    TokenType.L_BRACE: (TokenType.R_BRACE, "}"),
    TokenType.CASE: (TokenType.END, "END"),
}


def too_early(text: str, tokens: Sequence[Token]) -> str:
    """Return a hint for an expression that ends in the middle."""
    unclosed: list[Token] = []
    for token in tokens:
        if token.token_type in _CLOSING:
            unclosed.append(token)
        elif unclosed and token.token_type is _CLOSING[unclosed[-1].token_type][0]:
            unclosed.pop()
    if unclosed:
        token = unclosed[-1]
        return f"close `{_word(text, token)}` with `{_CLOSING[token.token_type][1]}`"
    return f"write what comes after `{_word(text, tokens[-1])}`, or take it away"


def unexpected(text: str, fault: Token | None) -> str:
    """Return a hint for a word that can't stand where it does."""
    if fault is None:
        return "join values with operators, conditions with AND or OR"
    word = _word(text, fault)
    if fault.token_type is TokenType.COMMA:
        return "take it away; only a select list and what is in brackets have several parts"
    if fault.token_type in {closing for closing, _ in _CLOSING.values()}:
        return f"take it away, or open what `{word}` is to close"
    if word.upper() in ("SELECT", "FROM", "WHERE"):
        return f"write the expression alone, without {word.upper()}"
    if word.isidentifier():
        close = difflib.get_close_matches(word.upper(), _JOINING, n=1) if word.upper() not in _JOINING else None
        return f"did you mean {close[0]}?" if close else _BEFORE_WORD
    return "take it away, or write what is missing before it; text goes in single quotes"


def _word(text: str, token: Token) -> str:
    return text[token.start : token.end + 1]
