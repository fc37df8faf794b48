"""Terms, votes and elections: the library's, with what is wrong in them put right.

Each override names the defect that it repairs by its number in docs/consensus.md, or what else it is for.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any, Final

from pysyncobj import SyncObjConf

from wire.raft.replica.library import (
    CANDIDATE,
    FOLLOWER,
    LEADER,
    Library,
    Peer,
    check_instance,
    check_release,
    monotonic,
)
from wire.raft.replica.log import LibraryLog
from wire.raft.replica.recovery import Recovered
from wire.raft.replica.settings import RaftSettings
from wire.raft.storage.ports import LogStore
from wire.raft.transport.messages import (
    Message,
    PreVote,
    PreVoteReply,
    RequestVote,
    TimeoutNow,
    VoteReply,
)
from wire.raft.types import Member, MemberId, Role

_NEVER: Final = float("inf")
_AT_ONCE: Final = -1.0


class Consensus(Library):
    """One member among others. `outbox` is what it has to say, once the log's changes are on disk (I5)."""

    def __init__(
        self,
        me: Member,
        store: LogStore,
        recovered: Recovered,
        settings: RaftSettings,
        rng: random.Random,
    ) -> None:
        """Begin with what was recovered. Raises UnavailableError if the library is not the one that is repaired."""
        check_release()
        self.me = me
        self.outbox: list[tuple[MemberId, Message]] = []
        self.removed = False
        self._store = store
        self._configurations = recovered.configurations
        self._settings = settings
        self._random = rng
        self._peers: dict[MemberId, Peer] = {}
        self._is_voter = False
        self._votes: set[MemberId] = set()
        self._pre_votes: set[MemberId] = set()
        self._pre_vote_round = rng.getrandbits(60)  # a late reply to an earlier life counts for nothing
        self._pre_vote_won = False
        self._told_to_campaign = False
        self._leader_heard_at = -_NEVER
        self._in_round = False
        self._won = False
        conf = SyncObjConf(
            autoTick=False,
            appendEntriesUseBatch=True,
            commandsWaitLeader=False,
            useFork=False,
            dynamicMembershipChange=False,
            pollerType="select",
            appendEntriesPeriod=settings.heartbeat_s,
            raftMinTimeout=settings.election_min_s,
            raftMaxTimeout=settings.election_max_s,
            leaderFallbackTimeout=settings.election_min_s,
            connectionTimeout=settings.election_max_s,
        )
        super().__init__(Peer(me.id), [], conf, nodeClass=Peer, transport=_Gate(self))
        check_instance(self)
        self._poller = _NoPoller()
        self.log = LibraryLog(store)
        self.dump_wanted = False
        vote, (_, last_term) = store.vote, store.last
        self.term = max(vote.term, last_term)
        self.voted_for = vote.candidate if vote.term >= last_term else None
        self.commit = self.applied = recovered.applied
        self._reconfigured()

    # who is who

    @property
    def is_leader(self) -> bool:
        """Whether this member believes that it leads; only a barrier knows."""
        return self.state == LEADER

    @property
    def leader(self) -> MemberId | None:
        """The leader of this term, as far as this member knows."""
        node = self.leader_node
        return None if node is None else MemberId(node.id)

    @property
    def role(self) -> Role:
        """What this member is."""
        if self.removed:
            return Role.REMOVED
        if not self._is_voter:
            return Role.LEARNER
        return {FOLLOWER: Role.FOLLOWER, CANDIDATE: Role.CANDIDATE, LEADER: Role.LEADER}[self.state]

    def _reconfigured(self) -> None:
        """Follow the newest configuration, committed or not (defect 3: it counts from when it is in the log)."""
        newest = self._configurations.newest
        self._is_voter = any(each.id == self.me.id for each in newest.voters)
        self._other_voter_ids = frozenset(each.id for each in newest.voters if each.id != self.me.id)
        others = sorted(each.id for each in newest.members if each.id != self.me.id)
        self._peers = {id_: self._peers.get(id_) or Peer(id_) for id_ in others}
        self.other_voters = {peer for id_, peer in self._peers.items() if id_ in self._other_voter_ids}
        self.other_learners = {peer for id_, peer in self._peers.items() if id_ not in self._other_voter_ids}

    def _is_quorum(self, members: Iterable[MemberId]) -> bool:
        """Say whether these, without counting anybody twice, and this voter are a majority (defect 13)."""
        count = len(self._other_voter_ids.intersection(members)) + self._is_voter
        return 2 * count > len(self._other_voter_ids) + self._is_voter

    def _send(self, to: MemberId, message: Message) -> None:
        self.outbox.append((to, message))

    def _newer(self, term: int) -> None:
        """Follow whoever is of a newer term, whatever it says."""
        if term > self.term:
            self._SyncObj__setCurrentTerm(term, None)
            self._step_down()

    def _step_down(self) -> None:
        self._SyncObj__setState(FOLLOWER)
        self.leader_node = None
        self._leader_changed()

    def _leader_changed(self) -> None:
        """Learn that whoever led does not any more."""

    @property
    def hears_leader(self) -> bool:
        """Whether this member leads, or has heard of who does within an election timeout."""
        return self.is_leader or monotonic() - self._leader_heard_at < self._settings.election_max_s

    def _forget_silent_leader(self) -> None:
        if self.leader_node is not None and not self.hears_leader:
            self.leader_node = None
            self._leader_changed()

    # elections

    def _onTick(self, timeToWait: float = 0.0) -> None:  # noqa: N802, N803 (the library's names)
        """Let the library do its round, but begin an election only when a pre-vote was won just now (defect 12)."""
        now = monotonic()
        if self.state != LEADER and self.election_deadline < now and not self._pre_vote_won:
            self.election_deadline = now + self._SyncObj__generateRaftTimeout()
            if self._is_voter and not self.removed:
                self._ask_pre_votes()
        deadline = self.election_deadline
        campaigns = (self._pre_vote_won or self._told_to_campaign) and self._is_voter and self.state != LEADER
        self._pre_vote_won = self._told_to_campaign = False
        if campaigns:
            self._votes = set()
        self.election_deadline = _AT_ONCE if campaigns else _NEVER  # the library reads the clock again
        self._in_round, self._won = True, False
        self.log.end = self._countable() if self.is_leader else None
        super()._onTick(timeToWait)
        self.log.end = None
        self._in_round = False
        if self.election_deadline in (_AT_ONCE, _NEVER):
            self.election_deadline = deadline
        if self._won:
            self._SyncObj__onBecomeLeader()

    def _countable(self) -> int:
        """Return which entry the library is to look at, to see whether it is committed, and let it begin there.

        It looks at one entry after the other from the last that is committed on: that would take seconds where a
        million are in the log. Nothing of an earlier term is committed by counting (https://raft.github.io/raft.pdf
        §5.4.2), and what is before an entry that is committed is committed, too.
        """
        others = sorted((self.match[peer] for peer in self.other_voters), reverse=True)
        needed = (len(others) + 1) // 2  # beside this one
        index = others[needed - 1] if needed else self._store.last[0]
        if index <= self.commit or self._store.term_at(index) != self.term:
            return self.commit
        self.commit = index - 1
        return index

    def _SyncObj__onBecomeLeader(self) -> None:  # noqa: N802 (the library's name)
        """Lead, but not within the library's round: one alone would count its first entry before it is on disk (I5).

        Not a row of the table, since the library syncs nothing anyway; it was found on the way.
        """
        if self._in_round:
            self._won = True
        else:
            self._lead()

    def _lead(self) -> None:
        super()._SyncObj__onBecomeLeader()  # appends the term's first entry and sends

    def _ask_pre_votes(self) -> None:
        self._pre_vote_round += 1
        self._pre_votes = set()
        if self._is_quorum(()):
            self._pre_vote_won = True
            return
        index, term = self._store.last
        for node in self.other_voters:
            self._send(MemberId(node.id), PreVote(self.term + 1, self._pre_vote_round, index, term))

    def _up_to_date(self, index: int, term: int) -> bool:
        last_index, last_term = self._store.last
        return (term, index) >= (last_term, last_index)

    def _on_pre_vote(self, sender: MemberId, message: PreVote) -> None:
        led = self.is_leader or monotonic() - self._leader_heard_at < self._settings.election_min_s
        granted = message.term > self.term and not led and self._up_to_date(message.last_index, message.last_term)
        self._send(sender, PreVoteReply(self.term, message.round, granted))

    def _on_pre_vote_reply(self, sender: MemberId, message: PreVoteReply) -> None:
        self._newer(message.term)
        if message.granted and message.round == self._pre_vote_round and not self.is_leader:
            self._pre_votes.add(sender)
            if self._is_quorum(self._pre_votes):
                self._pre_vote_won = True

    def _on_request_vote(self, sender: MemberId, message: RequestVote) -> None:
        self._newer(message.term)
        granted = (
            message.term == self.term
            and self.state == FOLLOWER
            and self.voted_for in (None, sender)
            and self._up_to_date(message.last_index, message.last_term)
        )
        if granted:
            if self.voted_for is None:
                self._SyncObj__setCurrentTerm(self.term, sender)
            self.election_deadline = monotonic() + self._SyncObj__generateRaftTimeout()
        self._send(sender, VoteReply(self.term, granted))

    def _on_vote_reply(self, sender: MemberId, message: VoteReply) -> None:
        self._newer(message.term)
        if self.state == CANDIDATE and message.granted and message.term == self.term:
            self._votes.add(sender)
            if self._is_quorum(self._votes):
                self._SyncObj__onBecomeLeader()

    def _on_timeout_now(self, sender: MemberId, message: TimeoutNow) -> None:
        if message.term == self.term and sender == self.leader and self._is_voter:
            self._told_to_campaign = True

    # the library's ways that are not taken

    def _SyncObj__generateRaftTimeout(self) -> float:  # noqa: N802 (the library's name)
        """Draw from this member's own random numbers: the library's are the process's, and no run could be repeated."""
        return self._random.uniform(self._settings.election_min_s, self._settings.election_max_s)

    def _SyncObj__connectedToAnyone(self) -> bool:  # noqa: N802 (the library's name)
        """Say so: the library's connections are not used, and a pre-vote that was won has shown it (defect 12)."""
        return True

    def _checkCommandsToApply(self) -> None:  # noqa: N802 (the library's name)
        """Do nothing: proposals do not go through the library's queue (defects 11 and 8)."""

    def _SyncObj__tryLogCompaction(self) -> None:  # noqa: N802 (the library's name)
        """Do nothing: snapshots are the driver's (defects 7 and 14)."""

    def _SyncObj__onMessageReceived(self, node: Peer, message: Any) -> None:  # noqa: N802 (the library's name)
        """Do nothing: messages of the library's own kind are pickled dictionaries (defect 10)."""


class _Gate:
    """Stands in the place of the library's transport: what the library still sends itself are its calls for votes."""

    ready = True

    def __init__(self, consensus: Consensus) -> None:
        self._consensus = consensus

    def send(self, node: Peer, message: dict[str, Any]) -> bool:
        vote = RequestVote(message["term"], message["last_log_index"], message["last_log_term"])
        self._consensus.outbox.append((MemberId(node.id), vote))
        return True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("set"):  # the library registers what it wants to be told: it is not told
            return lambda *_: None
        raise AttributeError(name)


class _NoPoller:
    def poll(self, timeout: float) -> None:
        pass
