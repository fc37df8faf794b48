"""The ways to mask a value."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from wire.core.config import Config, MisfitError, Secret, doc

SHORTEST_KEY = 16


class Redact(Config, frozen=True, kw_only=True, tag="redact", tag_field="type"):
    """Puts a fixed text in place of whatever was there."""

    text: Annotated[str, doc("The text.")] = "***"


class Hash(Config, frozen=True, kw_only=True, tag="hash", tag_field="type"):
    """Puts HMAC-SHA256 of the value under `key` in its place, in hexadecimal: the same for the same value."""


class KeepLast(Config, frozen=True, kw_only=True, tag="keep_last", tag_field="type"):
    """Puts a `*` in place of every character but the last few; of a text that is no longer than that, of every one."""

    count: Annotated[int, Meta(ge=0, description="How many characters to keep.")] = 4


class Card(Config, frozen=True, kw_only=True, tag="card", tag_field="type"):
    """Puts another card number of the same form in its place. What is no card number becomes `***`."""


class Mail(Config, frozen=True, kw_only=True, tag="mail", tag_field="type"):
    """Puts another local part in front of the same domain. What is no mail address becomes `***`."""


Method = Redact | Hash | KeepLast | Card | Mail


class MaskConfig(Config, frozen=True, kw_only=True):
    """Which fields to mask, and how."""

    fields: Annotated[
        dict[str, Method],
        doc("How to mask, by field: `address.street` is a nested one. A way by its name alone, or with its settings."),
    ]
    key: Annotated[
        Secret | None,
        doc("What `hash`, `card` and `mail` depend on, at least 16 characters; best given as `${env:NAME}`."),
    ] = None

    def __post_init__(self) -> None:
        if not self.fields:
            raise MisfitError("`fields` names no field", "as in fields: {email: mail, ssn: redact}")
        keyed = [f"`{name}`" for name, method in self.fields.items() if isinstance(method, Hash | Card | Mail)]
        if keyed and self.key is None:
            raise MisfitError(
                f"`key` is needed to mask {keyed[0]}", "give it a long random text, as in key: ${env:MASK_KEY}"
            )
        check_key(self.key)


def check_key(key: Secret | None) -> None:
    """Refuse a key that could be guessed."""
    if key is not None and len(key.reveal()) < SHORTEST_KEY:
        message = f"`key` has fewer than {SHORTEST_KEY} characters: it could be guessed"
        raise MisfitError(message, "make one with: openssl rand -hex 32")
