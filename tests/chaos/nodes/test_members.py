"""A node joins and another is removed under two routes; who was removed does not come back by itself."""

from __future__ import annotations

import pytest

from tests.chaos.nodes.cluster import DEADLINE_S
from tests.chaos.nodes.trial import MARKS, Trial
from tests.waiting import until

pytestmark = [*MARKS, pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]


async def test_a_node_joins_and_another_is_removed_for_good(trial: Trial) -> None:
    cluster = trial.cluster
    first, newcomer = cluster.up[0], f"n{len(cluster.nodes) + 1}"
    async with trial.going_on():
        await cluster.grow(newcomer)
        await cluster.healthy()
        ids = {member["name"]: member["id"] for member in (await cluster.view(newcomer))["members"]}
        assert await cluster.nodes[first].stop() == 0
        leader = await cluster.leader()
        async with cluster.nodes[leader].client() as patient:
            gone = await patient.delete(f"/api/v1/cluster/members/{ids[first]}")
        assert gone.status_code == 204, gone.text
        cluster.members.remove(first)
        await trial.advances(f"without {first}")
        term = (await cluster.view(leader))["term"]
        await cluster.nodes[first].start()
        await until(lambda: "removed" in cluster.nodes[first].said, DEADLINE_S)
        await trial.advances(f"with {first} at the door")
        after = await cluster.view(leader)
        assert after["term"] == term
        assert {member["name"] for member in after["members"]} == cluster.members
        await cluster.nodes[first].kill()
