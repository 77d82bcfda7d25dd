"""What replicas and clients say to each other: records that never change.

Three rules. A field named ``signature`` is the last one and covers ``body``, all the others. A
record carries its sender (``replica``) only where it is signed or shown to others; of the rest the
channel says who sent it. A batch stands apart from the pre-prepare that names it by its digest, so
certificates stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from apps.solidstate.pbft.canonical import digest_of, pack

UNSIGNED = b""
"""The signature of a record that is about to be signed."""


class Message:
    """What every record has: its row of plain values, the bytes that are signed, its digest."""

    TAG: ClassVar[str]
    FIELDS: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        cls.FIELDS = tuple(cls.__annotations__)

    @property
    def row(self) -> list[Any]:
        """The fields as plain values, records in them as rows of their own."""
        return [_plain(getattr(self, name)) for name in self.FIELDS]

    @cached_property
    def body(self) -> bytes:
        """The bytes that the signature covers: the tag and every field but the signature."""
        return pack([self.TAG, *self.row[:-1]])

    @cached_property
    def digest(self) -> bytes:
        """The digest of the whole record, its signature included."""
        return digest_of(pack([self.TAG, *self.row]))


def _plain(value: Any) -> Any:
    if isinstance(value, Message):
        return value.row
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Request(Message):
    """What a client asks for, signed by it (OSDI 1999, section 4.1; Aardvark, section 4.1).

    ``timestamp`` grows with every request of a client. ``replier`` is the replica that answers with
    the full result; the others answer with its digest.
    """

    TAG = "request"
    client: str
    timestamp: int
    operation: bytes
    read_only: bool
    replier: int
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Batch(Message):
    """Requests that are ordered together, with the time (microseconds) and salt agreed for them."""

    TAG = "batch"
    time: int
    salt: bytes
    requests: tuple[Request, ...]


NULL_BATCH = Batch(0, b"", ())
"""The batch that fills a gap in a new view; executing it does nothing (OSDI 1999, section 4.4)."""


@dataclass(frozen=True)
class PrePrepare(Message):
    """The primary gives a batch, named by its digest, a sequence number in a view."""

    TAG = "pre-prepare"
    view: int
    sequence: int
    batch: bytes
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Proposal(Message):
    """A pre-prepare together with its batch, as the primary sends it."""

    TAG = "proposal"
    pre_prepare: PrePrepare
    batch: Batch


@dataclass(frozen=True)
class Prepare(Message):
    """A backup agrees to a pre-prepare. Signed, since it is shown to others in a certificate."""

    TAG = "prepare"
    view: int
    sequence: int
    batch: bytes
    replica: int
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Commit(Message):
    """The sender holds a prepared certificate, durably."""

    TAG = "commit"
    view: int
    sequence: int
    batch: bytes


@dataclass(frozen=True)
class Prepared(Message):
    """A prepared certificate: a pre-prepare and 2f matching prepares of different backups."""

    TAG = "prepared"
    pre_prepare: PrePrepare
    prepares: tuple[Prepare, ...]


@dataclass(frozen=True)
class Checkpoint(Message):
    """The sender holds, durably, the state after ``sequence``, whose hash tree has this root."""

    TAG = "checkpoint"
    sequence: int
    root: bytes
    replica: int
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Stable(Message):
    """The proof that a checkpoint is stable: 2f + 1 checkpoints; none for the state at 0."""

    TAG = "stable"
    sequence: int
    root: bytes
    proof: tuple[Checkpoint, ...]


@dataclass(frozen=True)
class ViewChange(Message):
    """The sender leaves for ``view`` and says what it has proof of (OSDI 1999, section 4.4)."""

    TAG = "view-change"
    view: int
    stable: Stable
    prepared: tuple[Prepared, ...]
    replica: int
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class NewView(Message):
    """The new primary's proof that the view starts, and the pre-prepares it starts with."""

    TAG = "new-view"
    view: int
    view_changes: tuple[ViewChange, ...]
    pre_prepares: tuple[PrePrepare, ...]
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Reply(Message):
    """A replica's answer to a client. ``result`` is None where only the digest is sent.

    ``ordered`` is false for the answer to a read that was not ordered.
    """

    TAG = "reply"
    view: int
    client: str
    timestamp: int
    ordered: bool
    result_digest: bytes
    result: bytes | None


@dataclass(frozen=True)
class Status(Message):
    """How far the sender is, so that others send again what it lacks (TOCS 2002, section 5.2)."""

    TAG = "status"
    view: int
    active: bool
    stable: int
    executed: int


@dataclass(frozen=True)
class Decided(Message):
    """The sender executed this batch at this number; f + 1 of them prove that it was committed."""

    TAG = "decided"
    sequence: int
    batch: bytes


@dataclass(frozen=True)
class FetchBatches(Message):
    """Asks for batches by their digests."""

    TAG = "fetch-batches"
    digests: tuple[bytes, ...]


@dataclass(frozen=True)
class FetchBlobs(Message):
    """Asks for pages and nodes of the hash tree whose root is ``root``, by their digests."""

    TAG = "fetch-blobs"
    root: bytes
    digests: tuple[bytes, ...]


@dataclass(frozen=True)
class Blobs(Message):
    """Answers `FetchBlobs`; without blobs it says that the sender keeps that tree no longer."""

    TAG = "blobs"
    root: bytes
    blobs: tuple[bytes, ...]


KINDS: tuple[type[Message], ...] = (
    Request,
    Batch,
    PrePrepare,
    Proposal,
    Prepare,
    Commit,
    Prepared,
    Checkpoint,
    Stable,
    ViewChange,
    NewView,
    Reply,
    Status,
    Decided,
    FetchBatches,
    FetchBlobs,
    Blobs,
)
"""Every kind of record, those that only occur inside others included."""
