"""Where records go: one module or package per sink, none of which knows another.

Each exports `PLUGIN`, which an entry point of the group `wire.sinks` names. What a sink shares with the source of the
same system lives in `wire.clients`. `wire.testing` holds the checks that every sink passes.
"""
