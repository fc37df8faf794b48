"""The numbered repairs of docs/consensus.md, each with the text that undoes it."""

from __future__ import annotations

from typing import Final

from tests.mutants.mutant import Mutant

# ruff: noqa: E501 (the lines are those of the source, where indentation counts)

_CONSENSUS: Final = "replica/consensus.py"
_REPLICATION: Final = "replica/replication.py"
_PROPOSING: Final = "replica/proposing.py"
_REPLICA: Final = "replica/replica.py"
_SEGMENTS: Final = "storage/segments.py"
_SNAPSHOTS: Final = "storage/snapshots.py"
_RECEIVING: Final = "storage/snapshot_receiving.py"
_STORAGE_TESTS: Final = ("tests/unit/raft/storage",)

REPAIRS: Final = [
    Mutant(
        "1 commit up to the own last entry",
        _REPLICATION,
        "min(message.commit, matched)",
        "min(message.commit, self._store.last[0])",
        sequences=("test_1_a_heartbeat_does_not_commit_a_tail_that_was_never_compared",),
    ),
    Mutant(
        "1 acknowledge the own last entry",
        _REPLICATION,
        "AppendReply(self.term, message.round, matched, True)",
        "AppendReply(self.term, message.round, self._store.last[0], True)",
        sequences=("test_1_a_tail_that_was_never_compared_is_not_acknowledged",),
    ),
    Mutant(
        "1 a snapshot drops the tail that fits",
        _REPLICA,
        "if self._store.term_at(info.index) != info.term:",
        "if True:",
    ),
    Mutant(
        "1 entries of an earlier term are committed by counting",
        _CONSENSUS,
        "index <= self.commit or self._store.term_at(index) != self.term",
        "index <= self.commit",
    ),
    Mutant(
        "1 who waits for what a snapshot covers hears that it was done",
        "replica/proposals.py",
        'Unknown("a snapshot covers it") if result is None else result',
        'result or b"0"',
        sequences=("test_1_what_a_snapshot_replaces_is_not_confirmed",),
    ),
    Mutant(
        "2 replies of another term count",
        _REPLICATION,
        "if not self.is_leader or message.term != self.term or peer is None:\n            return\n        progress = self._progress[peer]\n        self.heard[peer] = progress.heard_at = monotonic()\n        self._barriers",
        "if not self.is_leader or peer is None:\n            return\n        progress = self._progress[peer]\n        self.heard[peer] = progress.heard_at = monotonic()\n        self._barriers",
        sequences=("test_2_a_late_reply_to_an_earlier_leadership_confirms_nothing",),
    ),
    Mutant(
        "3 a change before the term's first entry",
        _REPLICA,
        "max(self._configurations.index, self.no_op_index or 0)",
        "self._configurations.index",
    ),
    Mutant(
        "3 changes overlap",
        _REPLICA,
        "max(self._configurations.index, self.no_op_index or 0)",
        "(self.no_op_index or 0)",
        sequences=("test_3_a_leader_that_is_cut_off_makes_no_majority_of_newcomers",),
    ),
    Mutant(
        "3 incarnations are not told apart",
        _REPLICA,
        "        match message:\n            case m.Append():\n",
        "        one = sender.partition('/')[0] + '/'\n        sender = next((id_ for id_ in self._peers if id_.startswith(one)), sender)\n        match message:\n            case m.Append():\n",
    ),
    Mutant("3 several voters at once", _REPLICA, "len(before ^ after) > 1 or", ""),
    Mutant(
        "3 a vote without catching up",
        _REPLICA,
        "newest.member(new) is None or self.match.get(Peer(new), 0) < self.commit",
        "newest.member(new) is None",
    ),
    Mutant(
        "3 members count only once committed",
        _PROPOSING,
        "        if self._configurations.appended(entry):\n            self._reconfigured()\n",
        "        self._configurations.appended(entry)\n",
    ),
    Mutant("3 who was removed comes back", _REPLICA, "if member.id in newest.removed:", "if False:"),
    Mutant(
        "3 who was removed is forgotten",
        _REPLICA,
        "command_of(following(self._configurations.newest, wanted))",
        "command_of(wanted)",
    ),
    Mutant(
        "5 entries that match are cut off",
        _REPLICATION,
        "if term is not None and term != entry.term:",
        "if term is not None:",
        sequences=("test_5_what_is_sent_again_makes_nobody_forget_what_was_confirmed",),
    ),
    Mutant(
        "5 what matched goes back",
        _REPLICATION,
        "if message.index > self.match[peer]:",
        "if True:",
    ),
    Mutant(
        "5 what an entry follows is not compared",
        _REPLICATION,
        "if previous <= self.commit or term == message.previous_term:",
        "if True:",
    ),
    Mutant(
        "9 everything is sent before the log is on disk",
        _REPLICATION,
        "        if not self.is_leader or not self.other_voters:  # one alone may not even have its vote on disk\n            return []\n        held, self.outbox = self.outbox, []",
        "        held: list[tuple[MemberId, Message]] = []",
    ),
    Mutant(
        "9 who was voted for is forgotten",
        _CONSENSUS,
        "self._SyncObj__setCurrentTerm(self.term, sender)",
        "pass",
        sequences=("test_9_a_vote_that_was_given_before_a_restart_makes_no_second_leader",),
    ),
    Mutant(
        "11 requests are not recognised",
        _PROPOSING,
        "            self._requests.add(request_id, result)\n",
        "            pass\n",
    ),
    Mutant(
        "12 no pre-vote",
        _CONSENSUS,
        "            if self._is_voter and not self.removed:\n                self._ask_pre_votes()",
        "            self._pre_vote_won = self._is_voter",
    ),
    Mutant(
        "12 pre-votes though a leader is heard",
        _CONSENSUS,
        "message.term > self.term and not led and",
        "message.term > self.term and",
    ),
    Mutant(
        "12 old pre-votes count",
        _CONSENSUS,
        "message.granted and message.round == self._pre_vote_round and",
        "message.granted and",
    ),
    Mutant(
        "12 a read without a quorum",
        "replica/barriers.py",
        "if round_ >= first.round",
        "if True",
        sequences=("test_12_a_leader_that_was_deposed_answers_no_read",),
    ),
    Mutant(
        "12 a read before the term's first entry",
        _PROPOSING,
        "max(self.commit, self.no_op_index or 0), deadline",
        "self.commit, deadline",
        sequences=("test_12_a_new_leader_answers_no_read_before_its_first_entry_is_committed",),
    ),
    Mutant(
        "13 a vote counts twice",
        _CONSENSUS,
        "self._votes.add(sender)\n            if self._is_quorum(self._votes)",
        "self._votes.add(MemberId(str(len(self._votes))))\n            if 2 * len(self._votes) >= len(self.other_voters)",
    ),
    Mutant(
        "13 votes of strangers count",
        _CONSENSUS,
        "len(self._other_voter_ids.intersection(members))",
        "len(set(members))",
    ),
    Mutant(
        "13 a vote for a log that is behind",
        _CONSENSUS,
        "            and self._up_to_date(message.last_index, message.last_term)\n        )\n        if granted:",
        "        )\n        if granted:",
    ),
    Mutant(
        "17 a snapshot with the newest members",
        _REPLICA,
        "self._configurations.at(self.applied)",
        "self._configurations.newest",
    ),
    Mutant(
        "a leader counts its first entry too early",
        _CONSENSUS,
        "        if self._in_round:\n            self._won = True",
        "        if False:\n            self._won = True",
    ),
    Mutant("what is not on disk is counted", _REPLICA, "if self._store.dirty:", "if False:"),
    Mutant(
        "who stepped down goes on sending",
        _REPLICA,
        "        else:\n            if led:\n",
        "        else:\n            self._send_rest()\n            if led:\n",
    ),
    Mutant(
        "each message that was overtaken is sent again",
        _REPLICATION,
        "elif progress.snapshot is None and message.round >= progress.since:",
        "elif progress.snapshot is None:",
        seeds=("test_what_was_overtaken_is_not_sent_again_for_each_message_that_is_refused",),
    ),
    Mutant(
        "a piece of a snapshot is sent for every reply",
        _REPLICATION,
        "            and progress.offset != message.offset  # a reply that comes twice must not ask for two pieces\n",
        "",
        seeds=("test_a_reply_that_comes_twice_does_not_ask_for_two_pieces_of_a_snapshot",),
    ),
    Mutant(
        "a piece of a snapshot is never sent again",
        _REPLICATION,
        "elif progress.snapshot is not None and now - progress.sent_at > patience_s:",
        "elif False:",
    ),
    Mutant("3 a leader removes itself", _REPLICA, "if self.me.id not in after:", "if False:"),
    Mutant(
        "4 a segment is dropped that is still needed",
        _SEGMENTS,
        "if len(self.all) < 2 or self.all[0].top > self.durable.base[0]:",
        "if len(self.all) < 2:",
        _STORAGE_TESTS,
    ),
    Mutant(
        "4 a new segment's name is not synced",
        _SEGMENTS,
        "                self._files.rename(name + UNFINISHED, name)\n            sync_names(self._files)\n",
        "                self._files.rename(name + UNFINISHED, name)\n",
        _STORAGE_TESTS,
    ),
    Mutant(
        "7 a snapshot has its name before it is on disk",
        "storage/snapshot_files.py",
        "            file.sync()  # I5: nothing has a final name that is not on disk to its last byte\n",
        "",
        _STORAGE_TESTS,
    ),
    Mutant(
        "7 the log is cut before the snapshot's name is on disk",
        _SNAPSHOTS,
        "        self._sync_folder()  # I5: only now is it there for certain, and may the log that led to it be dropped\n",
        "",
        _STORAGE_TESTS,
    ),
    Mutant(
        "7 a start keeps a log that does not reach its snapshot",
        "replica/recovery.py",
        "if store.term_at(info.index) != info.term:",
        "if False:",
    ),
    Mutant(
        "8 the log is cut beyond its end",
        "storage/held.py",
        "if index > self.last[0]:",
        "if False:",
        _STORAGE_TESTS,
    ),
    Mutant(
        "9 nothing is synced",
        _SEGMENTS,
        "            file.sync()\n        except OSError as exc:\n            raise not_synced",
        "            pass\n        except OSError as exc:\n            raise not_synced",
        _STORAGE_TESTS,
    ),
    Mutant(
        "10 a message is unpickled",
        "transport/messages.py",
        "return decoded(_decoder.decode, payload)",
        "return __import__('pickle').loads(payload)",
        ("tests/unit/raft/transport",),
    ),
    Mutant(
        "6 what a state machine raises is passed over",
        _PROPOSING,
        "        result = self._machine.apply(entry.index, body)\n",
        "        try:\n            result = self._machine.apply(entry.index, body)\n        except Exception:\n            return b''\n",
    ),
    Mutant("11 a proposal has no deadline", _REPLICA, "            self._proposals.expire(now)\n", ""),
    Mutant(
        "12 a leader needs no quorum",
        _CONSENSUS,
        "leaderFallbackTimeout=settings.election_min_s",
        "leaderFallbackTimeout=1e9",
    ),
    Mutant("15 a command of any size is taken", _PROPOSING, "if size > self._settings.max_command_bytes:", "if False:"),
    Mutant(
        "16 a piece is taken wherever it belongs",
        _RECEIVING,
        "offset != self.offset or offset + len(data)",
        "offset + len(data)",
        _STORAGE_TESTS,
    ),
    Mutant(
        "16 what has arrived is not checked",
        _RECEIVING,
        "            self._verify()\n        except StorageError as exc:",
        "            pass\n        except StorageError as exc:",
        _STORAGE_TESTS,
    ),
    Mutant(
        "leadership is handed to who does not have everything",
        _REPLICA,
        "elif not asked and self.match[peer] == self._store.last[0]:",
        "elif not asked:",
    ),
]
