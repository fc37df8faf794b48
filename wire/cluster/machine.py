"""The state machine, as consensus uses it and as the rest of a node reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from wire.cluster import snapshot
from wire.cluster.apply import apply
from wire.cluster.commands import Answer, AnyCommand
from wire.cluster.encoding import decode, encode_answer
from wire.cluster.state import State


class ClusterMachine:
    """A `wire.raft.StateMachine` over `State`: the same log gives the same state everywhere (I6).

    A command that this release does not know raises FatalError out of `apply` before anything is changed, so that
    consensus stops on this node with the entry before it as the last one applied.
    """

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        """Begin with nothing. `on_error` is told when a listener raises: the state can't wait for that."""
        self._state = State()
        self._on_error = on_error
        self._applied: list[Callable[[int, AnyCommand, Answer], None]] = []
        self._restored: list[Callable[[], None]] = []

    @property
    def state(self) -> State:
        """What is applied by now, to be read on the event loop and not to be changed.

        After a `restore` it is another object: ask for it anew after each `await`.
        """
        return self._state

    def listen(self, applied: Callable[[int, AnyCommand, Answer], None], restored: Callable[[], None]) -> None:
        """Call `applied` after each command, with its index and answer, and `restored` after each snapshot.

        `applied` is called where commands are applied, and delays consensus: it takes note and returns. `restored` is
        called in another thread.
        """
        self._applied.append(applied)
        self._restored.append(restored)

    def apply(self, index: int, command: bytes) -> bytes:
        """Apply a committed command and return its answer, encoded. Raises FatalError for an unknown one only."""
        decoded = decode(command)
        answer = apply(self._state, index, decoded)
        for listener in self._applied:
            try:
                listener(index, decoded, answer)
            except Exception as exc:  # whatever it is, the entry is applied
                self._on_error(exc)
        return encode_answer(answer)

    def snapshot(self) -> Iterator[bytes]:
        """Return the state as of now, in chunks that may be made in another thread while commands are applied."""
        return snapshot.chunks(self._state)

    def restore(self, chunks: Iterable[bytes]) -> None:
        """Put what `snapshot` gave in the place of the state, at once.

        Raises FatalError for what can't be read; then the state stays as it was.
        """
        self._state = snapshot.read(chunks)
        for listener in self._restored:
            try:
                listener()
            except Exception as exc:
                self._on_error(exc)
