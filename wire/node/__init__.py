"""The composition root: the only place that builds components and joins them into something that runs.

`serving` puts a node together, which `entering` brings into a cluster. `agent` has it run what the state wants of it,
told by `reconciling`; `renewing` keeps its lease; `leading` is what it does besides while it leads. `supervisor` keeps
a node's worker processes running and its tasks spread over them.

`local` runs one pipeline in this process, with its progress in a folder: the embedded default behind `wire run`.
"""
