"""From a specification to records on the move.

The way of a pipeline: `spec` (what the user wrote) → `lint` (every mistake in it) → `plan` (its transforms fused into
one compiled `stage`) → `engine` (readers → stage → writers, with the ack ledger, checkpoints and dead letters).

Where to look:
- What a user writes: `spec`; `document` (YAML with places), `lint` and `loaded` take it in, `describe` and `schema`
  explain it.
- What happens to a record: `transforms`, `expressions` and `codecs` (formats) write source, `plan` makes one function
  of it, `stage` is what the engine knows of that.
- How it gets from source to sink, and what is sure when: `engine`.
"""
