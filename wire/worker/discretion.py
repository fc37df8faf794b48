"""Takes secrets out of what a worker says: a service may answer with the very token that it was sent (I9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, MutableMapping
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import astuple, replace

from wire.cluster.state import Error
from wire.core.config import Secret
from wire.pipelines.engine.progress import Progress
from wire.pipelines.loaded import LoadedPipeline
from wire.worker.masking import MASK

_SHORTEST: Final = 4
"""Of a shorter one nothing is taken out: it would be found everywhere, and tell by that where it is."""


class Discretion:
    """Knows the secrets of the pipelines that run in this process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._known: Counter[str] = Counter()

    def learn(self, pipeline: LoadedPipeline) -> Counter[str]:
        """Keep the secrets of a pipeline, and return what to `forget` once nothing more is said about it."""
        components = (*pipeline.sources, *pipeline.transforms, *pipeline.sinks, pipeline.dead_letter)
        found = Counter({each for part in components if part is not None for each in _secrets(part.config)})
        self._known += found
        return found

    def forget(self, learned: Counter[str]) -> None:
        """Forget what is known of nothing else."""
        self._known -= learned

    def text(self, said: str) -> str:
        """Return a text without secrets; the longest are taken out first, as one may be part of another."""
        for secret in sorted(self._known, key=len, reverse=True):
            said = said.replace(secret, MASK)
        return said

    def error(self, said: Error) -> Error:
        """Return why something failed, without secrets."""
        return replace(said, message=self.text(said.message), hint=said.hint and self.text(said.hint))

    def progress(self, said: Progress) -> Progress:
        """Take secrets out of what a run tells of itself, and return it."""
        if self._known:
            said.last_error = said.last_error and self.text(said.last_error)
            for reason in said.reasons.values():
                reason.message, reason.hint = self.text(reason.message), reason.hint and self.text(reason.hint)
        return said

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Take secrets out of an event of the log, as a processor of structlog."""
        for name, value in event.items():
            if isinstance(value, str):
                event[name] = self.text(value)
        return event


def _secrets(config: Any) -> Iterator[str]:
    if isinstance(config, Secret):
        if len(config.reveal()) >= _SHORTEST:
            yield config.reveal()
    elif isinstance(config, Struct):
        for value in astuple(config):
            yield from _secrets(value)
    elif isinstance(config, dict):
        for value in config.values():
            yield from _secrets(value)
    elif isinstance(config, list | tuple):
        for value in config:
            yield from _secrets(value)
