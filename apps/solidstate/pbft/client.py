"""A client: one request at a time, believed when enough replicas answer the same.

Three rules. A result needs f + 1 equal replies or more (`Config.reply_quorum`), of which one is in
full. A request that gets none in time goes to all replicas, and then all answer in full, so neither
a primary nor the chosen replier can keep a result back. The view is taken from the replies that
were believed: the highest one that f + 1 of them reach.

A read that is not ordered (OSDI 1999, section 5.1) is asked of all at once, and ordered as soon as
their answers can no longer prove it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from apps.solidstate.pbft.authentication import Keyring, Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.effects import Answer, Effect, Send
from apps.solidstate.pbft.events import Ask, Event, Received
from apps.solidstate.pbft.membership import epoch_of
from apps.solidstate.pbft.messages import FetchHandovers, Handovers, Membership, Reply, Request
from apps.solidstate.pbft.proofs import Proofs
from apps.solidstate.pbft.unsigned import Unsigned
from vista import LocalProtocolError


class Client:
    """One client of a group.

    ``name`` is one of ``config.clients`` and ``keyring`` holds its key; ``entropy`` chooses who
    answers in full. ``disagreed`` counts, by replica, answers that differed from the proven ones.
    """

    def __init__(self, config: Config, name: str, entropy: Random, keyring: Keyring) -> None:
        config.validate()
        self._config = config
        self._name = name
        self._entropy = entropy
        self._keyring = Unsigned() if config.crash_only else keyring
        self._proofs = Proofs(config, self._keyring)
        self._deadline = math.inf
        self._timestamp = 0
        self._view = config.epoch.first_view
        self._faults_expected = 0
        self._wait = config.retransmit_seconds
        self._request: Request | None = None
        self._wanted: Ask | None = None
        self._replies: dict[int, Reply] = {}
        self._asked: set[int] = set()
        self._silent: set[int] = set()
        self._patient = True
        self._proven: tuple[int, bytes] | None = None
        self.disagreed: dict[int, int] = {}

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self._request is not None

    def raise_wait_limit(self, faults: int) -> int:
        """Wait for ``faults`` + 1 equal replies, within what the group allows; return the limit.

        More than the group needs costs time and, with faulty replicas, waiting in vain: after the
        first retransmission the least number does. As ``raiseWaitLimit`` of ReplicaClientProxy.
        """
        self._faults_expected = faults
        return self._wait_limit

    @property
    def membership(self) -> Membership:
        """The group as this client knows it, for the next reconfiguration or start."""
        return self._proofs.epoch.membership

    @property
    def _least(self) -> int:
        return self._config.reply_quorum(self._proofs.epoch.quorums, self._name)

    @property
    def _wait_limit(self) -> int:
        most = len(self._proofs.epoch.numbers)
        return min(max(self._faults_expected + 1, self._least), most)

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
            return self._receive(event.sender, event.message) or self._order_read(now)
        return self._again(now) if self.busy and now >= self._deadline else []

    def _ask(self, operation: bytes, read_only: bool, now: float) -> list[Effect]:
        self._timestamp = max(self._timestamp + 1, int(now * 1_000_000))
        replier = self._entropy.choice(self._repliers(read_only))
        request = Request(self._name, self._timestamp, operation, read_only, replier)
        self._request = replace(request, signature=self._keyring.sign(request.body))
        self._replies = {}
        self._asked = set()
        self._patient = True
        self._wait = self._config.retransmit_seconds
        self._deadline = now + self._wait
        if self._is_fast(self._request):
            return self._to_all(self._request)
        return [Send(self._proofs.epoch.primary(self._view), self._request)]

    def _repliers(self, read_only: bool) -> Sequence[int]:
        """Return who may be asked for a result in full.

        A read has one try, so who left one without its result is passed over until it is heard.
        """
        members = self._proofs.epoch.numbers
        if not read_only:
            return members
        return [member for member in members if member not in self._silent] or members

    def _is_fast(self, request: Request) -> bool:
        return request.read_only and self._config.fast_reads

    def _order_read(self, now: float) -> list[Effect]:
        """Have a read ordered at once that no answers to come can prove."""
        request, wanted = self._request, self._wanted
        if request is None or wanted is None or not self._is_fast(request):
            return []
        told = [reply.result_digest for reply in self._replies.values() if reply.result_digest]
        most = max(map(told.count, told), default=0)
        lacking = len(self._proofs.epoch.numbers) - len(self._replies)
        if lacking and most + lacking >= self._wait_limit:
            return []
        return self._ask(wanted.operation, False, now)

    def _to_all(self, request: Request) -> list[Effect]:
        return [Send(replica, request) for replica in self._proofs.epoch.numbers]

    def _again(self, now: float) -> list[Effect]:
        request, wanted = self._request, self._wanted
        assert request is not None and wanted is not None
        if self._is_fast(request):
            if request.replier not in self._replies:
                self._silent.add(request.replier)
            return self._ask(wanted.operation, False, now)
        self._patient = False
        self._asked = set()
        self._wait = min(2 * self._wait, self._config.retransmit_seconds_max)
        self._deadline = now + self._wait
        return [*self._to_all(request), *self._settle()]

    def _receive(self, sender: Principal, reply: object) -> list[Effect]:
        request = self._request
        if isinstance(reply, Handovers) and isinstance(sender, int):
            return self._follow(sender, reply)
        if not isinstance(reply, Reply) or not isinstance(sender, int):
            return []
        self._compare(sender, reply)
        self._silent.discard(sender)
        if request is None:
            return []
        epoch = self._proofs.epoch
        if not epoch.has_view(reply.view):
            # Who took over is proven by handovers. Only replies of one epoch count together.
            later = epoch_of(reply.view) > epoch.number
            return self._fetch_handovers(sender) if later else []
        if sender not in epoch:
            return []
        if (reply.client, reply.timestamp) != (self._name, request.timestamp):
            return []
        if reply.ordered == self._is_fast(request):
            return []
        if reply.result is not None and digest_of(reply.result) != reply.result_digest:
            return []
        known = self._replies.get(sender)
        if known is not None and known.result is not None and reply.result is None:
            if known.result_digest == reply.result_digest:
                reply = replace(reply, result=known.result)
        if known is None or known.tentative or not reply.tentative:
            self._replies[sender] = reply
        return self._settle()

    def _fetch_handovers(self, sender: int) -> list[Effect]:
        """Ask once in each round for the handovers that lead to the group of the day."""
        if sender in self._asked:
            return []
        self._asked.add(sender)
        return [Send(sender, FetchHandovers(self._proofs.epoch.number))]

    def _follow(self, sender: int, message: Handovers) -> list[Effect]:
        """Follow the handovers to the group of the day, and ask it again."""
        before = self._proofs.epoch
        for handover in message.handovers:
            if self._proofs.handover(handover):
                self._proofs.follow(handover)
        epoch = self._proofs.epoch
        if epoch is before:
            newest = max((handover.membership.epoch for handover in message.handovers), default=0)
            return self._fetch_handovers(sender) if newest > epoch.number else []
        self._view = epoch.first_view
        self._replies = {}
        self._asked = set()
        return self._to_all(self._request) if self._request is not None else []

    def _settle(self) -> list[Effect]:
        """Believe the result that enough replicas gave, one of them in full."""
        request = self._request
        assert request is not None
        quorum = self._wait_limit if self._patient else self._least
        for reply in self._replies.values():
            digest = reply.result_digest
            same = [other for other in self._replies.values() if other.result_digest == digest]
            firm = sum(not other.tentative for other in same)
            # 2f + 1 prepared it: so every later view will decide it (OSDI 1999, section 5.1).
            certain = len(same) >= max(quorum, self._proofs.epoch.quorums.certificate)
            if reply.result is not None and (firm >= quorum or certain):
                weak = self._proofs.epoch.quorums.weak
                self._view = sorted((other.view for other in same), reverse=True)[weak - 1]
                self._request = None
                self._deadline = math.inf
                self._note_proven(request, digest)
                return [Answer(request.timestamp, reply.result, self._view)]
        return []

    # --- who answers otherwise -------------------------------------------------------------

    def _note_proven(self, request: Request, digest: bytes) -> None:
        """Compare the answers there are with the one that was believed, and those that come yet."""
        self._proven = None
        if not (self._is_fast(request) or self._config.crash_only):
            self._proven = (request.timestamp, digest)
            for sender, reply in self._replies.items():
                self._compare(sender, reply)

    def _compare(self, sender: int, reply: Reply) -> None:
        """Count an answer in which a replica disagrees with what was proven.

        Answers to ordered requests that are firm: all others may differ among good replicas.
        """
        if self._proven is None or reply.client != self._name or sender not in self._proofs.epoch:
            return
        timestamp, digest = self._proven
        told = reply.timestamp == timestamp and reply.ordered and not reply.tentative
        if told and reply.result_digest != digest:
            self.disagreed[sender] = self.disagreed.get(sender, 0) + 1
