"""Bytes that are never decoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from wire.pipelines.codecs.faults import unreadable, unwritable
from wire.pipelines.codecs.ports import Decoded, Names


class RawDecoder:
    """Refuses every field; a pipeline that needs none passes the bytes on."""

    typed: frozenset[str] | None = frozenset()

    def __init__(self, path: str) -> None:
        """`path` is where the user chose the format."""
        self._path = path

    def fields(self, wanted: Sequence[str], names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        if not wanted:
            return Decoded([], lambda _: "None")
        self._refuse(f"the field `{wanted[0]}` is needed")

    def whole(self, names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        self._refuse("the record's fields are needed")

    def _refuse(self, why: str) -> NoReturn:
        raise unreadable(
            self._path,
            f"{why}, but the source's format is raw",
            "give the source a format that has fields, such as json",
        )


class RawEncoder:
    """Refuses everything; only bytes that no transform changed can be written."""

    def __init__(self, path: str) -> None:
        """`path` is where the user chose the format."""
        self._path = path

    def fields(self, fields: Mapping[str, str], names: Names, into: str) -> NoReturn:  # noqa: D102 (contract in Encoder)
        self._refuse()

    def whole(self, typed: Sequence[str] | None, names: Names, into: str) -> NoReturn:  # noqa: D102 (contract in Encoder)
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise unwritable(
            self._path,
            "the transforms change the record, but the sink's format is raw",
            "give the sink a format, such as json",
        )
