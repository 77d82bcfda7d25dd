"""Machines that run from copies of one folder: each finds the other one out, and both stop voting.

Three rules. Who answers a challenge with the machine's own secret has that secret, and is another
run of it: a liar that passes the challenge on gets an answer of the one it asked, which names that
one. Nobody can tell which of the two is the copy, so neither goes on. What a replica of one of them
promised the other does not know, so whichever starts again starts as one whose disk is damaged.
"""

from __future__ import annotations

import hmac
import logging

import vista
from apps.solidstate.objects.identity import Identity, pinned, replica_folder
from apps.solidstate.objects.machines import answers_of
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import AnyPlace
from vista import BadValueError, Id, NoSuchObject

CHALLENGE_BYTES = 32
"""Bytes of a challenge: nobody foresees one, and nobody keeps answers to all."""

COPIED_FILE = "copied"
"""The file in the folder of a replica that ran at two places: it is empty once the log says that
the replica may have forgotten votes."""

_log = logging.getLogger("vista.solidstate")


class Twins:
    """Looks in a pool for another run of the machine whose member is ``me``.

    ``found`` says that there is one, or was: for as long as this run goes on.
    """

    def __init__(self, pool: str, me: vista.Ref, identity: Identity, place: AnyPlace) -> None:
        self._name = pool_service(pool)
        self._me = vista.id_of(me)
        self._identity = identity
        self._place = place
        self._apart: set[Id] = set()
        self._unnoted: set[str] = set()
        self.found = False

    def look(self, servers: dict[str, vista.Ref], directory: str) -> None:
        """Stop all replicas of this machine, if another one has its folder or a copy of it.

        ``servers`` are they, by group: those that stopped are taken out. The next call stops what
        this one could not, and what was being started meanwhile. Raises `OSError` where the folder
        does not take what a stopped one leaves in it; the next call tries that again.
        """
        if not self.found and servers:
            twin = self.find()
            if twin is not None and not self.found:
                self.found = True
                self.tell(twin, directory)
        if self.found:
            self._stop(servers)

    def _stop(self, servers: dict[str, vista.Ref]) -> None:
        for group, server in list(servers.items()):
            # Stopped before it is noted: what it writes until then would take the note back, and a
            # folder that takes nothing is no reason to go on voting.
            self._unnoted.add(group)
            try:
                server.delete_yourself()
            except NoSuchObject:
                pass
            except vista.VistaError as error:
                _log.error("replica of %s is stopped again in a while: %s", group, error)
                continue
            if servers.get(group) == server:
                del servers[group]
        for group in sorted(self._unnoted - servers.keys()):
            self._note(group)
            self._unnoted.discard(group)

    def find(self) -> Id | None:
        """Return the member of the pool that has this machine's secret as well, None for none.

        Each other member is asked until it has answered once; those that do not answer in time are
        asked again by the next call.
        """
        there = {row.object for row in vista.services() if row.name == self._name} - {self._me}
        self._apart &= there
        challenge = self._place.entropy().randbytes(CHALLENGE_BYTES)
        asked = [(id, id) for id in sorted(there - self._apart)]
        for id, answer in answers_of(asked, "answer_challenge", challenge):
            known = self._identity.machine_mac(bytes(id), challenge)
            if type(answer) is bytes and hmac.compare_digest(answer, known):
                return id
            self._apart.add(id)
        return None

    def answer(self, challenge: bytes) -> bytes:
        """Return what only this machine, or one with a copy of its folder, can answer."""
        if type(challenge) is not bytes or len(challenge) != CHALLENGE_BYTES:
            raise BadValueError(f"a challenge has {CHALLENGE_BYTES} bytes")
        return self._identity.machine_mac(bytes(self._me), challenge)

    def tell(self, twin: Id, directory: str) -> None:
        """Tell the operator that there are two."""
        _log.error(
            "%s runs from a copy of folder %s, or this machine does: the replicas of both stop. "
            "End the one whose folder is the copy, remove that folder, and start the other node "
            "again; its replicas vote when what they may have said elsewhere no longer matters",
            twin, directory,
        )  # fmt: skip

    def _note(self, group: str) -> None:
        """Keep that this machine's replica of a group ran at two places."""
        charter = pinned(self._place, group)
        number = None if charter is None else self._identity.live_number(charter)
        # None is left of a folder that was removed, and of a replica that left the group.
        if charter is not None and number is not None:
            self._place.write(f"{replica_folder(charter, number)}/{COPIED_FILE}", b"copied")


def is_copied(place: AnyPlace, folder: str) -> bool:
    """Tell whether a replica ran at two places, and its log does not say so yet."""
    return bool(place.read(f"{folder}/{COPIED_FILE}"))


def note_abstaining(place: AnyPlace, folder: str) -> None:
    """Keep that the log of a replica says that it may have forgotten votes."""
    place.write(f"{folder}/{COPIED_FILE}", b"")
