"""The public kit for testing connectors and pipelines. Nothing in Wire itself imports it.

- `clock`: `VirtualClock`, time that only moves when a test moves it, or when everybody waits for it.
- `memory`: `MemorySource`, `MemorySink`, `MemoryTransactionalSink`: real implementations of the ports, held in memory,
  with scripted faults.
- `faults`: what can go wrong with a call of theirs, as values to write a script of.
- `harness`, `sources`, `sinks`: the conformance checks every connector passes, built in or not. A connector's author
  subclasses `SourceHarness` or `SinkHarness` and runs what `source_checks` or `sink_checks` gives for it.

Whatever is random here comes from a seed that the failure message names.
"""
