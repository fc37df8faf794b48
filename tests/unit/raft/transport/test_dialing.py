"""What is an address."""

from __future__ import annotations

import pytest

from wire.raft.transport.connection import shown
from wire.raft.transport.dialing import split_address


@pytest.mark.parametrize(
    ("address", "host", "port"),
    [
        ("127.0.0.1:4001", "127.0.0.1", 4001),
        ("node-1.example:0", "node-1.example", 0),
        ("[::1]:4001", "::1", 4001),
        ("[fe80::1]:65535", "fe80::1", 65535),
    ],
)
def test_host_and_port_are_read_and_written(address: str, host: str, port: int) -> None:
    assert split_address(address) == (host, port)
    assert shown((host, port)) == address


@pytest.mark.parametrize("address", ["", ":", "host", "host:", ":4001", "host:65536", "host:-1", "host:4 ", "host:٤"])
def test_what_is_no_address_is_said_to_be_none(address: str) -> None:
    with pytest.raises(ConnectionError, match="host:port is needed"):
        split_address(address)
