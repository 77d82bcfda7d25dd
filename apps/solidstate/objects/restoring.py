"""Founding a group from a backup: fresh servers begin with the state of one that is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import vista
from apps.solidstate.errors import BackupError, PinnedKeyError
from apps.solidstate.objects.backup import PIECE_BYTES, Backup, read_backup
from apps.solidstate.objects.charter import Charter, mode_of
from apps.solidstate.objects.classes import bring_class, full_name
from apps.solidstate.objects.creating import CreateReplicasOnServers, charter_of, chosen_members
from apps.solidstate.objects.places import AnyPlace, folder_of
from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.tree import Tree

ORIGIN_FILE = "origin"
"""The file with the state a group was founded with; its digest stands in the charter."""


class RestoreReplicas(CreateReplicasOnServers, namespace="SolidState"):
    """Founds a group with the state in a backup; ``vista solidstate restore`` has it made.

    The group has another charter than the one that is gone, with the keys of other machines. What
    its objects held is there, and the answers they keep for requests with keys.
    """

    def restore(self, pool: str, group: str, data: bytes) -> dict[str, Any]:
        """Found ``group`` on the servers of a pool; return what `Backup.describe` tells.

        Raises `BackupError`, `PinnedKeyError` where such a group is there, `PoolError` where too
        few servers are, `NoSuchClass`.
        """
        found = read_backup(data)
        found.verify()
        mode = found.charter.mode
        faults = found.charter.quorums(len(found.membership.members)).faults
        needed = mode_of(mode).replicas(faults)
        own, offers = self._find_pool(pool, needed, group)
        for offer in offers.values():
            if offer["charter"]:
                raise PinnedKeyError(
                    f"{offer['node']} has a group {group!r} already, in {folder_of(group)}: a "
                    f"backup is for servers that have none; give --group for another name"
                )
        chosen = chosen_members(pool, mode, faults, own, offers)
        classes = [full_name(name) for name in classes_of(found)]
        place = self._make_place(pool)
        made = charter_of(group, mode, faults, chosen, offers, own, place)
        charter = replace(
            made,
            origin=Tree(found.service_pages).root.hex(),
            unordered_reads=found.charter.unordered_reads,
        )
        self._hand_out(charter, found, [(ref, offers[ref]) for ref in chosen], classes)
        self._spread(charter, own, offers, classes)
        for ref in offers:
            ref.announce.post(group)
        words = f"group {group!r} goes on from batch {found.stable.sequence} of the backup"
        return {**found.describe(), "group": group, "words": words}

    def _hand_out(
        self,
        charter: Charter,
        found: Backup,
        chosen: list[tuple[vista.Ref, dict[str, Any]]],
        classes: list[list[Any]],
    ) -> None:
        data = pack(found.service_pages)
        for ref, offer in chosen:
            for name in classes:
                bring_class(ref, offer["node"], offer["creator"], name)
            for at in range(0, len(data), PIECE_BYTES):
                ref.take_origin(charter.name, at, data[at : at + PIECE_BYTES])


def classes_of(found: Backup) -> list[Any]:
    """Return the full names of the classes of the objects in a backup."""
    if not found.service_pages:
        raise BackupError("a state of other things than replicated objects")
    rows = vista.decode_value(found.service_pages[0])[2]
    return [list(name) for name in rows]


def origin_pages(charter: Charter, data: bytes | None) -> list[bytes]:
    """Return the pages a group began with. Raises `BackupError` where they are not those."""
    try:
        pages = unpack(b"" if data is None else data)
        right = Tree(pages).root.hex() == charter.origin
    except (MalformedMessage, TypeError):
        right = False
    if not right:
        raise BackupError(
            f"file {ORIGIN_FILE} of group {charter.name!r} is not the state it was founded with: "
            f"bring it back from another server of the group"
        )
    return list(pages)


def read_origin(place: AnyPlace, charter: Charter, number: int) -> list[bytes]:
    """Return the pages that a replica begins with; none where the group began with nothing.

    A replica that came later begins with nothing: it fetches the state.
    """
    if not charter.origin or number >= len(charter.replicas):
        return []
    return origin_pages(charter, place.read(f"{folder_of(charter.name)}/{ORIGIN_FILE}"))
