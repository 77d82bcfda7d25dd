"""Keys of members that come into a group with trusted counters: they name the counter as well.

Two rules. A counter is the machine's own, and in a folder of the number that the machine comes
under. What has been offered, and of which nothing came, is bounded: whoever may have a machine
offer counters could fill its disk with them.
"""

from __future__ import annotations

import vista
from apps.solidstate.errors import PinnedKeyError
from apps.solidstate.objects.charter import KEY_BYTES, Charter
from apps.solidstate.objects.identity import (
    CHARTER_FILE,
    JOINED_FILE,
    known_membership,
    pinned,
    replica_folder,
)
from apps.solidstate.objects.places import AnyPlace, Counter, folder_of
from apps.solidstate.pbft.membership import NUMBERS_END
from apps.solidstate.pbft.messages import Member, Membership
from apps.solidstate.pbft.usig import member_key, read_member_key
from apps.solidstate.trusted_counter import device_name
from vista import BadValueError

OFFERED_FILE = "counter-offered"
"""The file in the folder of a replica that may come to be: its counter was made and shown."""

EPOCHS_END = 2**64
"""What epochs of counters stay below, as they are encoded; a counter draws one of 62 bits."""

OFFERS_MAX = 16
"""Counters that a machine offers, to all groups together, and that no replica was started with:
each is a folder of some hundred bytes, left by a change that was refused or cut off."""


def public_key(charter: Charter, member: Member) -> bytes:
    """Return the public key of a member, without its counter; empty where it has none."""
    if charter.mode != "minbft" or not member.key:
        return member.key
    found = read_member_key(member.key)
    return b"" if found is None else found[0]


def device_of(membership: Membership, number: int) -> bytes | None:
    """Return what names the counter of a member that came later, None where it names none."""
    keys = [member.key for member in membership.members if member.number == number]
    found = read_member_key(keys[0]) if keys and keys[0] else None
    return None if found is None else found[1]


def known_device(place: AnyPlace, charter: Charter, number: int) -> bytes | None:
    """Return the counter that the group knows for a replica, as far as this machine knows."""
    if number < len(charter.counters):
        return device_name(*charter.counters[number])
    return device_of(known_membership(place, charter), number)


def key_of_newcomer(
    charter: Charter, before: Membership, ref: vista.Ref, node: str, number: int, key: bytes
) -> bytes:
    """Return what a membership has for a machine that comes: its key, and what names its counter.

    Raises `PinnedKeyError` for a machine that shows no counter, or that of another member.
    """
    if charter.mode != "minbft":
        return key
    told = ref.offer_replica_counter(charter.text(), number)
    match told:
        case (int(epoch), bytes(device)) if _is_counter(epoch, device):
            name = device_name(epoch, device)
        case _:
            raise PinnedKeyError(f"{node} shows no trusted counter as replica {number}")
    known = [device_name(*counter) for counter in charter.counters]
    known += [device_of(before, member.number) or b"" for member in before.members]
    if name in known:
        raise PinnedKeyError(f"{node} shows the trusted counter of another replica")
    return member_key(key, name)


def _is_counter(epoch: int, device: bytes) -> bool:
    return type(epoch) is int and 0 <= epoch < EPOCHS_END and len(device) == KEY_BYTES


def open_offered(place: AnyPlace, charter: Charter, number: int) -> Counter:
    """Return the counter with which this machine would come as a replica, made at the first use.

    Raises `BadValueError` where it came already, or where too many were offered for nothing, and
    `PinnedKeyError` where another group is pinned under the name.
    """
    if charter.mode != "minbft" or not len(charter.replicas) <= number < NUMBERS_END:
        raise BadValueError(f"replica {number} of group {charter.name!r} comes with no counter")
    known = pinned(place, charter.name)
    if known is not None and known != charter:
        raise PinnedKeyError(f"another group is pinned under the name {charter.name!r}")
    folder = replica_folder(charter, number)
    if place.read(f"{folder}/{JOINED_FILE}") is not None:
        raise BadValueError(f"replica {number} came already: its counter is in use")
    return _offered(place, folder)


def open_founding(place: AnyPlace, group: str) -> Counter:
    """Return the counter with which this machine would be in a group from its beginning.

    Raises `PinnedKeyError` for a group that is here, whose counter is in use, and `BadValueError`
    where too many were offered for nothing.
    """
    if pinned(place, group) is not None:
        raise PinnedKeyError(f"this machine has a group {group!r} already")
    return _offered(place, folder_of(group))


def _offered(place: AnyPlace, folder: str) -> Counter:
    """Return the counter in a folder, where it was offered before or one more may be."""
    if place.read(f"{folder}/{OFFERED_FILE}") is None:
        if sum(_is_idle(place, name) for name in place.folders()) >= OFFERS_MAX:
            raise BadValueError(
                f"{OFFERS_MAX} trusted counters were offered by this machine and none was used: "
                f"remove the folders in its own that have a file {OFFERED_FILE}, and neither "
                f"{JOINED_FILE} nor {CHARTER_FILE}"
            )
        place.write(f"{folder}/{OFFERED_FILE}", b"")
    return place.counter(folder)


def _is_idle(place: AnyPlace, folder: str) -> bool:
    """Tell whether the counter in a folder was offered, and no replica was started with it."""
    used = (f"{folder}/{JOINED_FILE}", f"{folder}/{CHARTER_FILE}")
    offered = place.read(f"{folder}/{OFFERED_FILE}") is not None
    return offered and all(place.read(file) is None for file in used)
