"""Records on the move: from a loaded pipeline and its compiled stage to acknowledged, checkpointed writes.

`assembly` opens the parts and joins them; `runner` reads; a `branch` per sink gathers, writes and retries (`sizer`,
`retry`, `patience`); `checkpointing` says when the `committer` moves the `ledger`'s marks into `checkpoints`;
`dead_letters` takes what can't be processed; `restarts` begins anew where only that helps; `progress` is what is said
of all this; `run` is what the parts share.

Invariants enforced here: I1 (release only after the checkpoint), I2 (a checkpoint covers only what is written, filtered
or dead-lettered), I3 (checkpoints move forward), I8 (every queue is bounded).
"""
