"""One transactional id at work: transactions of Kafka one after the other, and the end of those of an earlier owner.

Asked of the coordinator in the protocol's first versions, which all brokers since 0.11 speak.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiokafka import errors
from aiokafka.client import CoordinationType
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.coordination import FindCoordinatorRequest
from aiokafka.protocol.transaction import AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest

from wire.clients.kafka_cluster import KafkaCluster
from wire.clients.kafka_errors import SINK, reason, translate
from wire.core.errors import RestartError, RetryableError, WireError
from wire.sinks.kafka.lane import ProducerId, Target
from wire.sinks.kafka.session import Session

TRANSACTION_TIMEOUT_S: Final = 30
"""How long the brokers keep a transaction open whose owner says nothing; consumers wait for it meanwhile."""

_PATIENCE_S: Final = 20.0
_AGAIN_S: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_MOVED: Final = (
    errors.GroupCoordinatorNotAvailableError,
    errors.NotCoordinatorForGroupError,
    errors.GroupLoadInProgressError,
    errors.UnknownTopicOrPartitionError,  # to it, so far: it was made just now
)
_BUSY: Final = (errors.ConcurrentTransactions, *_MOVED)
_AWAY: Final = "check that the brokers are up, and that all partitions have a leader"
_HINT: Final = "nothing is lost or doubled: what was not committed is read and sent again"


class TransactionalSession(Session):
    """Of a producer that sends in transactions: what it sends is seen together, or never.

    A second session of the same id ends this one, and what it had open is taken back.
    """

    def __init__(self, cluster: KafkaCluster, transactional_id: str) -> None:
        """Have no identity yet."""
        super().__init__(cluster)
        self.transactional_id: str = transactional_id
        self._coordinator: int | None = None
        self._joined: set[Target] = set()

    @property
    def open(self) -> bool:
        """Whether a transaction has begun."""
        return bool(self._joined)

    async def start(self) -> None:
        """Take the id over: whoever had it can do nothing more, and its open transaction is taken back.

        Raises RetryableError or UnavailableError.
        """
        request = InitProducerIdRequest(self.transactional_id, TRANSACTION_TIMEOUT_S * 1000)
        response = await self._ask(request, _code, f"taking over the transactional id `{self.transactional_id}`")
        self._joined.clear()
        self._begin(ProducerId(response.producer_id, response.producer_epoch))

    async def renew(self) -> None:
        """Raise RestartError: a new identity would take back what was sent before."""
        self._owner()

    async def join(self, targets: Iterable[Target]) -> None:  # noqa: D102 (contract in Session)
        new = [target for target in targets if target not in self._joined]
        if not new:
            return
        topics: defaultdict[str, list[int]] = defaultdict(list)
        for topic, number in new:
            topics[topic].append(number)
        owner = self._owner()
        request = AddPartitionsToTxnRequest(self.transactional_id, owner.id, owner.epoch, list(topics.items()))
        await self._in_transaction(request, _worst, "adding partitions to the transaction")
        self._joined.update(new)

    async def commit(self) -> None:
        """Have all that was sent in this transaction seen. Raises RestartError where nobody knows, or it was not done.

        It is not asked for a second time where there was no answer: what is late could commit the next transaction.
        """
        if self._joined:
            owner = self._owner()
            request = EndTxnRequest(self.transactional_id, owner.id, owner.epoch, True)
            await self._in_transaction(request, _code, "ending the transaction", repeatable=False)
            self._joined.clear()

    def forgotten(self, error: KafkaError) -> WireError | None:  # noqa: D102 (contract in Session)
        self.id = None
        return RestartError("sink.kafka.transaction_lost", f"the transaction is lost: {reason(error)}", hint=_HINT)

    def unknown(self, problem: RetryableError) -> None:  # noqa: D102 (contract in Session)
        self.id = None
        raise RestartError("sink.kafka.transaction_lost", problem.message, hint=_HINT) from problem

    def _owner(self) -> ProducerId:
        if self.id is None:
            raise RestartError("sink.kafka.transaction_lost", "an error has ended the transaction", hint=_HINT)
        return self.id

    async def _in_transaction(
        self, request: Any, code_of: Callable[[Any], int], doing: str, *, repeatable: bool = True
    ) -> None:
        """Ask as part of a transaction: what fails ends the session, since nobody knows how much of it was done."""
        try:
            await self._ask(request, code_of, doing, repeatable=repeatable)
        except WireError as exc:
            self.id = None
            if exc.code in (SINK.authentication, SINK.authorization, SINK.tls):
                raise
            raise RestartError("sink.kafka.transaction_lost", exc.message, hint=_HINT) from exc
        except BaseException:
            self.id = None  # cancelled: the answer is not known
            raise

    async def _ask(self, request: Any, code_of: Callable[[Any], int], doing: str, *, repeatable: bool = True) -> Any:
        """Ask the coordinator, wherever it is by now, until it has an answer for us."""
        deadline, failures = asyncio.get_running_loop().time() + _PATIENCE_S, 0
        while True:
            try:
                response = await self._cluster.send(await self._coordinate(), request)
                code = code_of(response)
                if not code:
                    return response
                raise for_code(code)()
            except (KafkaError, OSError) as exc:
                answered = isinstance(exc, errors.BrokerResponseError)
                waits = isinstance(exc, _BUSY) if answered else repeatable
                if not waits:
                    raise translate(exc, SINK, doing) from exc
                if asyncio.get_running_loop().time() > deadline:
                    raise RetryableError(SINK.unreachable, f"{doing}: {reason(exc)}", hint=_AWAY) from exc
                if not isinstance(exc, errors.ConcurrentTransactions):
                    self._coordinator = None
            await asyncio.sleep(_AGAIN_S[min(failures, len(_AGAIN_S) - 1)])
            failures += 1

    async def _coordinate(self) -> int:
        if self._coordinator is None:
            find = FindCoordinatorRequest(self.transactional_id, CoordinationType.TRANSACTION)
            response = await self._cluster.ask(find)
            if response.error_code:
                raise for_code(response.error_code)()
            await self._cluster.topics([])  # so that the node's address is known
            self._coordinator = response.coordinator_id
        return self._coordinator


def _code(response: Any) -> int:
    return int(response.error_code)


def _worst(response: Any) -> int:
    """Return the error that says most: others are told only that theirs was not tried because of it."""
    codes = [code for _, rows in response.errors for _, code in rows]
    untried = errors.OperationNotAttempted.errno
    return next((code for code in codes if code not in (0, untried)), 0)
