"""A cluster from the command line, over its REST API.

- `contexts`: which cluster is meant, by name, kept in a file of the user's. - `addresses`: where its nodes are.
- `connection`: one request to one node. - `client`: a request to whichever node answers, again while that may help.
- `problems`: what a node refused, as Wire's errors. - `options`: the flags of all commands that ask a cluster.
- `confirming`: asks before something is lost. - `leading`: the cluster as the node that leads knows it.
- `showing`: what came back, as tables and in words. - `waiting`: for a pipeline to become what was asked for.
- `watching`: shows something again and again. - `board`: what `wire top` shows.

It stands on what comes with Python (ADR 31): commands start quickly, and need no extra. A change is made once, however
often it is asked for, and where that can't be had the user is told that its outcome is not known.
"""
