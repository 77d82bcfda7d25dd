"""Servers whose replica lies: the ordinary one behind a hand that changes what it sends."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import vista
from apps.solidstate.objects.server import ReplicaServer
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of, pack
from apps.solidstate.pbft.encoding import decode, encode
from apps.solidstate.pbft.messages import Message, Proposal, Reply
from tests.solidstate.objects.pool import SimulatedPoolMember, SimulatedReplicaServer


class Lies(ReplicaServer, namespace="SolidState"):
    """Answers clients with results of its own, proposes otherwise to some, forgets half."""

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        if "_lies" not in vars(self):
            self._lies: Random = self._place.entropy()
            self._habit = self._lies.choice(("answers", "proposals", "silence", "state", "noise"))
        lied = [encode(one) for data in messages for one in self._lie(to, decode(data))]
        if lied:
            super()._post(to, lied)

    def _lie(self, to: Principal, message: Message) -> list[Message]:
        if isinstance(message, Reply):
            return [self._forge(message)]
        if self._habit == "proposals" and isinstance(message, Proposal) and to in (1, 3):
            batch = replace(message.batch, salt=b"other salt")
            order = replace(message.pre_prepare, batch=batch.digest)
            return [Proposal(replace(order, signature=self._keyring.sign(order.body)), batch)]
        if self._habit == "silence" and self._lies.random() < 0.5:
            return []
        if self._habit == "state" and self._service is not None:
            for variable in self._service.variables.values():
                variable.set_variables({"content": {"a": "stolen"}})
        if self._habit == "noise":
            return [message, self._lies.choice((message, message))]
        return [message]

    def _forge(self, reply: Reply) -> Reply:
        forged = vista.encode_value(["ok", "forged", 0])
        result = pack([forged])
        return replace(reply, result_digest=digest_of(result), result=result)


class LyingReplicaServer(Lies, SimulatedReplicaServer, namespace="SolidState"):
    """One of a simulated world."""


class LyingPoolMember(SimulatedPoolMember, namespace="SolidState"):
    """A machine whose replica lies."""

    server_class = LyingReplicaServer
