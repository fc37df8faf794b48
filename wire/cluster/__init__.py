"""What the nodes of a cluster agree on: pipelines, jobs, tasks, checkpoints, nodes. Pure: no I/O, no clock.

- `state`: what there is. - `commands`: what can be asked of it, and what is answered.

Invariants kept here: I3 (checkpoints only move forward, under the newest epoch), I4 (each start has its own epoch), I6
(the same log gives the same state, and nothing raises).
"""
