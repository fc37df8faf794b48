"""From a specification to records on the move.

The way of a pipeline: `spec` (what the user wrote) → `lint` (every mistake in it) → `plan` (its transforms fused into
one compiled `stage`) → `runner` (readers → stage → writers, with the ack `ledger`, `checkpoints` and dead letters).

Where to look:
- What a user writes: `spec`; `document` (YAML with places), `lint` and `loaded` take it in, `describe` and `schema`
  explain it.
- What happens to a record: `transforms`, `expressions` and `codecs` (formats) write source, `plan` makes one function
  of it, `stage` is what the engine knows of that.
- The engine: `assembly` opens the parts and joins them; `runner` reads; a `branch` per sink gathers, writes and retries
  (`sizer`, `retry`); `committer` moves the `ledger`'s marks into `checkpoints`; `dead_letters` are what can't be
  processed; `progress` is what is said of all this; `run` is what its parts share.

Invariants enforced here: I1 (release only after the checkpoint), I2 (a checkpoint covers only what is written, filtered
or dead-lettered), I3 (checkpoints move forward), I8 (every queue is bounded).
"""
