"""The broker's configuration: what every test broker has, and its listeners."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol


class Listeners(Protocol):
    """The ways in to a broker beside the plain one, which is always there."""

    extra_ports: int

    def prepare(self, folder: Path) -> None:
        """Write the files the broker needs (certificates) into its folder."""
        ...

    def protocols(self) -> Mapping[str, str]:
        """Return listener name -> security protocol, one for each extra port, in order."""
        ...

    def properties(self) -> Mapping[str, str]:
        """Return the broker properties these listeners need."""
        ...

    def scram_users(self) -> Sequence[str]:
        """Return the SCRAM credentials to create with the cluster, in the words of Kafka's storage tool."""
        ...


class Plain:
    """Only the plain listener: no encryption, no passwords."""

    extra_ports = 0

    def prepare(self, folder: Path) -> None:
        pass

    def protocols(self) -> Mapping[str, str]:
        return {}

    def properties(self) -> Mapping[str, str]:
        return {}

    def scram_users(self) -> Sequence[str]:
        return ()


# One node that keeps every internal topic alone, starts fast, and does what it is asked without waiting for others.
_COMMON = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAIN",
    "auto.create.topics.enable": "false",
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",  # a killed broker is let in again only when its old session is over
    "group.initial.rebalance.delay.ms": "0",
    "log.cleaner.dedupe.buffer.size": "8388608",
    "log.retention.ms": "-1",  # records stamped with old event times must not vanish in the middle of a test
    "num.network.threads": "2",
    "num.io.threads": "4",
    "num.recovery.threads.per.data.dir": "2",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
}


# With a second broker everything is on both, and goes on with one of them.
REPLICATED = {
    "default.replication.factor": "2",
    "offsets.topic.replication.factor": "2",
    "transaction.state.log.replication.factor": "2",
}


def second_broker_properties(port: int, data: Path, controller: int) -> str:
    """Return those of another broker of the cluster, with a plain listener alone."""
    properties = {
        **_COMMON,
        **REPLICATED,
        "process.roles": "broker",
        "node.id": "2",
        "log.dirs": str(data),
        "listeners": f"PLAIN://127.0.0.1:{port}",
        "advertised.listeners": f"PLAIN://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAIN:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())


def server_properties(ports: Sequence[int], data: Path, listeners: Listeners) -> str:
    """Return the text of `server.properties`; `ports` are those of the plain listener, the controller, the extra."""
    plain, controller, *extra = ports
    protocols = {"PLAIN": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **listeners.protocols()}
    addresses = dict(zip(protocols, (f"127.0.0.1:{port}" for port in (plain, controller, *extra)), strict=True))
    offered = {name: address for name, address in addresses.items() if name != "CONTROLLER"}
    properties = {
        **_COMMON,
        "log.dirs": str(data),
        "listeners": ",".join(f"{name}://{address}" for name, address in addresses.items()),
        "advertised.listeners": ",".join(f"{name}://{address}" for name, address in offered.items()),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        "controller.quorum.voters": f"1@{addresses['CONTROLLER']}",
        **listeners.properties(),
    }
    return "".join(f"{key}={value}\n" for key, value in properties.items())
