"""MongoDB: one server, or a replica set whose members a test may kill, freeze, step down and start again."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from pymongo.errors import AutoReconnect

from tests.services.mongodb_client import MongoDB
from tests.services.mongodb_install import install
from tests.services.ports import free_ports
from tests.services.server import Server

_START_DEADLINE_S: Final = 60.0
_POLL_S: Final = 0.05
_NAME: Final = "rs0"
_ELECTIONS: Final = {"electionTimeoutMillis": 2000, "heartbeatIntervalMillis": 500}


class MongoServer(MongoDB, Server):
    """One `mongod`. Without options it is a standalone one, which has no change streams; `uri` reaches it alone."""

    def __init__(self, *options: str, port: int | None = None, client_options: Mapping[str, Any] | None = None) -> None:
        self.address = f"127.0.0.1:{port or free_ports(1)[0]}"
        self._options = options
        Server.__init__(self, "mongodb")
        MongoDB.__init__(self, f"mongodb://{self.address}/?directConnection=true", client_options)

    async def start(self) -> None:
        """Start the server and return once it answers. Raises ServiceMissing where it can't be had."""
        mongod = await asyncio.to_thread(install)
        self._data.mkdir(exist_ok=True)
        await self._spawn([str(mongod.program), *self._arguments(), *self._options], mongod.env)

    def _arguments(self) -> Sequence[str]:
        return (
            *("--bind_ip", "127.0.0.1", "--port", self.address.rpartition(":")[2], "--nounixsocket"),
            *("--dbpath", str(self._data), "--wiredTigerCacheSizeGB", "0.5"),
            *("--setParameter", "diagnosticDataCollectionEnabled=false"),
        )


class MongoReplicaSet(MongoDB):
    """A replica set of our own; `uri` names all its members. Ports and data are kept from `start` to `start`.

    Its `members` are killed, frozen and started one by one; what needs a primary waits for one.
    """

    def __init__(
        self,
        members: int = 1,
        *options: str,
        oplog_mb: int = 128,
        port: int | None = None,
        client_options: Mapping[str, Any] | None = None,
    ) -> None:
        own = ("--replSet", _NAME, "--oplogSize", str(oplog_mb), *options)
        ports = [port] if port else free_ports(members)
        self.members = [MongoServer(*own, port=port, client_options=client_options) for port in ports]
        self._initiated = False
        addresses = ",".join(member.address for member in self.members)
        super().__init__(f"mongodb://{addresses}/?replicaSet={_NAME}", client_options)

    async def start(self) -> None:
        """Start the members that don't run and return once there is a primary. Raises ServiceMissing."""
        for member in self.members:
            if not member.running:
                await member.start()
        if not self._initiated:
            await self._initiate()
        await self.primary()

    async def stop(self) -> None:
        """Shut all members down in good order. Idempotent."""
        for member in self.members:
            await member.stop()

    async def restart(self) -> None:
        """Stop the members that run, and start all on the same ports with the same data."""
        await self.stop()
        await self.start()

    async def primary(self) -> MongoServer:
        """Return the member that takes writes, once there is one."""
        async with asyncio.timeout(_START_DEADLINE_S):
            while True:
                for member in self.members:
                    if member.running and (await member.hello() or {}).get("isWritablePrimary"):
                        return member
                await asyncio.sleep(_POLL_S)

    async def step_down(self, seconds: int = 30) -> None:
        """Make the primary a secondary for so long, and return once another member is the primary."""
        before = await self.primary()
        async with before.client() as client:
            with suppress(AutoReconnect):  # it may hang up on us as it steps down
                await client.admin.command("replSetStepDown", seconds, secondaryCatchUpPeriodSecs=10)
        await self.primary()

    def close(self) -> None:
        """End all members and throw their data away; their logs are kept. Idempotent."""
        for member in self.members:
            member.close()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _initiate(self) -> None:
        members = [{"_id": number, "host": member.address} for number, member in enumerate(self.members)]
        config: dict[str, Any] = {"_id": _NAME, "members": members, "settings": _ELECTIONS}
        async with self.members[0].client() as client:
            await client.admin.command("replSetInitiate", config)
        self._initiated = True
