"""What a blank node does next, round by round."""

from __future__ import annotations

from msgspec.structs import replace

from wire.node.membership.founding import (
    Agree,
    Found,
    Join,
    Meeting,
    Renew,
    Resume,
    Standing,
    Step,
    Wait,
    Withdraw,
    cluster_of,
)
from wire.raft.types import Member, MemberId


def member(id_: str) -> Member:
    return Member(MemberId(id_), f"{id_.partition('/')[0]}:4001")


def node(id_: str, agreed: tuple[Member, ...] | None = None, **fields: object) -> Standing:
    return replace(Standing(member=member(id_), expect=3, agreed=agreed), **fields)


A, B, C = (node(f"{name}/1") for name in "abc")
ALL = tuple(member(f"{name}/1") for name in "abc")
BOUND_A, BOUND_B, BOUND_C = (replace(each, agreed=ALL) for each in (A, B, C))
AGAIN = node("c/2")
ELSEWHERE = "cluster-x"


def step(me: Standing, *others: Standing | None, meeting: Meeting | None = None) -> Step:
    answers = {f"{n}": other for n, other in enumerate(others)}
    return (meeting or Meeting()).next_step(me, answers)


def reason(found: Step) -> str:
    assert isinstance(found, Wait), found
    return found.reason


def test_the_first_by_name_makes_the_list_and_the_others_agree_to_it() -> None:
    assert step(A, C, B) == Agree(ALL)
    assert step(B, A, C) == Wait(3, "a has not made a list yet")
    assert step(B, BOUND_A, C) == Agree(ALL)
    assert step(C, BOUND_A, BOUND_B) == Agree(ALL)


def test_a_list_is_founded_once_all_have_agreed_or_one_has_founded_it() -> None:
    assert step(BOUND_A, BOUND_B, C) == Wait(
        3, "this node has agreed to found a cluster, and waits for the others to say so"
    )
    assert step(BOUND_A, BOUND_B, BOUND_C) == Found(ALL)
    assert step(BOUND_A, None, node("c/1", cluster=cluster_of(ALL))) == Found(ALL)
    assert "b (b:4001)" in reason(step(BOUND_A, None, BOUND_C))


def test_what_a_node_says_of_itself_does_not_count_as_another_node() -> None:
    assert step(A, A, B, C) == Agree(ALL)
    assert step(A, B, B, C) == Agree(ALL)  # one node at two addresses
    assert reason(step(A, A, B)) == "2 nodes are there, this one included, and 3 are expected"


def test_nothing_is_agreed_to_unless_all_answer_and_are_as_many_as_expected() -> None:
    assert reason(step(A, B, None)) == "no answer from 1"
    assert step(A, B, C, None) == Wait(3, "no answer from 2")
    assert reason(step(A, B, C, node("d/1"))) == "4 nodes are there, this one included, and 3 are expected"
    assert reason(step(A, B, replace(C, expect=5))) == "c expects 5"
    assert reason(step(A, B, replace(C, expect=None))) == "c expects to be let into a cluster"
    assert "the same name" in reason(step(A, B, node("b/2")))


def test_a_blank_node_joins_where_there_is_a_cluster_already() -> None:
    assert step(A, B, node("c/1", cluster=ELSEWHERE)) == Join(ELSEWHERE)
    assert step(A, None, node("c/1", cluster=ELSEWHERE)) == Join(ELSEWHERE)
    two = step(A, node("b/1", cluster="cluster-y"), node("c/1", cluster=ELSEWHERE))
    assert two == Wait(3, "there are 2 clusters: b is in cluster-y, c is in cluster-x")


def test_who_has_agreed_joins_no_other_cluster_as_that_incarnation() -> None:
    assert step(BOUND_A, BOUND_B, node("c/1", cluster=ELSEWHERE)) == Renew()


def test_a_list_of_which_one_is_another_now_is_given_up_once_nobody_stands_by_it() -> None:
    meeting = Meeting()
    assert step(BOUND_A, BOUND_B, AGAIN, meeting=meeting) == Withdraw()
    withdrawn = replace(BOUND_A, withdrawn=True)
    assert isinstance(step(withdrawn, BOUND_B, AGAIN, meeting=meeting), Wait)
    assert isinstance(step(withdrawn, None, AGAIN, meeting=meeting), Wait)
    assert step(withdrawn, replace(BOUND_B, withdrawn=True), AGAIN, meeting=meeting) == Renew()
    assert step(withdrawn, B, AGAIN, meeting=meeting) == Renew()  # it may agree yet, and would not be enough


def test_that_somebody_is_another_now_counts_from_the_round_after_it_was_seen() -> None:
    meeting, withdrawn = Meeting(), replace(BOUND_A, withdrawn=True)
    others = replace(BOUND_B, withdrawn=True), AGAIN
    assert isinstance(step(withdrawn, *others, meeting=meeting), Wait)
    assert step(withdrawn, *others, meeting=meeting) == Renew()


def test_who_has_withdrawn_comes_back_to_a_list_that_was_founded() -> None:
    withdrawn = replace(BOUND_A, withdrawn=True)
    assert step(withdrawn, node("b/1", cluster=cluster_of(ALL)), AGAIN) == Resume()
    assert step(BOUND_A, node("b/1", cluster=cluster_of(ALL)), AGAIN) == Found(ALL)


def test_who_has_withdrawn_does_not_count_as_agreed() -> None:
    assert step(BOUND_A, replace(BOUND_B, withdrawn=True), BOUND_C) == Withdraw()


def test_nobody_agrees_to_a_list_that_is_being_given_up() -> None:
    older = (*ALL[:2], member("c/0"))
    for first in (replace(BOUND_A, withdrawn=True), node("a/1", older)):
        assert reason(step(B, first, C)) == "a is giving up an older list"
    assert reason(step(A, node("b/1", older), C)) == "b is giving up an older list"
    assert reason(step(C, BOUND_A, node("b/1", older))) == "a is giving up an older list"


def test_the_id_of_a_cluster_is_that_of_its_founders_wherever_they_are() -> None:
    assert cluster_of(ALL) == cluster_of(reversed(ALL))
    assert cluster_of(ALL) != cluster_of((*ALL[:2], AGAIN.member))
