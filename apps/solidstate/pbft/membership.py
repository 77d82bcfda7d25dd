"""Who the replicas are: the group of one epoch, and what a reconfiguration makes of it.

Three rules. A reconfiguration is a request that is ordered like any other, and the epoch ends with
the batch that holds it. A view number holds its epoch, so nothing that is said in a view of one
epoch counts in another. A number is never given twice: the votes of its former owner would count as
the new one's. After Lorch and others, "The SMART Way to Migrate Replicated Stateful Services"
(EuroSys 2006), where configurations share no ordered number either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.encoding import NAME_CHARACTERS_MAX, decode
from apps.solidstate.pbft.messages import Admission, Member, Membership
from apps.solidstate.pbft.quorums import Quorums
from vista import BadValueError

VIEWS_PER_EPOCH = 2**32
"""Views of one epoch: more than are ever reached, at one in a second it takes 136 years."""

HANDOVERS_AT_ONCE = 16
"""Handovers in one message."""


MEMBERS_MAX = 64
"""Members of a group: what they say to each other grows with the square of their number."""

ADMISSIONS_MAX = 1_000
"""Clients that came or left since a group was founded: as many as it may be founded with. They
stand in each membership, and so in each handover."""

NUMBERS_END = 2**31
"""Above all numbers of replicas: more than anybody starts in the life of a group."""


def epoch_of(view: int) -> int:
    """Return the epoch of a view."""
    return view // VIEWS_PER_EPOCH


class Epoch:
    """The replicas of one epoch.

    ``membership`` is the record that names them, ``crash_only`` says what may be wrong with them;
    ``minbft`` that they have trusted counters; ``start`` is the number of the last batch before it.
    """

    def __init__(self, membership: Membership, crash_only: bool, minbft: bool = False) -> None:
        self.membership = membership
        self.number = membership.epoch
        self.start = membership.start
        self.numbers = tuple(member.number for member in membership.members)
        self.quorums = Quorums(len(self.numbers), crash_only, minbft)
        self.first_view = self.number * VIEWS_PER_EPOCH

    def __contains__(self, number: object) -> bool:
        return number in self._members

    @cached_property
    def _members(self) -> frozenset[int]:
        return frozenset(self.numbers)

    @cached_property
    def admissions(self) -> Mapping[str, bytes]:
        """The clients that came, by their keys, and those that left, with empty ones."""
        return {one.client: one.key for one in self.membership.clients}

    def has_view(self, view: int) -> bool:
        """Tell whether a view is one of this epoch."""
        return epoch_of(view) == self.number

    def primary(self, view: int) -> int:
        """Return the primary of a view: members take turns (OSDI 1999, section 4.1)."""
        return self.numbers[view % VIEWS_PER_EPOCH % len(self.numbers)]

    def others(self, me: int) -> tuple[int, ...]:
        """Return the members but one."""
        return tuple(number for number in self.numbers if number != me)


def founders(replicas: int) -> Membership:
    """Return the first membership of a group: replicas 0 to ``replicas`` - 1."""
    members = tuple(Member(number, b"") for number in range(replicas))
    return Membership(0, 0, replicas, members)


def read_membership(row: list[Any]) -> Membership:
    """Return the membership whose ``row`` that is; raises `MalformedMessage` where it is none."""
    membership = decode(pack([Membership.TAG, *row]))
    assert isinstance(membership, Membership)
    return membership


def reconfiguration(
    membership: Membership,
    add: Mapping[int, bytes] | None = None,
    remove: Iterable[int] = (),
    clients: Mapping[str, bytes] | None = None,
) -> bytes:
    """Return the operation by which an administrator changes a membership.

    ``add`` has the public keys of those who come by their numbers, from ``membership.fresh`` up, or
    what `usig.member_key` makes of them and their trusted counters; ``remove`` the numbers of those
    who leave. To replace one is to do both. ``clients`` has the keys of clients that come, and an
    empty one for each that leaves. Raises `BadValueError` for a number that is no member's, or was
    one before.

    >>> operation = reconfiguration(founders(4), add={4: b"key"}, remove=[2])
    """
    gone = set(remove)
    if not gone <= {member.number for member in membership.members}:
        raise BadValueError(f"{sorted(gone)} are not all members of epoch {membership.epoch}")
    rows = [[one.number, one.key] for one in membership.members if one.number not in gone]
    for number, key in sorted((add or {}).items()):
        if number < membership.fresh:
            raise BadValueError(f"{number} was a member; the least free number: {membership.fresh}")
        rows.append([number, key])
    admissions = [[name, key] for name, key in sorted((clients or {}).items())]
    return pack(["reconfigure", membership.epoch, rows, *([admissions] if admissions else [])])


def reconfigured(
    before: Membership,
    operation: bytes,
    sequence: int,
    is_key: Callable[[bytes], bool],
    crash_only: bool,
    minbft: bool = False,
    is_member_key: Callable[[bytes], bool] | None = None,
) -> Membership:
    """Return the membership that an operation executed at ``sequence`` makes of another one.

    ``is_key`` tells whether bytes are a public key, and ``is_member_key`` whether they are what a
    replica has in its place, where that is more. Both are the same at every replica, and so are the
    words of the `BadValueError` that says what is wrong with the operation.
    """
    is_member_key = is_member_key or is_key
    epoch, members, admitted = _read(operation)
    if epoch != before.epoch or sequence <= before.start:
        raise BadValueError(f"epoch {before.epoch} is reached, and the operation is for {epoch}")
    numbers = [member.number for member in members]
    if numbers != sorted(set(numbers)):
        raise BadValueError("members have to stand in the order of their numbers, each once")
    known = {member.number: member for member in before.members}
    for member in members:
        if member.number in known:
            if member != known[member.number]:
                raise BadValueError(f"the key of {member.number} cannot change: give a new number")
        elif member.number < before.fresh:
            raise BadValueError(f"{member.number} was a member; the least free: {before.fresh}")
        elif not is_member_key(member.key):
            more = " with a trusted counter (usig.member_key)" if minbft else ""
            raise BadValueError(f"the key of {member.number} is no public key{more}")
    if len(members) > MEMBERS_MAX:
        raise BadValueError(f"{len(members)} members: {MEMBERS_MAX} are the most")
    Quorums(len(members), crash_only, minbft)
    clients = _admissions(before, admitted, is_key)
    return Membership(epoch + 1, sequence, max(before.fresh, numbers[-1] + 1), members, clients)


def _admissions(
    before: Membership, admitted: Sequence[Admission], is_key: Callable[[bytes], bool]
) -> tuple[Admission, ...]:
    """Return who may ask besides the founding clients when some came and some left."""
    for one in admitted:
        if one.key and not is_key(one.key):
            raise BadValueError(f"the key of {one.client} is no public key")
    known = {one.client: one for one in (*before.clients, *admitted)}
    if len(known) > ADMISSIONS_MAX:
        raise BadValueError(f"{len(known)} clients came or left: {ADMISSIONS_MAX} are the most")
    return tuple(known[name] for name in sorted(known))


def _read(operation: bytes) -> tuple[int, tuple[Member, ...], tuple[Admission, ...]]:
    try:
        match unpack(operation):
            case ["reconfigure", int(epoch), list(rows)]:
                return epoch, tuple(_member(row) for row in rows), ()
            case ["reconfigure", int(epoch), list(rows), list(clients)]:
                admitted = tuple(_admission(row) for row in clients)
                return epoch, tuple(_member(row) for row in rows), admitted
    except MalformedMessage:
        pass
    raise BadValueError("an administrator asks for reconfigurations and nothing else")


def _member(row: object) -> Member:
    match row:
        case [int(number), bytes(key)] if type(number) is int and 0 <= number < NUMBERS_END:
            return Member(number, key)
    raise BadValueError(f"a member is a number below {NUMBERS_END} and a key")


def _admission(row: object) -> Admission:
    match row:
        case [str(client), bytes(key)] if 0 < len(client) <= NAME_CHARACTERS_MAX:
            return Admission(client, key)
    raise BadValueError(f"a client is a name of up to {NAME_CHARACTERS_MAX} characters and a key")
