"""Made-up records: for a first try, for load, for measuring.

Core types: `GenerateSource`, `GenerateReader`; the kinds of fields in `fields`.

Invariant: a record follows from the seed, the fields and its number alone, save for the time it was made.
"""

from __future__ import annotations

from wire.core.plugins import Plugin
from wire.sources.generate.source import GenerateConfig, GenerateSource

PLUGIN = Plugin(
    kind="source",
    summary="Makes up JSON records, at a rate or as fast as it goes, the same ones for the same seed.",
    config=GenerateConfig,
    build=GenerateSource,
    example="""\
source:
  type: generate
  config:
    rate: 1000
    count: 60000
    fields:
      id: sequence
      carrier: {type: choice, values: [UA, AA, DL], weights: [3, 2, 1]}
      delay: {type: integer, min: -20, max: 300}
      at: now
""",
)
