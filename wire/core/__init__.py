"""The vocabulary every other package speaks. Imports nothing of wire.

Core types:
- `records`: `Record` and `Batch` (what flows), `Checkpoint` (where to resume), all plain bytes and integers.
- `ports`: `Source`/`Reader` and `Sink`/`Writer`/`TransactionalWriter`, the protocols connectors implement.
- `errors`: one tree of errors, each with a stable code from `codes`.
- `config`: configuration structs, from which parsing, lint, `wire describe`, JSON Schema and docs are made.
- `plugins`: what an entry point offers, and the registry that finds it.
- `units`: durations, sizes and rates with units. `clock`: time as a value that is passed in.

Invariants kept here: a `Batch`'s position says where to resume *after* its last record; a secret's `repr` never
shows it (I9). Wherever code says I1 to I10, `docs/delivery.md` lists them.
"""
