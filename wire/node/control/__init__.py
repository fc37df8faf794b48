"""What stands behind the API on every node: it checks, asks consensus, and tells what has come of it.

- `asking`: commands to the log, reads from the state. - `submissions`: a spec as it is sent, checked before anything is
proposed. - `pipelines`, `runs`, `members`, `health`: the ports of `wire.api`. - `forwarding`, `gathering`: what
only the leader can do, and what only those know who run tasks. - `describing`, `lists`, `differences`: from the state
to what is answered, pure.

What is checked here is checked on whichever node was asked; what must hold for all is checked again where the command
is applied (I6). A definition is confirmed when a majority has it on disk (I5); reads see all that was confirmed, unless
they are asked for as stale (I7).
"""
