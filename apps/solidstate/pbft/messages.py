"""What replicas and clients say to each other: records that never change.

Three rules. A field named ``signature`` is the last one and covers ``body``, all the others. A
record carries its sender (``replica``) only where it is signed or shown to others; of the rest the
channel says who sent it. A batch stands apart from the pre-prepare that names it by its digest, so
certificates stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from apps.solidstate.pbft.canonical import digest_of, pack
from apps.solidstate.pbft.kept import Kept
from apps.solidstate.pbft.usig import read_ui

UNSIGNED = b""
"""The signature of a record that is about to be signed."""


class Message:
    """What every record has: its row of plain values, the bytes that are signed, its digest."""

    TAG: ClassVar[str]
    FIELDS: ClassVar[tuple[str, ...]]

    def __init_subclass__(cls) -> None:
        cls.FIELDS = tuple(cls.__annotations__)

    @Kept
    def row(self) -> list[Any]:
        """The fields as plain values, records in them as rows of their own.

        Made once: a batch is packed to be signed, digested, sent and written. What was decoded
        keeps the values it was made of (`encoding.decode`). Nobody changes it.
        """
        return [_plain(getattr(self, name)) for name in self.FIELDS]

    @Kept
    def body(self) -> bytes:
        """The bytes that the signature covers: the tag and every field but the signature."""
        return pack([self.TAG, *self.row[:-1]])

    @Kept
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

    @property
    def size(self) -> int:
        """The bytes of its operations."""
        return sum(len(request.operation) for request in self.requests)


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
class Counted(Message):
    """What a replica says under a number of its trusted counter (`usig`), with `Config.minbft`.

    ``kind`` is one of `COUNTED_KINDS`: a pre-prepare gives the batch with digest ``subject`` a
    number, a commit accepts it, a view-change leaves for ``view``; there ``sequence`` is 0 and
    ``subject`` a digest of the whole message. ``signature`` is the UI, for ``body``.
    """

    TAG = "counted"
    kind: str
    view: int
    sequence: int
    subject: bytes
    replica: int
    signature: bytes = UNSIGNED

    @Kept
    def counter(self) -> int:
        """The number under which it says to be counted, 0 where it has no UI."""
        ui = read_ui(self.signature)
        return 0 if ui is None else ui.counter


PROPOSED, COMMITTED, LEFT = COUNTED_KINDS = ("pre-prepare", "commit", "view-change")
"""What is counted."""


@dataclass(frozen=True)
class History(Message):
    """What replicas counted, for one who lacks it; the UIs prove it, so anybody may send it."""

    TAG = "history"
    statements: tuple[Counted, ...]


@dataclass(frozen=True)
class Checkpoint(Message):
    """The sender holds, durably, the state after ``sequence``, whose hash tree has this root.

    ``epoch`` is the one whose member signs. ``successor`` is empty, but for the last checkpoint of
    an epoch: there it is the digest of the membership that takes over. ``heads`` has, with
    `Config.minbft`, for each replica the last counted statement that the sender heard without a gap
    before the first one about a number above ``sequence``.
    """

    TAG = "checkpoint"
    sequence: int
    root: bytes
    replica: int
    epoch: int = 0
    successor: bytes = b""
    heads: tuple[Counted, ...] = ()
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Stable(Message):
    """The proof that a checkpoint is stable: 2f + 1 checkpoints; none for the state at 0."""

    TAG = "stable"
    sequence: int
    root: bytes
    proof: tuple[Checkpoint, ...]

    @Kept
    def bases(self) -> dict[int, Counted]:
        """For each replica that all signers vouch for the lowest of its heads.

        One of the signers is correct, and the lowest is the one it vouches for, or lies below it in
        a chain which that one heard: up to there nothing is about numbers above ``sequence``.
        """
        found: dict[int, list[Counted]] = {}
        for vote in self.proof:
            for head in vote.heads:
                found.setdefault(head.replica, []).append(head)
        return {
            number: min(heads, key=lambda head: head.counter)
            for number, heads in found.items()
            if len(heads) >= len(self.proof)
        }


@dataclass(frozen=True)
class Member(Message):
    """A replica of a group. ``key`` is its public key, empty for one all know from the start.

    With `Config.minbft` it holds what names the replica's trusted counter as well (`member_key`).
    """

    TAG = "member"
    number: int
    key: bytes


@dataclass(frozen=True)
class Admission(Message):
    """A client that came after the group was founded, or left: then its ``key`` is empty."""

    TAG = "admission"
    client: str
    key: bytes


@dataclass(frozen=True)
class Membership(Message):
    """Who the replicas of an epoch are, by number; it begins with the state after ``start``.

    ``fresh`` is the least number that no member ever had. ``clients`` are those who may ask
    besides the founding ones, and who may no longer.
    """

    TAG = "membership"
    epoch: int
    start: int
    fresh: int
    members: tuple[Member, ...]
    clients: tuple[Admission, ...] = ()


@dataclass(frozen=True)
class Handover(Message):
    """The proof that a membership takes over: the last checkpoint of the epoch before it."""

    TAG = "handover"
    membership: Membership
    stable: Stable


@dataclass(frozen=True)
class Handovers(Message):
    """Handovers of successive epochs; who knows the first one's predecessor can check them all."""

    TAG = "handovers"
    handovers: tuple[Handover, ...]


