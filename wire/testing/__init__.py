"""The public kit for testing connectors and pipelines. Nothing in Wire itself imports it.

- `clock`: `VirtualClock`, time that only moves when a test moves it, or when everybody waits for it.
- `memory`: `MemorySource`, `MemorySink`, `MemoryTransactionalSink`: real implementations of the ports, held in memory,
  with scripted faults.
- `sources`, `sinks`: the conformance checks every connector passes, built in or not. A connector's author writes a
  small harness and runs each check of `SOURCE_CHECKS` or `SINK_CHECKS` against it.

Whatever is random here comes from a seed that the failure message names.
"""
