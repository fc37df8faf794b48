"""`mask: {fields: {email: mail, card: card, ssn: redact, user_id: hash}, key: ${env:MASK_KEY}}`: hide what is personal.

- `redact` puts a fixed text in place of the value, `keep_last` stars in place of all but its last characters.
- `hash` is HMAC-SHA256 under the key (of text in UTF-8, else of its JSON): the same value gives the same hash, so that
  records can still be joined and counted, and without the key nobody can try values out.
- `card` gives another card number: same length and separators, same last four digits, Luhn check passed or failed as
  before, different cards always different. A whole number stays one.
- `mail` keeps the domain and gives the same local part for the same address, whatever its case.

Fields in lists are masked in every item. NULL stays NULL, and what is not there stays away. A value that does not have
the form its way of masking is for is never passed on: it becomes `***`. Another key gives other pseudonyms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wire.core.plugins import Plugin
from wire.pipelines.plan.builder import Builder
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.mask.config import MaskConfig, Redact
from wire.pipelines.transforms.mask.masking import Masking, at_path, masking
from wire.pipelines.transforms.mask.pseudonyms import Pseudonyms
from wire.pipelines.transforms.names import field_path


@dataclass(frozen=True, slots=True)
class Mask:
    """Masks fields, each with a function from its value to the masked one."""

    fields: Sequence[tuple[str, Masking]]

    def emit(self, builder: Builder) -> None:  # noqa: D102 (contract in PlanNode)
        for name, mask in self.fields:
            builder.replace(name, f"{builder.constant(mask)}({builder.field(name)})")


def build(config: MaskConfig, context: TransformContext) -> Mask:
    """Make the transform."""
    pseudonyms = Pseudonyms(config.key.reveal().encode(errors="surrogatepass") if config.key else b"")
    fields = []
    for text, method in config.fields.items():
        try:
            name, *inner = field_path(text)
        except ValueError:
            hint = 'write `a.b` for the field `b` inside `a`, and quotes around a name that holds a dot: `"a.b"`'
            raise context.mistake(f"`{text}` is not the name of a field", hint, "fields", text) from None
        into_lists = not isinstance(method, Redact)
        fields.append((name, at_path(masking(method, pseudonyms), inner, into_lists=into_lists)))
    return Mask(fields)


PLUGIN = Plugin(
    kind="transform",
    summary="Hide personal values: redacted, hashed under a key, or replaced by others of the same form.",
    config=MaskConfig,
    build=build,
    example='mask: {fields: {email: mail, card: card, ssn: redact, user_id: hash}, key: "${env:MASK_KEY}"}',
)
