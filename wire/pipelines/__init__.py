"""From a specification to records on the move.

The way of a pipeline: `spec` (what the user wrote) → `lint` (every mistake in it) → `plan` (its transforms fused into
one compiled `stage`) → `runner` (readers → stage → writers, with the ack `ledger`, `checkpoints` and dead letters).

Invariants enforced here: I1 (release only after the checkpoint), I2 (a checkpoint covers only what is written, filtered
or dead-lettered), I3 (checkpoints move forward), I8 (every queue is bounded).
"""
