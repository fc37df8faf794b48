"""What a node counts, and how it is told: one target for Prometheus per node, the workers' part included.

- `declarations`: every metric there is. - `sheet`: one scrape, from values to text. - `tally`: what pipelines have come
to, over runs that began and ended. - `node`: consensus, calls, workers, leases, certificate. - `requests`: HTTP.
- `service`: all of it together, as the API asks for it.

Nobody counts for the sake of a scrape: the engine counts once per batch, and all else is read when somebody asks. A
counter never goes back while the node lives; a pipeline that is deleted takes its series with it. Labels have few
values: names that the cluster's state knows, and codes of `wire.core.codes` (I8). No value of a record and no
configuration is ever a label (I9).
"""
