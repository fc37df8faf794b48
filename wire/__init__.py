"""Wire: a stream mover that loses nothing it acknowledged.

The packages, from the top layer down: `cli`, `node`, `testing`, then `pipelines`, `sources` and `sinks` side by
side, then `clients`, then `core`. A package imports only from the layers below it.
"""

__version__ = "0.1.0"
