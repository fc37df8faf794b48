"""Where records come from: one module or package per source, none of which knows another.

Each exports `PLUGIN`, which an entry point of the group `wire.sources` names. What a source shares with the sink of
the same system lives in `wire.clients`. `wire.testing` holds the checks that every source passes.
"""
