"""Contexts: clusters by name, in a file of the user's, and which of them is meant."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from wire.core.config import suggest
from wire.core.errors import ConfigError, Finding, UnavailableError

if TYPE_CHECKING:
    from wire.clients.tls import Tls

DEFAULT_SERVER: Final = "http://127.0.0.1:4001"
_FILE: Final = Path("wire", "contexts.json")


class Context(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A cluster: where its nodes are, what to show them, and the namespace that is meant unless another is named."""

    servers: tuple[str, ...] = (DEFAULT_SERVER,)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    namespace: str | None = None

    @property
    def tls(self) -> Tls:
        """The files that encrypted connections are made with."""
        from wire.clients.tls import Tls

        return Tls(ca=self.ca, cert=self.cert, key=self.key)


class Contexts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the file holds: all contexts by name, and which one is in use."""

    current: str | None = None
    contexts: dict[str, Context] = {}

    def require(self, name: str, where: str) -> Context:
        """Return a context. Raises ConfigError if there is none; `where` is the flag or variable that names it."""
        if name in self.contexts:
            return self.contexts[name]
        hint = suggest(name, self.contexts) or "`wire context list` shows those there are, `wire context set` makes one"
        message = f"there is no context `{name}`"
        raise ConfigError([Finding(code="context.unknown", path=where, message=message, hint=hint)])


def path_of(environ: Mapping[str, str]) -> Path:
    """Return where the file is: where WIRE_CONTEXTS says, else in the folder for what users configure."""
    if environ.get("WIRE_CONTEXTS"):
        return Path(environ["WIRE_CONTEXTS"])
    given = environ.get("XDG_CONFIG_HOME", "")
    return (Path(given) if Path(given).is_absolute() else Path.home() / ".config") / _FILE


def read(path: Path) -> Contexts:
    """Return what the file holds, nothing where there is no file. Raises UnavailableError if it can't be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Contexts)
    except FileNotFoundError:
        return Contexts()
    except OSError as exc:
        raise _refused(path, exc) from exc
    except msgspec.MsgspecError as exc:
        hint = "correct it, or delete it and set the contexts again"
        raise UnavailableError("context.unreadable", f"{path} holds no contexts: {exc}", hint=hint) from exc


def write(path: Path, contexts: Contexts) -> None:
    """Replace what the file holds, at once and for its owner's eyes only. Raises UnavailableError if it can't be."""
    text = msgspec.json.format(msgspec.json.encode(contexts), indent=2) + b"\n"
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        new.replace(path)
    except OSError as exc:
        new.unlink(missing_ok=True)
        raise _refused(path, exc) from exc


def _refused(path: Path, exc: OSError) -> UnavailableError:
    message = f"{path} can't be used: {(exc.strerror or str(exc)).lower()}"
    return UnavailableError("context.unreadable", message, hint="check its permissions, and those of its folder")


class Chosen(Struct, frozen=True):
    """The context that holds for a command, and why: its name if it has one, and what said so."""

    context: Context
    name: str | None
    why: str


def choose(contexts: Contexts, context: str | None, servers: str | None, environ: Mapping[str, str]) -> Chosen:
    """Return the context that is meant.

    A flag is worth more than a variable, that more than the file; servers that are given replace those of the context.
    Raises ConfigError for a context that is not there.
    """
    name, why = contexts.current, "in use"
    if context is not None:
        name, why = context, "--context"
    elif environ.get("WIRE_CONTEXT"):
        name, why = environ["WIRE_CONTEXT"], "WIRE_CONTEXT"
    found = Context() if name is None else contexts.require(name, why)
    given = servers or environ.get("WIRE_SERVER")
    if not given:
        return Chosen(found, name, "nothing else is said" if name is None else why)
    why = "--server" if servers else "WIRE_SERVER"
    return Chosen(msgspec.structs.replace(found, servers=tuple(given.split(","))), name, why)
