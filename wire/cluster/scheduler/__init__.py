"""Who runs what: a pure function of the state and the leases, which the leader asks again and again.

- `decide`: `decide`, the whole of it. - `view`: the state it looks at. - `liveness`: a node's lease. - `settings`:
times and limits.
- `shares`: a job's partitions, divided among its tasks. - `fleet`: nodes as one decision sees them. - `placement`:
tasks that need a node get one. - `balance`: running tasks move from nodes that have too much.

What it keeps to: a task runs on a node that holds its lease, is not draining and has the labels asked for, or nowhere;
a task that runs on such a node is moved for balance only, and each such move lowers the higher of two levels, so that
there is an end to them; a node that comes gets its part bit by bit; a decision that was carried out has no further one.
"""

from wire.cluster.scheduler.decide import ACTOR, Decision, decide
from wire.cluster.scheduler.liveness import Liveness
from wire.cluster.scheduler.settings import SchedulerSettings
from wire.cluster.scheduler.view import View, view

__all__ = ["ACTOR", "Decision", "Liveness", "SchedulerSettings", "View", "decide", "view"]
