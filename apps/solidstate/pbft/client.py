"""A client: one request at a time, believed when enough replicas answer the same.

Three rules. A result needs f + 1 equal replies (`Config.reply_quorum`), of which one is in full. A
request that gets none in time goes to all replicas, and then all answer in full, so neither a
primary nor the chosen replier can keep a result back. The view is taken from the replies that were
believed: the highest one that f + 1 of them reach.
"""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.effects import Answer, Effect, Send
from apps.solidstate.pbft.events import Ask, Event, Received
from apps.solidstate.pbft.messages import Reply, Request
from vista import LocalProtocolError


class Client:
    """One client of a group.

    ``name`` is one of ``config.clients`` and ``keyring`` holds its key; ``entropy`` chooses who
    answers in full.
    """

    def __init__(self, config: Config, name: str, entropy: Random, keyring: Keyring) -> None:
        config.validate()
        self._config = config
        self._name = name
        self._entropy = entropy
        self._keyring = keyring
        self._deadline = math.inf
        self._timestamp = 0
        self._view = 0
        self._wait_limit = config.reply_quorum
        self._wait = config.retransmit_seconds
        self._request: Request | None = None
        self._wanted: Ask | None = None
        self._replies: dict[int, Reply] = {}
        self._patient = True

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._request is not None

    def raise_wait_limit(self, faults: int) -> int:
        """Wait for ``faults`` + 1 equal replies, within what the group allows; return the limit.

        More than the group needs costs time and, with faulty replicas, waiting in vain: after the
        first retransmission the least number does. As ``raiseWaitLimit`` of ReplicaClientProxy.
        """
        least, most = self._config.reply_quorum, self._config.replicas
        self._wait_limit = min(max(faults + 1, least), most)
        return self._wait_limit

    def next_deadline(self) -> float:
        """Return the time at which the client wants a `Tick` at the latest."""
        return self._deadline

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take in an event and return what is to be done.

        ``now`` is in seconds; timestamps are made of it, so a client that starts again goes on
        above its former ones as long as its clock does not go back. Raises
        `vista.LocalProtocolError` for an `Ask` while a request is under way.
        """
        if isinstance(event, Ask):
            if self.busy:
                raise LocalProtocolError("a client asks for one thing at a time")
            self._wanted = event
            return self._ask(event.operation, event.read_only, now)
        if isinstance(event, Received):
            return self._receive(event.sender, event.message)
        return self._again(now) if self.busy and now >= self._deadline else []

    def _ask(self, operation: bytes, read_only: bool, now: float) -> list[Effect]:
        self._timestamp = max(self._timestamp + 1, int(now * 1_000_000))
        replier = self._entropy.randrange(self._config.replicas)
        request = Request(self._name, self._timestamp, operation, read_only, replier)
        self._request = replace(request, signature=self._keyring.sign(request.body))
        self._replies = {}
        self._patient = True
        self._wait = self._config.retransmit_seconds
        self._deadline = now + self._wait
        if self._is_fast(self._request):
            return self._to_all(self._request)
        return [Send(self._config.quorums.primary(self._view), self._request)]

    def _is_fast(self, request: Request) -> bool:
        return request.read_only and self._config.fast_reads

    def _to_all(self, request: Request) -> list[Effect]:
        return [Send(replica, request) for replica in range(self._config.replicas)]

    def _again(self, now: float) -> list[Effect]:
        request, wanted = self._request, self._wanted
        assert request is not None and wanted is not None
        if self._is_fast(request):
            # Replicas that are apart give reads no equal answers: it is ordered instead.
            return self._ask(wanted.operation, False, now)
        self._patient = False
        self._wait = min(2 * self._wait, self._config.retransmit_seconds_max)
        self._deadline = now + self._wait
        return [*self._to_all(request), *self._settle()]

    def _receive(self, sender: Principal, reply: object) -> list[Effect]:
        request = self._request
        if request is None or not isinstance(reply, Reply) or not isinstance(sender, int):
            return []
        if (reply.client, reply.timestamp) != (self._name, request.timestamp):
            return []
        if reply.ordered == self._is_fast(request):
            return []
        if reply.result is not None and digest_of(reply.result) != reply.result_digest:
            return []
        known = self._replies.get(sender)
        if known is None or known.result is None or reply.result is not None:
            self._replies[sender] = reply
        return self._settle()

    def _settle(self) -> list[Effect]:
        """Believe the result that enough replicas gave, one of them in full."""
        request = self._request
        assert request is not None
        quorum = self._wait_limit if self._patient else self._config.reply_quorum
        for reply in self._replies.values():
            digest = reply.result_digest
            same = [other for other in self._replies.values() if other.result_digest == digest]
            if reply.result is not None and len(same) >= quorum:
                weak = self._config.quorums.weak
                self._view = sorted((other.view for other in same), reverse=True)[weak - 1]
                self._request = None
                self._deadline = math.inf
                return [Answer(request.timestamp, reply.result, self._view)]
        return []
