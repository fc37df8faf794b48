"""What happens to records between source and sinks, one module per transform.

A transform is a plugin whose `build(config, TransformContext)` returns a `PlanNode`; its `emit` writes what happens to
one record into the pipeline's compiled function, by means of the `Builder`. `filter.py` is the shortest example.
"""

from wire.pipelines.plan.node import PlanNode
from wire.pipelines.transforms.context import TransformContext

__all__ = ["PlanNode", "TransformContext"]
