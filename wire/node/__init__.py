"""The composition root: the only place that builds components and joins them into something that runs.

- `local`: one pipeline in this process, with its progress in a folder: the embedded default behind `wire run`.
- `config`, `loading`: how a node is configured. - `data_dir`: who it is, on disk. - `certificates`,
  `certificate_folder`: what `wire certs` makes. - `credentials`: the node's certificate while it runs.
- `listener`: its one port. - `rpc`: calls between nodes. - `control`: what stands behind the API. - `leases`: who is
  alive. - `supervisor`: keeps worker processes running.
"""
