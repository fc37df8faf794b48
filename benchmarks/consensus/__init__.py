"""How fast consensus is: three members on this machine, each a process of its own, its data on a disk and synced.

`door` is how callers in another process reach a member, `etcd_client` how they reach etcd; `callers` are the callers.
`wire_member`, `pysyncobj_member` and `stubs` are the other processes, `clusters` starts and ends them. `commands`,
`elections`, `compaction`, `restart` and `nonvoters` are what is measured, `measured` runs them in turn and `rows` says
what came of it.
"""
