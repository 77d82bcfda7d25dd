"""The commands of ``vista solidstate`` that change a group: each asks the founder's machine."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import vista
from apps.solidstate.errors import BackupError, SolidStateError
from apps.solidstate.objects.backup import (
    BACKUP_BYTES_MAX,
    PIECE_BYTES,
    Backup,
    read_backup,
    write_file,
)
from apps.solidstate.objects.machines import answers_of
from apps.solidstate.objects.mail import service_name
from apps.solidstate.pbft.ed25519 import ENCRYPTION_BYTES

_POOL = "SolidState/pool/"
CHANGE_SECONDS = 120.0
"""How long a change may take: one that waits for a replica gives up after a minute by itself."""

DONE, FAILED = 0, 1


def main(options: argparse.Namespace) -> int:
    """Carry out the command that `apps.solidstate.status.read_words` read; return its exit code.

    Raises what `vista.connect` does.
    """
    try:
        with vista.Node("solidstate-operator"):
            told = carry_out(options, vista.connect(options.url))
    except (SolidStateError, vista.VistaError, OSError) as error:
        print(printable(f"vista solidstate {options.what}: {told_of(error)}"), file=sys.stderr)
        return FAILED
    if options.json:
        print(json.dumps(told, indent=1, default=str))
    else:
        print(printable(told["words"]))
    return DONE


def told_of(error: Exception) -> str:
    """Return what went wrong in words; of a file its name first, without the system's number."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def printable(words: str) -> str:
    """Return words in which a faulty machine cannot tell the terminal what to do."""
    return "".join(c if c.isprintable() or c == "\n" else "?" for c in words)


def carry_out(options: argparse.Namespace, peer: vista.Ref) -> dict[str, Any]:
    """Do what a command line says by way of a node; return what was done, with ``words``."""
    if options.what == "restore":
        return _restore(options, peer)
    group, administrator = find_administrator(peer, options.group)
    with vista.timeout(CHANGE_SECONDS):
        match options.what:
            case "add":
                told = administrator.add(options.node, client_only=options.client)
            case "remove":
                told = administrator.remove(options.who, options.faults)
            case "replace":
                told = administrator.replace(options.who, options.node)
            case "handover":
                told = administrator.hand_over(options.who)
            case "recover":
                return _recover(options, administrator)
            case _:
                return _back_up(options, peer, group, administrator)
    return dict(told)


def find_administrator(peer: vista.Ref, group: str) -> tuple[str, vista.Ref]:
    """Return the group that is meant, and its administrator, which is on the founder's machine.

    Where several machines say that they founded a group, the node of the URL is believed. Raises
    `SolidStateError` when none, or no single one, is found.
    """
    claims: dict[str, list[vista.Id]] = {}
    for id, told in answers_of([(id, id) for id in _members(peer)], "get_status"):
        for name in _founded(told):
            claims.setdefault(name, []).append(id)
    here = vista.id_of(peer).node
    founders = {
        name: next((id for id in ids if id.node == here), ids[0]) for name, ids in claims.items()
    }
    if group:
        founders = {name: id for name, id in founders.items() if name == group}
    if len(founders) != 1:
        found = ", ".join(sorted(claims)) or "none"
        which = f"group {group!r}" if group else "the group that is meant"
        raise SolidStateError(
            f"the machine that founded {which} has to be reached by this node; groups whose "
            f"founders are: {found}" + (" (give --group)" if len(founders) > 1 else "")
        )
    [(name, id)] = founders.items()
    if len(claims[name]) > 1 and id.node != here:
        raise SolidStateError(
            f"{len(claims[name])} machines say that they founded group {name!r}, and all but one "
            f"lie: give the URL of the one that did"
        )
    made: vista.Ref = vista.send(id, "get_administrator", name)
    return name, made


def _founded(told: Any) -> list[str]:
    """Return the groups that a machine says it founded; what it tells may be anything."""
    proxies = told.get("proxies") if isinstance(told, dict) else None
    rows = proxies.items() if isinstance(proxies, dict) else ()
    return [
        name
        for name, row in rows
        if isinstance(name, str) and isinstance(row, dict) and row.get("founder") is True
    ]


def _members(peer: vista.Ref) -> list[vista.Id]:
    rows = [row for row in vista.services(peer) if row.name.startswith(_POOL)]
    return sorted({row.object for row in rows})


