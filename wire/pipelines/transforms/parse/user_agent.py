"""User agents, as browsers and programs name themselves."""

from __future__ import annotations

from typing import Any, Final

from wire.core.config import Config
from wire.core.plugins import missing_dependency
from wire.pipelines.transforms.context import TransformContext
from wire.pipelines.transforms.parse.reading import Fields, text_of

_NAMES: Final = ("browser", "browser_version", "os", "os_version", "device", "device_brand", "device_model")
_LONGEST: Final = 2048
"""Characters that are looked at; no browser's name is nearly as long."""


class AsUserAgent(Config, frozen=True, kw_only=True, tag="user_agent", tag_field="type"):
    """What a browser or program says it is."""

    def reading(self, context: TransformContext) -> Fields:
        """Return how it is read. Raises UnavailableError where the library is not installed."""
        try:
            import ua_parser
        except ModuleNotFoundError as exc:
            raise missing_dependency("parse", "useragent", exc) from exc

        parse = ua_parser.parse  # keeps the answers to the latest 2,000 names

        def read(value: Any) -> tuple[Any, ...]:
            found = parse(text_of(value)[:_LONGEST])
            browser, system, device = found.user_agent, found.os, found.device
            return (
                browser and browser.family,
                browser and _version(browser.major, browser.minor, browser.patch),
                system and system.family,
                system and _version(system.major, system.minor, system.patch),
                device and device.family,
                device and device.brand,
                device and device.model,
            )

        return Fields(_NAMES, read)


def _version(*parts: str | None) -> str | None:
    return ".".join(part for part in parts if part) or None
