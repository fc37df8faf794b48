"""Hashes and encodings. Text stands for its UTF-8 bytes."""

# ruff: noqa: E501 (the table has one row per function)

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote, unquote_to_bytes

from wire.pipelines.expressions.errors import domain
from wire.pipelines.expressions.functions.declare import blob_or_text, text
from wire.pipelines.expressions.tree import Arg, Function
from wire.pipelines.expressions.values import Kind


def _hash(name: str) -> Callable[[bytes], str]:
    return lambda data: hashlib.new(name, data, usedforsecurity=False).hexdigest()


def from_base64(string: str) -> bytes:
    """Decode Base64."""
    try:
        return base64.b64decode(string, validate=True)
    except (ValueError, binascii.Error):
        raise domain("the text is not Base64") from None


def to_hex(value: Any) -> str:
    """Return bytes, text's bytes or a number in hexadecimal."""
    if value.__class__ is int:
        return f"{value & (2**64 - 1):X}"
    return (value.encode("utf-8", "surrogatepass") if value.__class__ is str else value).hex().upper()


def unhex(string: str) -> bytes:
    """Decode hexadecimal; an odd number of digits counts as if a 0 stood in front."""
    try:
        return binascii.unhexlify(string if len(string) % 2 == 0 else "0" + string)
    except (ValueError, binascii.Error):
        raise domain("the text is not hexadecimal") from None


def decode(data: bytes) -> str:
    """Return the text UTF-8 bytes stand for."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise domain("the bytes are not UTF-8") from None


def url_encode(string: str) -> str:
    """Escape everything but letters, digits and `-_.~`."""
    return quote(string, safe="", errors="surrogatepass")


def url_decode(string: str) -> str:
    """Undo url_encode."""
    return decode(unquote_to_bytes(string.encode("utf-8", "surrogatepass")))


_BLOB: Final = blob_or_text("x")
_BASE64: Final = lambda data: base64.b64encode(data).decode("ascii")  # noqa: E731 (an entry of the table)


def _digest(name: str, digest: str) -> Function:
    return Function(
        name=name, args=(_BLOB,), impl=_hash(name), returns=Kind.TEXT, doc=f"{name.upper()} in hexadecimal.",
        example=(f"left({name}('a'), 8)", f"'{digest}'"),
    )  # fmt: skip


FUNCTIONS: Final = (
    _digest("md5", "0cc175b9"),
    _digest("sha1", "86f7e437"),
    _digest("sha256", "ca978112"),
    Function(name="to_base64", args=(_BLOB,), impl=_BASE64, returns=Kind.TEXT, aliases=("base64",), doc="Base64.", example=("to_base64('a')", "'YQ=='")),
    Function(name="from_base64", args=(text("string"),), impl=from_base64, returns=Kind.BLOB, doc="Bytes of Base64.", example=("decode(from_base64('YQ=='))", "'a'")),
    Function(name="hex", args=(Arg("x", Kind.BLOB | Kind.TEXT | Kind.INT),), impl=to_hex, returns=Kind.TEXT, aliases=("to_hex",), doc="Hexadecimal.", example=("hex(255)", "'FF'")),
    Function(name="unhex", args=(text("string"),), impl=unhex, returns=Kind.BLOB, aliases=("from_hex",), doc="Bytes of hexadecimal.", example=("decode(unhex('61'))", "'a'")),
    Function(name="encode", args=(text("string"),), impl=lambda s: s.encode("utf-8", "surrogatepass"), returns=Kind.BLOB, doc="The UTF-8 bytes of text.", example=("hex(encode('é'))", "'C3A9'")),
    Function(name="decode", args=(Arg("blob", Kind.BLOB),), impl=decode, returns=Kind.TEXT, doc="The text of UTF-8 bytes.", example=("decode(encode('é'))", "'é'")),
    Function(name="octet_length", args=(Arg("blob", Kind.BLOB),), impl=len, returns=Kind.INT, doc="Number of bytes.", example=("octet_length(encode('é'))", "2")),
    Function(name="url_encode", args=(text("string"),), impl=url_encode, returns=Kind.TEXT, doc="Text escaped for a URL.", example=("url_encode('a b')", "'a%20b'")),
    Function(name="url_decode", args=(text("string"),), impl=url_decode, returns=Kind.TEXT, doc="Text of a URL, unescaped.", example=("url_decode('a%20b')", "'a b'")),
)  # fmt: skip