def _recover(options: argparse.Namespace, administrator: vista.Ref) -> dict[str, Any]:
    """Have one replica start anew, or all, one after the other."""
    whom = [options.who]
    if options.who is None:
        whom = [str(number) for number in administrator.describe_group()["members"]]
    told: dict[str, Any] = {}
    words = []
    for who in whom:
        with vista.timeout(CHANGE_SECONDS):
            told = administrator.renew(who)
        words.append(told["words"])
    return {"group": told["group"], "replicas": whom, "words": "\n".join(words)}


def _back_up(
    options: argparse.Namespace, peer: vista.Ref, group: str, administrator: vista.Ref
) -> dict[str, Any]:
    with vista.timeout(CHANGE_SECONDS):
        least = administrator.make_checkpoint()
    found = fetch(peer, group, administrator, least)
    try:
        write_file(Path(options.file), found.data)
    except OSError as error:
        # The name that is known is the one that was given, not that of the part beside it.
        raise OSError(error.errno, error.strerror, options.file) from error
    return {**found.describe(), "file": options.file, "words": found.words(options.file)}


def fetch(peer: vista.Ref, group: str, administrator: vista.Ref, least: int) -> Backup:
    """Return a backup that holds what was executed up to ``least``, from whoever has one.

    Its administrator signs it, and it is verified. Raises `SolidStateError` when nobody has one.
    """
    text = administrator.get_charter()
    begin = service_name(group, 0)[:-1]
    wrong = []
    for row in sorted(vista.services(peer), key=lambda row: row.name):
        if not (row.name.startswith(begin) and row.name.removeprefix(begin).isdigit()):
            continue
        try:
            with vista.timeout(CHANGE_SECONDS):
                number = int(row.name.removeprefix(begin))
                found = read_backup(_fetch_data(row.object, number, least, administrator))
            signed = administrator.sign_backup(found.stable.sequence, found.stable.root)
            found = replace(found, signature=signed)
            found.check(text, least)
        except (SolidStateError, vista.VistaError) as error:
            wrong.append(f"{row.name}: {error}")
            continue
        return found
    raise SolidStateError("no replica gives a backup: " + ("; ".join(wrong) or "none is reached"))


def _fetch_data(replica: vista.Id, number: int, least: int, administrator: vista.Ref) -> bytes:
    """Have a replica make a backup, and return its bytes; it may be faulty in any way."""
    challenge = vista.send(replica, "draw_challenge")
    signature = administrator.sign_reading(number, least, challenge)
    size = vista.send(replica, "make_backup", least, challenge, signature)
    if type(size) is not int or not 0 <= size <= BACKUP_BYTES_MAX:
        raise BackupError(f"a backup has {BACKUP_BYTES_MAX} bytes at most")
    data = bytearray()
    while len(data) < size:
        piece = vista.send(replica, "read_backup", len(data), signature)
        if type(piece) is not bytes or not 0 < len(piece) - ENCRYPTION_BYTES <= PIECE_BYTES:
            raise BackupError(f"a piece has 1 to {PIECE_BYTES} bytes: ask again")
        data += administrator.open_piece(number, piece)
    return bytes(data)


def _restore(options: argparse.Namespace, peer: vista.Ref) -> dict[str, Any]:
    """Found a group on the servers of a pool from a file."""
    data = Path(options.file).read_bytes()
    try:
        found = read_backup(data)
    except BackupError as error:
        raise BackupError(f"{options.file}: {error}") from error
    if options.digest and options.digest != found.digest.hex():
        raise BackupError(
            f"{options.file} has digest {found.digest.hex()}, and not {options.digest}: it is "
            f"another backup"
        )
    here = vista.id_of(peer).node
    names = {
        row.name.removeprefix(_POOL): row.object
        for row in vista.services(peer)
        if row.name.startswith(_POOL) and row.object.node == here
    }
    if options.pool:
        names = {name: id for name, id in names.items() if name == options.pool}
    if len(names) != 1:
        told = ", ".join(sorted(names)) or "none"
        raise SolidStateError(
            f"the node of the URL founds the group: it has to be a member of the pool (of those "
            f"that are meant it is in: {told}" + (")" if not names else "; give --pool)")
        )
    [(pool, id)] = names.items()
    with vista.timeout(CHANGE_SECONDS):
        for at in range(0, len(data), PIECE_BYTES):
            vista.send(id, "take_origin", options.group or found.charter.name, at,
                       data[at : at + PIECE_BYTES])  # fmt: skip
        digest = found.digest.hex()
        told = vista.send(id, "restore", options.group or found.charter.name, digest)
    return {**told, "pool": pool}
