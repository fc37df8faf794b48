"""The ports that tests give their servers: a server that is killed gets its own back."""

from __future__ import annotations

from tests.services.ports import free_ports, ports_of


def test_processes_that_share_the_tests_share_no_ports() -> None:
    shares = [set(ports_of(f"gw{number}")) for number in range(12)]
    assert sum(map(len, shares)) == len(set().union(*shares)) == len(ports_of(None))


def test_a_port_that_was_given_is_not_given_again_soon() -> None:
    given = [port for _ in range(50) for port in free_ports(3)]
    assert len(given) == len(set(given))
