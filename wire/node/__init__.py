"""The composition root: the only place that builds components and joins them into something that runs.

`supervisor` keeps a node's worker processes running and its tasks spread over them.

`local` runs one pipeline in this process, with its progress in a folder: the embedded default behind `wire run`.
"""
