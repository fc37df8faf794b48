"""The worker process: runs the tasks of many pipelines beside each other, and tells its node how they fare.

A node's process touches no record; its workers do. A worker is a child of its node and speaks with it over a socket
that it inherits: nobody else can connect, and there is no name to clean up.

- `protocol`: the messages. `channel`: carries them. `checkpoints`: the engine's store, kept by the node.
- `hosting`: one task from its beginning to its end. `discovery`: which partitions a pipeline's sources have.
- `sampling`, `masking`: records that somebody looks at. `discretion`: takes secrets out of what is said (I9).
- `worker`: all of a process's tasks. `lifeline`: a worker does not outlive its node (I4).

A task that fails, or a bug in it, ends no other task; a worker that dies loses what its tasks had not committed, which
is read again elsewhere (I2).
"""
