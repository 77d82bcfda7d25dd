"""What members of a group send one another: messages of one turn together, under one MAC.

Three rules. Who sent a letter is proven by its MAC, whatever the link says; what cannot be opened
is dropped and counted. A letter says where its sender is, so a member that came back elsewhere is
found as soon as it writes. Until then it is looked for by its service name, at every provider of
that name: one that took the name of another member keeps nothing from reaching it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import vista
from apps.solidstate.objects.charter import Charter
from apps.solidstate.objects.counters import public_key
from apps.solidstate.pbft.authentication import Principal, Sealer
from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.encoding import decode
from apps.solidstate.pbft.messages import Membership, Message
from vista import BadValueError, Id, Ref

LOOK_SECONDS = 2.0
"""How often members are looked for by name; looking through the services of a node takes about a
millisecond for each thousand of them."""

LETTER_BYTES_MAX = 8 * 1024 * 1024
"""Bytes of the messages of one letter; more make several letters. A link carries one of this size
within a second, and what else is on it waits no longer."""

REPLICA_BYTES_MAX = 32 * 1024 * 1024
"""Bytes of the letters of one replica that wait to be handled; what is more is dropped, as a
network would. Each has its own, so one that sends without end silences nobody."""

CLIENT_BYTES_MAX = 2 * 1024 * 1024
"""The same for one client: four of its largest requests, of which one is under way at a time."""

MESSAGES_MAX = 1_000
"""Messages of one letter: handling them takes some 50 ms where their signatures are verified, and
then it is the turn of the letters of others."""

CLIENT_MESSAGES_MAX = 4
"""The same of a client, which asks for one thing at a time: each of its reads that are not ordered
is answered at once, and may take some 50 ms."""

PACKED_BYTES_MAX = 256 * 1024
"""Bytes of a letter that is kept until another one is written: it is none that fills memory."""

_log = logging.getLogger("vista.solidstate")


def pool_service(pool: str) -> str:
    """Return the service name that every member of a pool has on its node."""
    return f"SolidState/pool/{pool}"


def service_name(group: str, number: int) -> str:
    """Return the service name of a replica."""
    return f"SolidState/{group}/{number}"


class Mail:
    """The correspondence of one member: ``me``, whose object has the Id ``id``.

    Raises `BadValueError` for a charter with keys that are none.
    """

    def __init__(self, charter: Charter, me: Principal, keyring: Ed25519Keyring, id: Id) -> None:
        self._charter = charter
        self._me = me
        self._id = bytes(id)
        others = [one for one in charter.public() if one != me]
        self._keyring = keyring
        self._numbers = set(range(len(charter.replicas)))
        self._sealer = Sealer(me, {one: keyring.shared_key(one) for one in others})
        self._addresses: dict[Principal, Ref] = {}
        self._heard: dict[Principal, bytes] = {}
        self._listed: dict[Principal, list[Ref]] = {}
        self._looked_at = -LOOK_SECONDS
        # What was packed last: most of it goes to all others, and differs in the MAC alone.
        self._packed_of: list[bytes] | None = None
        self._packed = b""
        self.refused = 0

    def follow(self, membership: Membership) -> None:
        """Exchange letters with those who came into the group as well."""
        came: dict[Principal, bytes] = {}
        for member in membership.members:
            came[member.number] = public_key(self._charter, member)
        came |= {one.client: one.key for one in membership.clients}
        others = set(came) - {self._me, *self._charter.administrators}
        for one, key in came.items():
            if one in others and key and self._keyring.is_key(key):
                try:
                    self._keyring.learn(one, key)
                    self._sealer.learn(one, self._keyring.shared_key(one))
                except BadValueError as error:
                    _log.warning("no letters with %r of %s: %s", one, self._charter.name, error)
        self._numbers.update(one.number for one in membership.members)

    def note_address(self, principal: Principal, ref: Ref) -> None:
        """Take note of where a member is said to be, if there is such a replica."""
        if principal in self._numbers:
            self._addresses.setdefault(principal, ref)

    def note_addresses(self, replicas: Sequence[object]) -> None:
        """Take note of where others are said to be, in the order of their numbers; None is unknown.

        Raises `BadValueError` for what is no list of places.
        """
        if not isinstance(replicas, list | tuple):
            raise BadValueError(f"replicas are given as a list, not {replicas!r:.60}")
        for number, ref in enumerate(replicas):
            if ref is not None and number != self._me:
                self.note_address(number, vista.ref_of(ref))

    def unseal(self, sender: object, sealed: object) -> bytes | None:
        """Return what is in a letter; None, and count it, when ``sender`` did not seal it."""
        if type(sealed) is bytes and type(sender) in (int, str):
            data = self._sealer.open(sealed, sender)  # type: ignore[arg-type]
            if data is not None:
                return data
        self.refused += 1
        return None

    def read(self, sender: Principal, data: bytes) -> list[Message]:
        """Return the messages of a letter that is opened; none, and count it, for other bytes."""
        try:
            id, *messages = unpack(data)
            # A few are within the bound of anybody.
            if len(messages) > CLIENT_MESSAGES_MAX and len(messages) > (
                most := _messages_max(sender)
            ):
                raise MalformedMessage(f"{len(messages)} messages; {most} are the most")
            found = [decode(one) for one in messages]
            if self._heard.get(sender) != id or sender not in self._addresses:
                if type(id) is not bytes:
                    # A number would be taken for how many bytes to make.
                    raise MalformedMessage("an Id is bytes")
                self._addresses[sender] = vista.ref_of(Id.read(id))
                self._heard[sender] = id
        except (MalformedMessage, ValueError, TypeError) as error:
            _log.debug("a letter of %r that cannot be read: %s", sender, error)
            self.refused += 1
            return []
        return found

    def allowance(self, sender: Principal) -> int:
        """Return the bytes of letters of a member that may wait to be handled."""
        return REPLICA_BYTES_MAX if isinstance(sender, int) else CLIENT_BYTES_MAX

    def seal(self, to: Principal, messages: Sequence[bytes]) -> list[bytes]:
        """Return the letters in which messages go to a member."""
        if messages != self._packed_of:
            letters = _letters(messages, _messages_max(self._me))
            packed = [pack([self._id, *letter]) for letter in letters]
            if len(packed) != 1 or len(packed[0]) > PACKED_BYTES_MAX:
                return [self._sealer.seal(one, to) for one in packed]
            self._packed_of, self._packed = list(messages), packed[0]
        return [self._sealer.seal(self._packed, to)]

    def send(self, to: Principal, messages: Sequence[bytes], now: float) -> None:
        """Post messages to a member, wherever it is; whom nobody knows gets nothing."""
        places = self._places(to, now)
        for sealed in self.seal(to, messages) if places else ():
            for place in places:
                try:
                    place.take_mail.post(self._me, sealed)
                except vista.CallError as error:
                    # As a network that loses it: the protocol sends again.
                    _log.debug("a letter to %r is lost: %r", to, error)

    def _places(self, to: Principal, now: float) -> list[Ref]:
        if now >= self._looked_at + LOOK_SECONDS or now < self._looked_at:
            self._looked_at = now
            self._look()
        known = self._addresses.get(to)
        listed = self._listed.get(to, [])
        return listed if known is None or known in listed else [known, *listed]

    def _look(self) -> None:
        names = {service_name(self._charter.name, number): number for number in self._numbers}
        self._listed = {}
        for row in vista.services():
            number = names.get(row.name)
            if number is not None:
                self._listed.setdefault(number, []).append(vista.ref_of(row.object))
        for one, listed in self._listed.items():
            # One that came back has another Id, and the old one leads nowhere.
            if one in self._addresses and self._addresses[one] not in listed:
                del self._addresses[one]


def _messages_max(sender: Principal) -> int:
    return MESSAGES_MAX if isinstance(sender, int) else CLIENT_MESSAGES_MAX


def _letters(
    messages: Sequence[bytes], messages_max: int = MESSAGES_MAX
) -> Sequence[Sequence[bytes]]:
    """Put messages together, as many as one letter takes."""
    if len(messages) == 1:
        return (messages,)
    letters: list[list[bytes]] = []
    size = 0
    for message in messages:
        full = size + len(message) > LETTER_BYTES_MAX
        if not letters or full or len(letters[-1]) >= messages_max:
            letters.append([])
            size = 0
        letters[-1].append(message)
        size += len(message)
    return letters
