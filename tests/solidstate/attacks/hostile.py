"""Machines whose keys somebody else uses: they say what they like, past all objects.

Their replicas and proxies work as usual besides, so that the group has what it takes. What they
sign and seal is valid; what they say need not be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import vista
from apps.solidstate.objects.backup import read_backup
from apps.solidstate.objects.mail import service_name
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of, pack
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.messages import Blobs, Message, Reply, Request
from tests.solidstate.objects.pool import (
    POOL,
    Pool,
    SimulatedClientProxy,
    SimulatedPoolMember,
    SimulatedReplicaServer,
)

CRITICS = 5
"""Forged answers that a replica sends beside each of its own."""


class HostileServer(SimulatedReplicaServer, namespace="SolidState"):
    """A replica whose keys somebody else uses.

    ``habits`` are what it does by itself: ``answers`` (it forges them, many times), ``pages`` (it
    hands out other states), ``boasts`` (it tells that all is well and it is far ahead).
    """

    habits: frozenset[str] = frozenset()

    def seal(self, to: Principal, messages: Sequence[bytes]) -> list[bytes]:
        """Return letters with messages of which each may be anything."""
        assert self._mail is not None
        return [self._mail._sealer.seal(pack([self._mail._id, *messages]), to)]

    def say(self, to: Principal, messages: Sequence[bytes]) -> None:
        """Send messages to a member, in one letter."""
        assert self._mail is not None
        for place in self._mail._places(to, self._loop_time()):
            for letter in self.seal(to, messages):
                place.take_mail.post(self._number, letter)

    def take_mail(self, sender: int | str, sealed: bytes) -> None:
        """Keep what was heard, to send it to others."""
        vars(self).setdefault("_heard_of", {})[sender] = sealed
        super().take_mail(sender, sealed)

    def heard_of(self, sender: int | str) -> bytes:
        """Return the last letter of a member."""
        found: bytes = self._heard_of[sender]
        return found

    def sign(self, body: bytes) -> bytes:
        """Sign anything by the replica's key."""
        return self._keyring.sign(body)

    def get_status(self) -> dict[str, Any]:
        told = super().get_status()
        if "boasts" in self.habits and told["runs"]:
            told |= {"executed": 10**12, "stable": 10**12, "view": 10**9, "primary": 3}
        return told

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        super()._post(to, [encode(one) for data in messages for one in self._lie(decode(data))])

    def _lie(self, message: Message) -> list[Message]:
        if "answers" in self.habits and isinstance(message, Reply):
            forged = pack([vista.encode_value(["ok", "forged", 0])])
            lie = replace(message, result=forged, result_digest=digest_of(forged), tentative=False)
            return [replace(lie, view=message.view + count) for count in range(CRITICS)]
        if "pages" in self.habits and isinstance(message, Blobs):
            return [replace(message, blobs=tuple(one + b"x" for one in message.blobs))]
        return [message]

    def make_backup(self, least: int, challenge: bytes, signature: bytes) -> int:
        size = super().make_backup(least, challenge, signature)
        if "pages" in self.habits:
            made = read_backup(self._backup)
            pages = (*made.pages[:-1], made.pages[-1] + b"x")
            self._backup = replace(made, pages=pages).data
            return len(self._backup)
        return size


class HostileProxy(SimulatedClientProxy, namespace="SolidState"):
    """A client whose key somebody else uses."""

    def ask_raw(self, operation: list[Any]) -> Any:
        """Have the group carry out any operation, and return its value."""
        return self._ask(operation)[0]

    def sign_request(self, client: str, timestamp: int, operation: list[Any]) -> bytes:
        """Return a request of anybody that this client's key signed, encoded."""
        bundle = pack([vista.encode_value(operation)])
        request = Request(client, timestamp, bundle, False, 0)
        return encode(replace(request, signature=self._keyring.sign(request.body)))

    def say(self, to: Sequence[int], messages: Sequence[bytes], signed: bool = True) -> None:
        """Send messages to replicas, in one letter each, which need not be sealed rightly."""
        assert self._mail is not None
        for number in to:
            for letter in self._mail.seal(number, messages):
                sent = letter if signed else bytes(16) + letter[16:]
                vista.service(service_name(POOL, number)).take_mail.post(self.name, sent)

    def say_at_once(self, to: int, messages: Sequence[bytes]) -> None:
        """Send messages to a replica in one letter, however many they are."""
        assert self._mail is not None
        sealed = self._mail._sealer.seal(pack([self._mail._id, *messages]), to)
        vista.service(service_name(POOL, to)).take_mail.post(self.name, sealed)

    @property
    def name(self) -> str:
        """The name under which it asks."""
        return self._identity.client_name


class HostilePoolMember(SimulatedPoolMember, namespace="SolidState"):
    """The machine of both."""

    server_class = HostileServer
    proxy_class = HostileProxy


class Answering(HostileServer, namespace="SolidState"):
    """A replica that forges answers, many times."""

    habits = frozenset({"answers"})


class AnsweringPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """The machine of such a replica."""

    server_class = Answering


class Paging(HostileServer, namespace="SolidState"):
    """A replica that hands out other states, and says that all is well."""

    habits = frozenset({"pages", "boasts"})


class PagingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """The machine of such a replica."""

    server_class = Paging


def server_of(pool: Pool, number: int, group: str = POOL) -> vista.Ref:
    """The replica of a number, as the front end sees it."""
    found: vista.Ref = pool.front.call(vista.service, service_name(group, number))
    return found


def act(pool: Pool, ref: vista.Ref, method: str, *args: Any) -> Any:
    """Have a hostile object do something, on behalf of its own machine."""
    return pool.front.call(lambda: vista.send(ref, method, *args))
