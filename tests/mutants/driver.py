"""What keeps the disk before the network, bounds what waits, and what else a review undid without anybody noticing."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

# ruff: noqa: E501 (the lines are those of the source, where indentation counts)

_CONSENSUS: Final = "replica/consensus.py"
_PROPOSING: Final = "replica/proposing.py"
_REPLICA: Final = "replica/replica.py"
_SNAPSHOTS: Final = "storage/snapshots.py"
_RECEIVING: Final = "storage/snapshot_receiving.py"
_NODE: Final = "node.py"
_SCANNING: Final = "storage/scanning.py"
_STORAGE_TESTS: Final = ("tests/unit/raft/storage",)

DRIVER: Final = [
    Mutant(
        "9 what waits for the disk is sent before the sync",
        _NODE,
        "        if self._store.dirty:\n            began = monotonic()\n",
        "        outbox, self._replica.outbox = self._replica.outbox, []\n        self._send(outbox)\n        if self._store.dirty:\n            began = monotonic()\n",
        ("tests/integration/raft/test_node_order.py",),
    ),
    Mutant(
        "any number of messages are under way",
        "replica/progress.py",
        "MAX_IN_FLIGHT: Final = 16",
        "MAX_IN_FLIGHT: Final = 10**9",
    ),
    Mutant(
        "who knows nothing of a peer sends it all",
        "replica/progress.py",
        "1 if self.probing else MAX_IN_FLIGHT",
        "MAX_IN_FLIGHT",
    ),
    Mutant("all of a backlog is applied at once", _PROPOSING, "if now > stop_at:", "if False:"),
    Mutant(
        "a backlog leaves nobody else a turn",
        _NODE,
        "            await asyncio.sleep(0)  # what is sent has to be written, and others have work of their own\n",
        "",
        ("tests/integration/raft/test_node_threads.py",),
    ),
    Mutant(
        "3 members in the log do not count at a start",
        "replica/recovery.py",
        "return Recovered(Configurations(info.index, info.configuration, behind), info.index)",
        "return Recovered(Configurations(info.index, info.configuration), info.index)",
    ),
    Mutant(
        "21 who was removed does not learn of it",
        _NODE,
        "            self._replica.removed = True\n",
        "",
        ("tests/integration/raft/test_node.py::test_a_removed_member_learns_of_it_and_the_others_go_on",),
    ),
    Mutant(
        "20 what was carried out is not in a snapshot",
        _REPLICA,
        "chain(self._requests.snapshot(), ",
        "chain(Requests(1, 1).snapshot(), ",
    ),
    Mutant(
        "20 any number of requests are remembered", "replica/requests.py", "len(self._results) > self._limit or ", ""
    ),
    Mutant(
        "20 requests of any size are remembered",
        "replica/requests.py",
        " or (self._bytes > self._max_bytes and len(self._results) > 1)",
        "",
    ),
    Mutant(
        "4 all damage is taken for a torn write",
        _SCANNING,
        "    if found.end < found.proven:\n",
        "    return\n    if found.end < found.proven:\n",
        _STORAGE_TESTS,
    ),
    Mutant(
        "4 what is gone of a log is passed over", _SCANNING, "if found.end < found.proven:", "if False:", _STORAGE_TESTS
    ),
    Mutant(
        "4 what later marks prove is passed over",
        _SCANNING,
        "if found.end < _synced_by_later_marks(data, key, found.end):",
        "if False:",
        _STORAGE_TESTS,
    ),
    Mutant(
        "4 damage that no crash leaves is passed over",
        _SCANNING,
        "if found.end < len(data) and not _looks_torn(data, found.end, found.batch_end):",
        "if False:",
        _STORAGE_TESTS,
    ),
    Mutant(
        "12 anybody can ask for an election",
        _CONSENSUS,
        "message.term == self.term and sender == self.leader and",
        "message.term == self.term and",
    ),
    Mutant(
        "12 an earlier leader can ask for an election",
        _CONSENSUS,
        "if message.term == self.term and sender == self.leader",
        "if sender == self.leader",
    ),
    Mutant(
        "18 who does not lead takes commands",
        _PROPOSING,
        "self._refusal(len(message.command)) if self.is_leader else NOT_LEADER",
        "self._refusal(len(message.command))",
    ),
    Mutant(
        "16 a transfer begins anew with a restart",
        _RECEIVING,
        "(whole := whole_prefix(file, info, owner))",
        "(whole := 0)",
        ("tests/integration/raft/test_node.py::test_a_snapshot_goes_on_where_it_was_when_who_receives_it_restarts",),
    ),
    Mutant(
        "19 a snapshot that can't be read is passed over",
        _SNAPSHOTS,
        'with explained(files.path(names[-1]), "open"):',
        "with contextlib.suppress(StorageError):",
        _STORAGE_TESTS,
    ),
    Mutant(
        "the library is looked at too late",
        _CONSENSUS,
        "        check_release()\n",
        "",
        ("tests/integration/raft/test_node_library.py",),
    ),
    Mutant(
        "what the library's instances have is not looked at",
        _CONSENSUS,
        "        check_instance(self)\n",
        "",
        ("tests/integration/raft/test_node_library.py",),
    ),
]
