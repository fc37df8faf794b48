"""A table is a dict whose indexes are right however it is changed."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from wire.cluster.state import JobId, NodeName, Task, TaskKey, Tasks
from wire.core.records import PartitionId, PartitionKey

KEYS = [TaskKey(JobId(job), slot) for job in "jk" for slot in range(2)]
TASKS = [
    Task(key=key, owner=owner, target=target, held=(PartitionKey("s", PartitionId(str(key.slot))),))
    for key in KEYS
    for owner, target in itertools.product((None, NodeName("a"), NodeName("b")), repeat=2)
]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["set", "del", "pop", "update", "setdefault"]), st.sampled_from(TASKS))))
def test_a_table_is_a_dict_with_indexes(changes: list[tuple[str, Task]]) -> None:
    table, model = Tasks(), dict[TaskKey, Task]()
    for change, task in changes:
        for rows in (table, model):
            match change:
                case "set":
                    rows[task.key] = task
                case "del" if task.key in rows:
                    del rows[task.key]
                case "pop":
                    rows.pop(task.key, None)
                case "update":
                    rows.update({each.key: each for each in (task, TASKS[0])})
                case "setdefault":
                    rows.setdefault(task.key, task)
    assert table == model
    assert list(table) == list(table.keys()) == list(table.copy()) == list(model)
    assert list(table.values()) == list(model.values())
    assert list(table.items()) == list(model.items())
    assert len(table) == len(model)
    for job in (JobId("j"), JobId("k")):
        of_it = [model[key] for key in sorted(model) if key.job == job]
        assert table.of(job) == of_it
        assert table.any_of(job) == bool(of_it)
        for slot in range(2):
            partition = PartitionKey("s", PartitionId(str(slot)))
            assert table.holder(job, partition) == (TaskKey(job, slot) if TaskKey(job, slot) in model else None)
    for node in (NodeName("a"), NodeName("b")):
        assert sorted(task.key for task in table.owned_by(node)) == sorted(
            key for key, task in model.items() if task.owner == node
        )
        assert sorted(task.key for task in table.meant_for(node)) == sorted(
            key for key, task in model.items() if task.target == node
        )
