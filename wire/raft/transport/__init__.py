"""Authenticated streams between members.

- `ports`: what the driver of the replica sees: settings, counters, and the two sides of a network.
- `messages`: what members say to each other. - `framing`, `handshake`, `outbox`: the pure parts.
- `tls`, `connection`, `dialing`, `peer`, `incoming`, `transport`: real sockets. - `accepting`: who dials, up to the
  protocol that is spoken. - `listener`: a port for consensus alone.

Each member dials every other one and sends on that connection only; what it hears comes on the connections that the
others dialed. The order of messages from one member to another is kept; any of them may be lost, none comes twice.

Nothing that arrives is unpickled, run or opened (I10): it is msgpack of the types in `messages`, or a fault that closes
the connection. Every queue is bounded (I8).
"""
