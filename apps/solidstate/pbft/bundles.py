"""Many users behind one client: what they ask for is signed, ordered and answered together.

Three rules. A bundle is one operation of the client to the protocol: one signature, one timestamp,
one reply, valid for all replicas or for none. Each operation in it is executed by itself, in the
order in which the users asked. Whoever asks by a `Proxy` trusts it as one trusts one's own client:
who does not has a key and a client to itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from apps.solidstate.pbft.canonical import MalformedMessage, digest_of, pack, unpack
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.effects import Answer, Effect
from apps.solidstate.pbft.events import Ask, Event, Tick
from apps.solidstate.pbft.service import Context, Service
from vista import BadValueError, LocalProtocolError

OPERATIONS_MAX = 1_000
"""Operations in one bundle: executing them takes some milliseconds, in which nothing else is
done."""

BUNDLE_BYTES_MAX = 512 * 1024
"""Bytes of the operations of one bundle: half of what a request may hold by default."""

RESULTS_BYTES_MAX = 1024 * 1024
"""Bytes of the results of one bundle, beyond which no further operation of it is executed: the last
ones of each client are part of the state."""

WAITING_MAX = 100_000
"""Users' operations that wait for a bundle; more are refused, so that a group that is down does not
fill the memory of its proxies."""


class BundledService:
    """A `Service` whose operations are bundles of those of another one.

    All replicas of a group have it with the same ``operations_max``, and all clients are proxies.
    What is no bundle, or too large a one, does nothing and has the result of an empty one.

    A bundle whose results are ``results_bytes_max``, or that took ``work_max`` of what ``work``
    counts in any unit, is done as far as that: operations behind have no result, and are asked for
    again. All replicas have to count the same.
    """

    def __init__(
        self,
        service: Service,
        operations_max: int = OPERATIONS_MAX,
        results_bytes_max: int = RESULTS_BYTES_MAX,
        work: Callable[[], int] | None = None,
        work_max: int = 0,
    ) -> None:
        self._service = service
        self._operations_max = operations_max
        self._results_bytes_max = results_bytes_max
        self._work = work
        self._work_max = work_max

    def execute(self, operation: bytes, context: Context) -> bytes:
        """Carry out the operations, one after the other; each has random bytes of its own."""
        client, sequence, time = context.client, context.sequence, context.time
        execute, results, size = self._service.execute, list[bytes | None](), 0
        begin = self._work() if self._work is not None else 0
        for place, one in enumerate(self._operations(operation)):
            worked = self._work() - begin if self._work is not None else 0
            if size >= self._results_bytes_max or worked > self._work_max:
                results.append(None)
                continue
            random = digest_of(context.random + place.to_bytes(4, "big"))
            result = execute(one, Context(client, sequence, time, random))
            size += len(result)
            results.append(result)
        return pack(results)

    def execute_read_only(self, operation: bytes) -> bytes | None:
        """Return the results of operations that all change nothing, None if one would.

        None as well where they are too many bytes: then it has to be ordered.
        """
        results, size = list[bytes](), 0
        for one in self._operations(operation):
            result = self._service.execute_read_only(one)
            if result is None or size >= self._results_bytes_max:
                return None
            size += len(result)
            results.append(result)
        return pack(results)

    def snapshot(self) -> Sequence[bytes]:
        """Return the pages of the other service."""
        return self._service.snapshot()

    def restore(self, pages: Sequence[bytes]) -> None:
        """Have the other service take over a state."""
        self._service.restore(pages)

    def _operations(self, operation: bytes) -> list[bytes]:
        try:
            found = unpack(operation)
        except MalformedMessage:
            return []
        if type(found) is not list or len(found) > self._operations_max:
            return []
        return found if all(type(one) is bytes for one in found) else []


@dataclass(frozen=True, slots=True)
class UserAsk:
    """A user wants ``operation`` done; ``user`` is whatever the driver knows it by."""

    user: object
    operation: bytes
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class UserAnswer:
    """What a user asked for was done, with ``result``."""

    user: object
    result: bytes


class Proxy:
    """Asks a group, as one client, for what any number of users want.

    It is driven as a `Client`, and takes `UserAsk` at any time: one bundle is under way, and what
    comes meanwhile makes the next one. So bundles are as large as the load makes them. ``client``
    is used by nobody else. Raises `BadValueError` for limits that cannot work.
    """

    def __init__(
        self,
        client: Client,
        operations_max: int = OPERATIONS_MAX,
        bytes_max: int = BUNDLE_BYTES_MAX,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        if min(operations_max, bytes_max, waiting_max) < 1:
            raise BadValueError("a proxy needs room for one operation at least")
        self._client = client
        self._operations_max = operations_max
        self._bytes_max = bytes_max
        self._waiting_max = waiting_max
        self._waiting: deque[UserAsk] = deque()
        self._asking: list[UserAsk] = []
        self._gathered_at = math.inf

    @property
    def busy(self) -> bool:
        """Whether a bundle is under way."""
        return self._client.busy

    @property
    def waiting(self) -> int:
        """How many operations wait for the next bundle."""
        return len(self._waiting)

    def next_deadline(self) -> float:
        """Return the time at which the proxy wants a `Tick` at the latest.

        After a `UserAsk` it is the present: a driver hands over all that users ask for in one turn
        of its loop and then a `Tick`, which makes a bundle of it.
        """
        return min(self._gathered_at, self._client.next_deadline())

    def handle(self, event: Event | UserAsk, now: float) -> list[Effect | UserAnswer]:
        """Take in an event at time ``now``, in seconds, and return what is to be done.

        Raises `vista.LocalProtocolError` when too much waits already, for an operation that is too
        large, and for an `Ask`: users ask by `UserAsk`.
        """
        if isinstance(event, UserAsk):
            self._wait(event, now)
            return []
        if isinstance(event, Ask):
            raise LocalProtocolError("a proxy is asked by UserAsk, so that it knows whom to answer")
        effects: list[Effect | UserAnswer] = []
        for effect in self._client.handle(event, now):
            if isinstance(effect, Answer):
                effects += self._answers(effect)
                self._gathered_at = now if self._waiting else math.inf
            else:
                effects.append(effect)
        if isinstance(event, Tick) and now >= self._gathered_at and not self._client.busy:
            effects += self._ask(now)
        return effects

    def _wait(self, wish: UserAsk, now: float) -> None:
        if len(wish.operation) > self._bytes_max:
            raise LocalProtocolError(
                f"an operation of {len(wish.operation)} bytes: a bundle holds {self._bytes_max}"
            )
        if len(self._waiting) >= self._waiting_max:
            raise LocalProtocolError(f"{self._waiting_max} operations wait already: ask later")
        self._waiting.append(wish)
        if not self._client.busy:
            self._gathered_at = min(self._gathered_at, now)

    def _ask(self, now: float) -> list[Effect]:
        self._gathered_at = math.inf
        self._asking = self._gather()
        bundle = pack([wish.operation for wish in self._asking])
        return self._client.handle(Ask(bundle, self._asking[0].read_only), now)

    def _gather(self) -> list[UserAsk]:
        """Take what goes together from the front: of one kind, and not too much."""
        waiting = self._waiting
        read_only, size, chosen = waiting[0].read_only, 0, 0
        for wish in takewhile(lambda wish: wish.read_only == read_only, waiting):
            size += len(wish.operation)
            if chosen == self._operations_max or (chosen and size > self._bytes_max):
                break
            chosen += 1
        return [waiting.popleft() for _ in range(chosen)]

    def _answers(self, answer: Answer) -> list[UserAnswer]:
        asked, self._asking = self._asking, []
        results = unpack(answer.result)
        if len(results) != len(asked):
            raise LocalProtocolError(
                f"the group refused a bundle of {len(asked)} operations: its replicas need a "
                f"BundledService that takes as many"
            )
        pairs = list(zip(asked, results, strict=True))
        # What the group did not come to goes first in the next bundle, in its order.
        self._waiting.extendleft(wish for wish, one in reversed(pairs) if one is None)
        return [UserAnswer(wish.user, one) for wish, one in pairs if one is not None]
