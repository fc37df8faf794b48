"""Values that need no decoding: what a callable returned, or what a test put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wire.pipelines.codecs import Decoded, Names, dict_source


class DecodedValues:
    """A decoder for loops in which the record's dict is already in a variable."""

    def __init__(self, variable: str = "value", typed: frozenset[str] | None = None) -> None:
        """`variable` holds the dict; it is changed in place. `typed` is as in Decoder."""
        self.typed = typed
        self._statement = f"row = {variable}"

    def fields(self, wanted: Sequence[str], names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        return self.whole(names)

    def whole(self, names: Names) -> Decoded:  # noqa: D102 (contract in Decoder)
        return Decoded([self._statement], lambda name: f"row.get({name!a})")


class PlainValues:
    """An encoder that leaves the record's dict as it is."""

    def fields(self, fields: Mapping[str, str], names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        return [f"{into} = {dict_source(fields)}"]

    def whole(self, typed: Sequence[str] | None, names: Names, into: str) -> list[str]:  # noqa: D102 (contract in Encoder)
        return [f"{into} = row"]
