"""The node's one port: HTTP, consensus and the calls between nodes, told apart by ALPN, or without TLS by a preamble.

- `listener`: the port, and who may use it unencrypted. - `http`: HTTP connections, spoken by uvicorn's protocol.
- `peer`: whose certificate was shown, as the API is told.

A client's certificate is optional in the handshake, and asked for by the protocol: between members it must be one of a
member's name, over HTTP it is one way among others to say who one is.
"""
