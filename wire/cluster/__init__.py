"""What the nodes of a cluster agree on: pipelines, jobs, tasks, checkpoints, nodes. Pure: no I/O, no clock.

- `state`: what there is; `tables`: its indexes. - `commands`: what can be asked of it, and what is answered.
- `apply`: from a command to its answer; by noun: `nodes`, `pipelines`, `jobs`, `tasks`, `checkpoints`, `tokens`; what
people have changed is in a `trail`.
- `machine`: `ClusterMachine`, what consensus and the node see of all this. - `encoding`, `snapshot`: its bytes.

Invariants kept here: I3 (checkpoints only move forward, under the newest epoch), I4 (each start has its own epoch), I6
(the same log gives the same state, and nothing raises). I5 is why a command that is not known stops the node: what the
others have confirmed can't be passed over.
"""
