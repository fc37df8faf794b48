"""The composition root: the only place that builds components and joins them into something that runs.

- `serving`: `wire serve`, from start to end. - `node`: what a node is. - `working`: its parts, put together.
- `membership`: how it gets a cluster, and out of it. - `front`: what it answers before that. - `registering`: what it
  tells the cluster of itself.
- `agent`, `reconciling`: it runs what the state wants of it. - `renewing`, `leases`: while its lease holds.
- `leading`: what it does besides while it leads. - `supervisor`: keeps worker processes running.
- `listener`: its one port. - `rpc`: calls between nodes, `calls`: which there are. - `control`: what stands behind the
  API. - `metrics`: what it counts. - `tapping`: samples of the records that pass.
- `config`, `loading`: how a node is configured. - `data_dir`: who it is, on disk. - `certificates`,
  `certificate_folder`: what `wire certs` makes. - `credentials`: the node's certificate while it runs.
- `local`: one pipeline in this process, with its progress in a folder: the embedded default behind `wire run`.
"""
