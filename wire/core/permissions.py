"""What a pipeline may reach on the machine it runs on: local paths, the environment, Python functions (I10).

`wire run` allows its own user everything. What comes over an API is allowed only what the operator named, so that it
can't read, or overwrite, what belongs to the machine or to the cluster.

A configuration field that names something local says so in its type, as in
`path: Annotated[str, doc("A file."), LOCAL_PATH]`; lint checks those fields by the marker.
"""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, urlsplit

import msgspec

from wire.core.errors import FatalError

_OWN_ENV: Final = "WIRE_"
_URI_FILES: Final = frozenset(
    [
        "tlscafile",
        "tlscertificatekeyfile",
        "tlscrlfile",
        "ssl_ca_certs",
        "ssl_certfile",
        "ssl_keyfile",
        "ssl_crlfile",
    ]
)
_AS_THE_MACHINE: Final = ("MONGODB-OIDC", "MONGODB-AWS")
"""Ways to log in that show the server what the platform gave this machine to prove what it is."""

_IDENTITY_OF_THE_MACHINE: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"


class Permissions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Lists of what is allowed; None allows everything of its kind.

    `python` holds patterns of `module:function`, or of the module alone, which stands for all its functions. `paths`
    holds files, and folders with everything below them. `env` holds patterns of names. `protected` are files and
    folders that are never allowed, whatever else is said.
    """

    python: tuple[str, ...] | None = ()
    paths: tuple[str, ...] | None = ()
    env: tuple[str, ...] | None = ()
    protected: tuple[str, ...] = ()

    def allows_python(self, name: str) -> bool:
        """Say whether the function `module:function` may be called."""
        if self.python is None:
            return True
        module = name.partition(":")[0]
        return any(fnmatch.fnmatchcase(name if ":" in pattern else module, pattern) for pattern in self.python)

    def allows_env(self, name: str) -> bool:
        """Say whether an environment variable may be read. A pattern does not cover the variables of Wire itself."""
        if self.env is None:
            return True
        return name in self.env or (
            not name.startswith(_OWN_ENV) and any(fnmatch.fnmatchcase(name, pattern) for pattern in self.env)
        )

    def allows_path(self, path: str) -> bool:
        """Say whether a file may be opened or made. What counts is where the path leads, through links and `..`."""
        if self.paths is None and not self.protected:
            return True
        try:
            real = os.path.realpath(path)
        except (OSError, ValueError):  # a loop of links, a NUL
            return False
        if any(_within(real, each) for each in self.protected):
            return False
        return self.paths is None or any(_within(real, each) for each in self.paths)

    def allows_pattern(self, pattern: str) -> bool:
        """Say whether files may be searched by a pattern; each file found is still to be asked for."""
        if self.paths is None or not glob.has_magic(pattern) or os.path.lexists(pattern):
            return self.allows_path(pattern)
        steps = pattern.split("/")
        first = next(i for i, step in enumerate(steps) if glob.has_magic(step))
        if ".." in steps[first:]:
            return False
        base = "/".join(steps[:first]) or ("/" if pattern.startswith("/") else ".")
        return self.allows_path(base)

    def require_path(self, path: str) -> None:
        """Raise FatalError unless `allows_path`: for paths that are only known while the pipeline runs."""
        if not self.allows_path(path):
            raise FatalError("config.not_allowed", f"the path {path!r} is not allowed here", hint=HINTS["path"])


EVERYTHING: Final = Permissions(python=None, paths=None, env=None)
"""What the user of `wire run` may do: whatever the operating system lets them."""

Kind = Literal["path", "pattern", "python"]

HINTS: Final[dict[Kind | Literal["env"], str]] = {
    "path": "the cluster's operator allows files and folders by --allow-paths, but none of the node's own",
    "pattern": "the cluster's operator allows files and folders by --allow-paths, but none of the node's own",
    "python": "the cluster's operator allows functions by --allow-python",
    "env": "the cluster's operator allows variables by --allow-env",
}


@dataclass(frozen=True, slots=True)
class Local:
    """Marks a field's type: the text names something of a kind; `named` finds it in the text."""

    kind: Kind
    named: Callable[[str], Iterable[str]]


def _itself(text: str) -> Iterable[str]:
    return (text,)


def _files_of_uri(uri: str) -> Iterable[str]:
    try:
        options = [(name.lower(), value) for name, value in parse_qsl(urlsplit(uri).query)]
    except ValueError:  # what the URI is for says better what is wrong with it
        return ()
    files = [value for name, value in options if name in _URI_FILES]
    if any(name == "authmechanism" and value.upper() in _AS_THE_MACHINE for name, value in options):
        files.append(_IDENTITY_OF_THE_MACHINE)
    return files


LOCAL_PATH: Final = Local("path", _itself)
LOCAL_PATTERN: Final = Local("pattern", _itself)
LOCAL_FUNCTION: Final = Local("python", _itself)
LOCAL_URI_FILES: Final = Local("path", _files_of_uri)
"""For a connection string that may name certificates among its options."""


def _within(real: str, allowed: str) -> bool:
    top = os.path.realpath(allowed)
    return real == top or real.startswith(top.rstrip("/") + "/")
