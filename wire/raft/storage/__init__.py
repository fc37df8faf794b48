"""What a member keeps on its disk: the log with its vote, and snapshots.

- `ports`: what the replica asks of them. - `files`: the few operations on files that they stand on, and the real disk.
- `wal`: the log as segments of checksummed records, made of `records`, `scanning`, `segments` and `sealed`, and read
back by `replay` and `opening`. - `rocksdb`: the same promises on RocksDB. - `held` and `memory`: entries in memory, for
both. - `snapshots`, made of `snapshot_format`, `snapshot_files` and `snapshot_receiving`. - `folder`: where a member's
are, and whether they were begun.

Invariants: what `sync` has returned for survives any crash (I5); a damaged byte is found and named, never served; after
a failed fsync nothing is promised any more until a restart has read what is really there.
"""
