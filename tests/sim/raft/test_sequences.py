"""The sequences of messages by which the library loses what it has confirmed, played by whole clusters of replicas.

Each step is checked as in the search through small worlds. The numbers are those of docs/consensus.md; which repair it
is without which a sequence fails stands in tests/mutants/repairs.py, and `make mutants` sees to it.
"""

from __future__ import annotations

import pysyncobj.syncobj
import pytest

from tests.sim.raft.small.host import Alter, Campaign, Heartbeat, Propose, Restart, Snapshot
from tests.sim.raft.small.play import Play
from wire.raft.transport.messages import Append, AppendReply, Message
from wire.raft.types import Configuration

pytestmark = pytest.mark.sim


@pytest.fixture(autouse=True)
def _the_clock_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pysyncobj.syncobj, "monotonicTime", pysyncobj.syncobj.monotonicTime)


def is_reply(message: Message) -> bool:
    return isinstance(message, AppendReply)


def elected(play: Play, candidate: int, voter: int) -> None:
    """Let a member be elected, of which the voter knows nothing yet."""
    play.do(candidate, Campaign())
    play.carry(candidate, voter, to=voter)
    play.carry(candidate, voter, to=candidate)


def led(play: Play, *members: int) -> None:
    """Let the first of these be elected by them, and all of them have and commit its first entry."""
    play.do(members[0], Campaign())
    play.carry(*members)
    play.do(members[0], Heartbeat())
    play.carry(*members)
    assert play.witness(members[0]).led


def test_1_what_a_snapshot_replaces_is_not_confirmed() -> None:
    play = Play()
    led(play, 0, 1, 2)
    play.do(0, Propose(b"lost"))
    play.hold_back()
    led(play, 1, 2)
    play.do(1, *(Propose(b"%d" % n) for n in range(6)))
    play.carry(1, 2)
    play.hold_back()
    play.do(1, Snapshot(), Heartbeat())
    play.carry(0, 1, 2)
    assert play.witness(0).confirmed == 0
    assert play.witness(0).values == play.witness(1).values == tuple(b"%d" % n for n in range(6))


def test_1_a_heartbeat_does_not_commit_a_tail_that_was_never_compared() -> None:
    play = Play()
    led(play, 0, 1, 2)
    play.do(0, *(Propose(b"lost%d" % n) for n in range(3)))
    play.hold_back()
    led(play, 1, 2)
    play.do(1, *(Propose(b"%d" % n) for n in range(3)))
    play.carry(1, 2)
    play.hold_back()
    play.do(1, Heartbeat())
    play.carry(0, 1, 2)
    assert play.witness(0).values == (b"0", b"1", b"2")


def test_1_a_tail_that_was_never_compared_is_not_acknowledged() -> None:
    play = Play()
    led(play, 0, 1, 2)
    play.do(0, *(Propose(b"lost%d" % n) for n in range(2)))  # as many as the next leader will have in their place
    play.hold_back()
    elected(play, 1, 2)
    play.hold_back()
    play.do(1, Propose(b"v"), Heartbeat())
    play.carry(0, 1, to=0)
    play.carry(0, 1, to=1)
    assert play.witness(1).confirmed == 0


def test_2_a_late_reply_to_an_earlier_leadership_confirms_nothing() -> None:
    play = Play(voters=5)
    led(play, 0, 1, 2, 3, 4)
    play.hold_back()
    play.do(0, *(Propose(b"stale%d" % n) for n in range(4)))
    for _ in range(4):  # one message at a time: the reply to the first has the others sent
        play.carry(0, 1, to=1)
        play.carry(0, 1, to=0)
    play.hold_back()  # what 1 has replied comes later once more
    led(play, 2, 3, 4)
    play.do(2, Heartbeat())
    play.carry(0, 1, 2)
    play.hold_back()
    led(play, 0, 3, 4)
    play.hold_back()
    play.do(0, Propose(b"v"))
    play.carry(0, 3)
    before = play.witness(0).confirmed
    play.deliver_late(1, 0, is_reply)
    assert play.witness(0).confirmed == before
    led(play, 2, 1, 4)  # 0 and 3 are gone, which is a minority


def test_3_a_leader_that_is_cut_off_makes_no_majority_of_newcomers() -> None:
    play = Play(strangers=2)
    led(play, 0, 1, 2)
    play.hold_back()
    founders = play.configuration(0).voters
    one, other = (each for each in play.world.members if each not in founders)
    play.do(0, Alter(Configuration(founders, (one,))))
    play.do(0, Alter(Configuration(founders, (one, other))))
    play.carry(0, 3, 4)
    play.do(0, Alter(Configuration((*founders, one))), Propose(b"v"), Heartbeat())
    play.carry(0, 3, 4)
    assert play.configuration(0) == Configuration(founders, (one,))
    assert play.witness(0).confirmed == 0
    led(play, 1, 2)
    play.do(1, Propose(b"w"))
    play.carry(1, 2)
    assert play.witness(1).confirmed == 1


def test_5_what_is_sent_again_makes_nobody_forget_what_was_confirmed() -> None:
    play = Play()
    led(play, 0, 1, 2)
    play.hold_back()
    play.do(0, *(Propose(b"%d" % n) for n in range(4)))
    for _ in range(2):  # one message at first: the reply to it has the others sent
        play.carry(0, 1, to=1)
        play.carry(0, 1, to=0)
    assert play.witness(0).confirmed == 4
    play.hold_back()
    play.deliver_late(0, 1, lambda message: isinstance(message, Append) and message.previous_index == 2)
    led(play, 1, 2)  # 0 is gone
    assert play.witness(1).values == tuple(b"%d" % n for n in range(4))


def test_9_a_vote_that_was_given_before_a_restart_makes_no_second_leader() -> None:
    play = Play()
    play.do(0, Campaign())
    play.carry(0, 2, to=2)
    play.do(2, Restart())
    play.do(1, Campaign())
    play.carry(1, 2)
    play.carry(0, 2, to=0)
    assert play.witness(0).led == {1}
    assert not play.witness(1).led


def test_12_a_leader_that_was_deposed_answers_no_read() -> None:
    play = Play()
    led(play, 0, 1, 2)
    play.hold_back()
    led(play, 1, 2)
    play.do(1, Propose(b"v"))
    play.carry(1, 2)
    assert play.witness(1).confirmed == 1
    play.read(0)
    play.do(0, Heartbeat())  # it does not know yet, and nobody answers
    play.deliver_late(1, 0, is_reply)
    play.deliver_late(2, 0, is_reply)


def test_12_a_new_leader_answers_no_read_before_its_first_entry_is_committed() -> None:
    play = Play()
    led(play, 0, 1, 2)
    play.do(0, Propose(b"v"))
    play.carry(0, 1, to=1)
    play.carry(0, 1, to=0)
    assert play.witness(0).confirmed == 1
    play.hold_back()
    elected(play, 1, 2)
    play.read(1)
    play.carry(1, 2, to=2)
    play.carry(1, 2, to=1)
    assert play.witness(1).led == {2}
