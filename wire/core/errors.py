"""The error tree. Every error Wire raises on purpose is one of these.

    WireError                  has a code, a message, and where known a path and a hint
    ├── ConfigError            the user's input is wrong: carries one or more findings
    ├── RecordError            this one record can't be processed: it is dead-lettered, the pipeline goes on
    ├── RefusedError           what was asked for can't be done as things are: it is taken, or not there
    ├── RetryableError         may succeed if tried again, not before `after_s`
    ├── RestartError           this start of a task can't go on, a new one from its last checkpoint can
    └── FatalError             trying again can't help: the task stops loudly
        ├── UnavailableError   something the work needs is not there: a library, a server, a right
        └── FencedError        a newer epoch owns this work; nothing may be written any more

Errors are wrapped into this tree at package edges (`raise RetryableError(...) from exc`). A thing is either logged or
raised, never both. Messages, hints and paths never hold a secret (I9).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from wire.core.codes import CODES


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One mistake in the user's input: what, where, and what to do about it.

    `path` is a JSON path from the document's root (`$.sink.config.batch`). `line` and `column` count from 1 and point
    into the file where the document came from one; inside an expression the column points at the offending word.
    """

    code: str
    path: str
    message: str
    hint: str | None = None
    line: int | None = None
    column: int | None = None
    severity: str = "error"  # or "warning"


class WireError(Exception):
    """Base of all errors Wire raises on purpose.

    `code` is stable and listed in `wire.core.codes`; `path` says which part of the configuration is concerned; `hint`
    says what to do. `exit_code` is what the CLI exits with when the error reaches it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, code: str, message: str = "", *, path: str | None = None, hint: str | None = None) -> None:
        """Make an error; without a message the code's meaning is used."""
        super().__init__(message or CODES.get(code, code))
        self.code = code
        self.path = path
        self.hint = hint

    @property
    def message(self) -> str:
        """What went wrong, in one sentence without the code."""
        return str(self.args[0])

    def __str__(self) -> str:
        where = f" at {self.path}" if self.path else ""
        hint = f" (hint: {self.hint})" if self.hint else ""
        return f"{self.code}{where}: {self.message}{hint}"


class ConfigError(WireError):
    """The user's input is wrong. `findings` holds every mistake found, never just the first."""

    exit_code = 2

    def __init__(self, findings: Sequence[Finding]) -> None:
        """Make an error from at least one finding."""
        first = findings[0]
        super().__init__(first.code, first.message, path=first.path, hint=first.hint)
        self.findings = tuple(findings)


class RecordError(WireError):
    """One record can't be processed, now or ever. The engine dead-letters it and goes on."""


class RefusedError(WireError):
    """What was asked for can't be done as things are, and nothing was changed. Asked again it is refused again."""


class RetryableError(WireError):
    """The operation may succeed if tried again, not sooner than `after_s` seconds from now."""

    exit_code = 3

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        after_s: float = 0.0,
        path: str | None = None,
        hint: str | None = None,
    ) -> None:
        """Make an error; `after_s` is the least wait the other side asked for, 0 if it did not."""
        super().__init__(code, message, path=path, hint=hint)
        self.after_s = after_s


class RestartError(WireError):
    """What was written since the last checkpoint was taken back, or nobody knows: the task has to begin anew there.

    Whoever runs the task does so by itself, after a pause.
    """


class FatalError(WireError):
    """Trying again can't help. The task stops and says so."""


class UnavailableError(FatalError):
    """Something the work needs is not there: a library, a server at start, a right, a folder."""

    exit_code = 3


class FencedError(FatalError):
    """A newer epoch has taken this work over (I4)."""


def root_cause(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one error that says most about why a task group failed: a FatalError before anything else."""
    leaves: list[BaseException] = []
    for exc in group.exceptions:
        leaves.append(root_cause(exc) if isinstance(exc, BaseExceptionGroup) else exc)
    return next((leaf for leaf in leaves if isinstance(leaf, FatalError)), leaves[0])
