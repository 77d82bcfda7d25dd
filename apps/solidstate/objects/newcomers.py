"""Machines that come into a group: what their administrator notes of them, and tells them.

Two rules. Whom the group takes in is noted before it is asked to, with what the group was: a change
that is cut off goes on from that. A member that was not told has to be told before anything else,
and without asking the group, which may stand still for want of it.
"""

from __future__ import annotations

import logging
from typing import Any

import vista
from apps.solidstate.objects.charter import Charter
from apps.solidstate.objects.counters import public_key
from apps.solidstate.objects.machines import MACHINE_SECONDS, Machine, find_machines
from apps.solidstate.objects.places import AnyPlace, folder_of
from apps.solidstate.pbft.canonical import pack, unpack
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.messages import Membership

_log = logging.getLogger("vista.solidstate")


class Newcomers:
    """Those who came into the group of a charter; ``keyring`` signs as its administrator.

    ``woken`` are the numbers of those that `start_missing` told.
    """

    def __init__(self, place: AnyPlace, charter: Charter, keyring: Ed25519Keyring) -> None:
        self._place = place
        self._charter = charter
        self._keyring = keyring
        self.woken: set[int] = set()

    def note(self, number: int, offer: dict[str, Any], before: Membership) -> None:
        """Keep who is about to come as a replica, and what the group is without it."""
        row = [offer["client"], offer["node"], before.row]
        self._place.write(self._path(number), pack(row))

    def client_of(self, number: int) -> str:
        """Return the client of the machine that came as a replica, empty where none is noted."""
        return str((self._read(number) or [""])[0])

    def welcome(
        self, ref: vista.Ref, number: int | None, key: bytes, before: Membership, after: Membership
    ) -> None:
        """Tell a machine what it is in the group, None for no replica; again, it hears it again."""
        text, row = self._charter.text(), after.row
        ref.take_membership(text, row, self._keyring.sign(pack(["membership", row])))
        if number is not None:
            known = self._read(number)
            row = before.row if known is None else known[2]
            signature = self._keyring.sign(pack(["join", number, key, row]))
            ref.join(text, number, row, signature)

    def start_missing(self, membership: Membership, pool: str) -> None:
        """Tell those members that came later, and do not run, that they came.

        ``membership`` is proven. Who does not answer is told when this is called again.
        """
        later = [one for one in membership.members if one.number >= len(self._charter.replicas)]
        noted = [(one, note) for one in later if (note := self._read(one.number)) is not None]
        machines = find_machines(pool, self._charter.name) if noted else {}
        for member, note in noted:
            key = public_key(self._charter, member)
            for machine in machines.get(note[1], ()):
                try:
                    with vista.timeout(MACHINE_SECONDS):
                        self._start(machine, member.number, key, membership)
                except vista.VistaError as error:
                    _log.warning(
                        "%s does not start as replica %d: %s", note[1], member.number, error
                    )

    def _start(self, machine: Machine, number: int, key: bytes, membership: Membership) -> None:
        ref, offer = machine
        if offer["live"] != number and ref.replica_key(self._charter.text(), number) == key:
            _log.warning("%s is told again that it is replica %d", offer["node"], number)
            self.welcome(ref, number, key, membership, membership)
            self.woken.add(number)

    def _read(self, number: int) -> list[Any] | None:
        found = self._place.read(self._path(number))
        return None if found is None else list(unpack(found))

    def _path(self, number: int) -> str:
        return f"{folder_of(self._charter.name)}/came-{number}"