@dataclass(frozen=True)
class FetchHandovers(Message):
    """Asks for the handovers of the epochs that follow ``epoch``."""

    TAG = "fetch-handovers"
    epoch: int


@dataclass(frozen=True)
class Opening(Message):
    """The sender checked the new view; ``start`` is the digest of what it starts with."""

    TAG = "opening"
    view: int
    start: bytes
    replica: int
    signature: bytes = UNSIGNED


@dataclass(frozen=True)
class Opened(Message):
    """The proof that a view starts with ``batches`` above ``low``: f + 1 openings."""

    TAG = "opened"
    view: int
    low: int
    batches: tuple[bytes, ...]
    proof: tuple[Opening, ...]

    @property
    def start(self) -> bytes:
        """The digest of what the view starts with."""
        return digest_of(pack(["start", self.view, self.low, list(self.batches)]))


@dataclass(frozen=True)
class Account(Message):
    """All that a replica counted before its view-change message (`Config.minbft`).

    ``anchor`` proves up to where it need not be shown, ``history`` is the rest; ``opened`` proves
    how the views began in which the sender accepted something.
    """

    TAG = "account"
    anchor: Stable
    history: tuple[Counted, ...]
    opened: tuple[Opened, ...]


@dataclass(frozen=True)
class ViewChange(Message):
    """The sender leaves for ``view`` and says what it has proof of (OSDI 1999, section 4.4).

    With `Config.minbft` it has an ``account``, and the signature is a UI for ``claim``.
    """

    TAG = "view-change"
    view: int
    stable: Stable
    prepared: tuple[Prepared, ...]
    replica: int
    account: Account | None = None
    signature: bytes = UNSIGNED

    @property
    def claim(self) -> bytes:
        """The digest of all but the account, which the UIs in it prove."""
        return digest_of(pack([self.TAG, *self.row[:4]]))


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

    ``ordered`` is false for the answer to a read that was not ordered: one with an empty digest
    says that it has to be. ``tentative`` is true where the batch is prepared and not decided (OSDI
    1999, section 5.1).
    """

    TAG = "reply"
    view: int
    client: str
    timestamp: int
    ordered: bool
    result_digest: bytes
    result: bytes | None
    tentative: bool = False


@dataclass(frozen=True)
class Status(Message):
    """How far the sender is, so that others send again what it lacks (TOCS 2002, section 5.2).

    ``weary`` says that it wants the turn of the primary to end, and ``impatient`` that it wants to
    leave the view at once. ``heard`` has for each member, in order, up to which number of its
    counter it was heard (`Config.minbft`).
    """

    TAG = "status"
    view: int
    active: bool
    stable: int
    executed: int
    weary: bool = False
    impatient: bool = False
    heard: tuple[int, ...] = ()


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


@dataclass(frozen=True)
class FetchStanding(Message):
    """Asks how far the receiver is. ``nonce`` tells the answer from older ones."""

    TAG = "fetch-standing"
    nonce: bytes


@dataclass(frozen=True)
class Standing(Message):
    """The sender's view, and the highest number it executed, or may have (`Rejoining`)."""

    TAG = "standing"
    nonce: bytes
    view: int
    executed: int


KINDS: tuple[type[Message], ...] = (
    Request,
    Batch,
    PrePrepare,
    Proposal,
    Prepare,
    Commit,
    Prepared,
    Counted,
    History,
    Checkpoint,
    Stable,
    Member,
    Admission,
    Membership,
    Handover,
    Handovers,
    FetchHandovers,
    Opening,
    Opened,
    Account,
    ViewChange,
    NewView,
    Reply,
    Status,
    Decided,
    FetchBatches,
    FetchBlobs,
    Blobs,
    FetchStanding,
    Standing,
)
"""Every kind of record, those that only occur inside others included."""
