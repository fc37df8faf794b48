"""A node joins and another goes under two routes; who has gone does not come back by itself."""

from __future__ import annotations

import pytest

from tests.chaos.nodes.cluster import DEADLINE_S, Cluster
from tests.chaos.nodes.trial import MARKS, Trial
from tests.waiting import until

pytestmark = [*MARKS, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_node_joins_and_the_first_leaves_for_good(trial: Trial) -> None:
    first = trial.cluster.up[0]
    async with trial.going_on():
        await grow(trial.cluster)
        await trial.cluster.leave(first)
        said = trial.cluster.nodes[first].said
        assert "node_left" in said
        assert "leaves_with_tasks" not in "".join(node.said for node in trial.cluster.nodes.values())
        await stays_away(trial, first)


@pytest.mark.long
async def test_a_node_joins_and_another_is_removed_for_good(trial: Trial) -> None:
    cluster = trial.cluster
    first = cluster.up[0]
    async with trial.going_on():
        await grow(cluster)
        assert await cluster.nodes[first].stop() == 0
        async with cluster.nodes[await cluster.leader()].client() as patient:
            gone = await patient.delete(f"/api/v1/cluster/members/{first}")
        assert gone.status_code == 204, gone.text
        cluster.members.remove(first)
        await stays_away(trial, first)


async def grow(cluster: Cluster) -> None:
    """Let another node join, and wait until it takes part as the others do."""
    await cluster.grow(f"n{len(cluster.nodes) + 1}")
    await cluster.healthy()


async def stays_away(trial: Trial, gone: str) -> None:
    """See all go on without a node, also when it is started again: it is turned away, and disturbs nobody."""
    cluster = trial.cluster
    await trial.advances(f"without {gone}")
    leader = await cluster.leader()
    term = (await cluster.view(leader))["term"]
    await cluster.nodes[gone].start()
    await until(lambda: "removed" in cluster.nodes[gone].said, DEADLINE_S)
    await trial.advances(f"with {gone} at the door")
    after = await cluster.view(leader)
    assert after["term"] == term
    assert {member["name"] for member in after["members"]} == cluster.members
    await cluster.nodes[gone].kill()
