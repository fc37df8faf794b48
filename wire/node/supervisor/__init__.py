"""Keeps a node's worker processes running and its tasks spread over them.

Core types: `Supervisor`; `TaskOwner`, the port to whoever decides what runs here; `WorkerProcess`, one process from its
start to its end; `Commits`, which makes one commit of many.

A process that dies, stops answering, grows too large or does not let go of a task is killed and replaced; its tasks are
lost to the owner, who begins them again under a new epoch (I4). Nothing is lost by it: what had not been committed is
read again (I2).
"""

from wire.node.supervisor.ports import TaskOwner
from wire.node.supervisor.settings import WorkerSettings
from wire.node.supervisor.supervisor import Supervisor

__all__ = ["Supervisor", "TaskOwner", "WorkerSettings"]
