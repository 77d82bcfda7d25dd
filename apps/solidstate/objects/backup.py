"""A proven state of a group as a file: what it holds, and how it is checked.

Three rules. The state is that of a checkpoint which enough replicas signed, and that proof is in
the file. Who those replicas are the administrator signed, whose key stands in the charter. So
whoever has the charter's digest can check the rest, and needs nobody of the group for it.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from apps.solidstate.errors import BackupError
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.service import STATE_BYTES_MAX
from apps.solidstate.pbft.authentication import Keyring
from apps.solidstate.pbft.canonical import DIGEST_BYTES, MalformedMessage, digest_of, pack, unpack
from apps.solidstate.pbft.ed25519 import NONCE_BYTES, Ed25519Keyring
from apps.solidstate.pbft.encoding import decode
from apps.solidstate.pbft.executing import membership_of
from apps.solidstate.pbft.membership import read_membership
from apps.solidstate.pbft.messages import Membership, Stable
from apps.solidstate.pbft.proofs import Proofs
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.sessions import PAGES
from apps.solidstate.pbft.tree import Tree
from apps.solidstate.pbft.unsigned import Unsigned
from vista import BadValueError

MAGIC = b"SolidState backup 1\n"
"""What a file begins with."""

BACKUP_BYTES_MAX = 4 * STATE_BYTES_MAX
"""Bytes of a file: the largest state, what is kept of clients, answers that are kept, and proofs,
with room to spare."""

PIECE_BYTES = 1024 * 1024
"""Bytes of it in one message."""

_GARBLED = (MalformedMessage, BadValueError, ValueError, TypeError, IndexError, KeyError)


@dataclass(frozen=True)
class Backup:
    """What is in a file: the state ``pages`` at the checkpoint that ``stable`` proves.

    ``membership`` are the replicas that proved it; ``signature`` is the administrator's, for them
    and the checkpoint.
    """

    charter: Charter
    membership: Membership
    stable: Stable
    pages: Sequence[bytes]
    signature: bytes

    @property
    def data(self) -> bytes:
        """The bytes of the file."""
        row = [
            self.charter.text(), self.membership.row, self.stable.row, list(self.pages),
            self.signature,
        ]  # fmt: skip
        body = pack(row)
        return MAGIC + digest_of(body) + body

    @cached_property
    def digest(self) -> bytes:
        """What the file is named by: nobody makes another one of the same digest."""
        return digest_of(self.data)

    @property
    def service_pages(self) -> list[bytes]:
        """The state of the objects alone, without what was kept of the group's clients."""
        return list(self.pages[PAGES + 1 :])

    def check(self, text: str, least: int) -> None:
        """Raise `BackupError` unless it is of the group with the charter ``text``, and as late.

        ``least`` is the number of a batch that has to be in it.
        """
        self.verify()
        if self.charter.text() != text:
            raise BackupError(f"it is of another group than {read_charter(text).name!r}")
        if self.stable.sequence < least:
            raise BackupError(f"it holds batches up to {self.stable.sequence}, and not {least}")

    def verify(self) -> None:
        """Raise `BackupError` when something in it is not proven."""
        try:
            self._verify()
        except _GARBLED as error:
            raise BackupError(f"no backup of a group of replicas: {error}") from error

    def _verify(self) -> None:
        if Tree(self.pages).root != self.stable.root:
            raise BackupError("its state is not the one that its proof is of")
        if membership_of(self.pages).members != self.membership.members:
            raise BackupError("its state names other replicas than its proof")
        ring = Ed25519Keyring(self.charter.digest, bytes(DIGEST_BYTES), self.charter.public())
        body = signed_body(self.membership, self.stable)
        if not any(ring.verify(one, body, self.signature) for one in self.charter.administrators):
            raise BackupError("the administrator of its group did not sign it")
        membership = self.membership if self.membership.epoch else None
        # The distance of checkpoints is a matter of the group: who signed is what counts.
        config = replace(self.charter.config(None, membership), checkpoint_batches=1)
        keyring: Keyring = Unsigned() if config.crash_only else ring
        if not self.stable.proof or not Proofs(config, keyring).stable(self.stable):
            raise BackupError("too few of its replicas signed its state")

    def describe(self) -> dict[str, Any]:
        """Return what it is, as a dict: group, sequence, bytes, digest (hexadecimal)."""
        return {
            "group": self.charter.name,
            "sequence": self.stable.sequence,
            "bytes": sum(map(len, self.pages)),
            "digest": self.digest.hex(),
        }

    def words(self, file: str) -> str:
        """Return a line about it for the operator."""
        told = self.describe()
        return (
            f"{file}: group {told['group']} up to batch {told['sequence']}, {told['bytes']} bytes "
            f"of state; digest {told['digest']}"
        )


def signed_body(membership: Membership, stable: Stable) -> bytes:
    """Return what the administrator signs: who the replicas are, and which state it is."""
    return pack(["backup", membership.row, stable.sequence, stable.root])


def may_read(number: int, least: int, challenge: bytes) -> bytes:
    """Return what the administrator signs to have replica ``number`` make a backup, once."""
    return pack(["read", number, least, challenge])


def piece_nonce(signature: bytes, at: int) -> bytes:
    """Return the nonce by which a piece of a backup is encrypted, which no other piece has."""
    return digest_of(signature + at.to_bytes(8, "big"))[:NONCE_BYTES]


def take_backup(charter: Charter, replica: Replica, least: int, signature: bytes = b"") -> Backup:
    """Return the proven state of a replica, without the administrator's signature.

    Raises `BackupError` when it has none that holds batch ``least``.
    """
    proven = replica.checkpoints.proven
    tree = replica.checkpoints.trees.get(proven.sequence)
    if tree is None or not proven.proof or proven.sequence < least or tree.root != proven.root:
        raise BackupError(
            f"replica {replica.me} has no proven state of batch {least} or later: ask another one"
        )
    return Backup(charter, replica.epoch.membership, proven, tuple(tree.pages), signature)


def read_backup(data: bytes) -> Backup:
    """Return what is in the bytes of a file, nothing of it verified but that it is whole.

    Raises `BackupError`.
    """
    if not data.startswith(MAGIC):
        raise BackupError("no backup of a group of replicas")
    if len(data) > BACKUP_BYTES_MAX:
        raise BackupError(f"{len(data)} bytes: a backup has {BACKUP_BYTES_MAX} at most")
    digest, body = data[len(MAGIC) :][:DIGEST_BYTES], data[len(MAGIC) + DIGEST_BYTES :]
    if digest_of(body) != digest:
        raise BackupError("it was cut, or changed: its digest is another one; take another copy")
    try:
        text, membership, stable, pages, signature = unpack(body)
        if not all(type(page) is bytes for page in pages) or type(signature) is not bytes:
            raise MalformedMessage("pages are bytes")
        proof = decode(pack([Stable.TAG, *stable]))
        assert isinstance(proof, Stable)
        charter = read_charter(text)
        return Backup(charter, read_membership(membership), proof, tuple(pages), signature)
    except _GARBLED as error:
        raise BackupError(f"no backup of a group of replicas: {error}") from error


def write_file(path: Path, data: bytes) -> None:
    """Make a file that is there whole, or not at all; what was there before is replaced then."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        part.rename(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
