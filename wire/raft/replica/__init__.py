"""One member's part in consensus: deterministic, without I/O of its own but for its storage; a driver turns its wheels.

- `replica`: `Replica`, the library's class with its defects repaired by overrides. - `library`: what of the library is
relied on. - `log`: the log as the library wants to see it. - `configurations`: who is a member, by the log.
- `progress`: what each peer was sent. - `proposals`, `barriers`: callers that wait. - `requests`: what was carried out
before. - `recovery`: from storage to a replica that can begin.

The driver's cycle: messages, proposals and the tick change memory and the log's buffers; what `ahead_of_sync` gives may
leave; then `LogStore.sync`; then what is in `outbox` may leave (I5: no ack and no vote before what it rests on is on
disk), and `tick` may apply.
"""
