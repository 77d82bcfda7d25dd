"""What a replica or client wants done, in order.

One rule makes it durable: an effect is carried out when every `Append`, `Store` and `Compact`
before it, also of earlier calls, is on disk for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.messages import Batch, Membership, Message


@dataclass(frozen=True, slots=True)
class Send:
    """Send ``message`` to one replica or client."""

    to: Principal
    message: Message


@dataclass(frozen=True, slots=True)
class Broadcast:
    """Send ``message`` to every other member of the group; see `Entered`."""

    message: Message


@dataclass(frozen=True, slots=True)
class Append:
    """Append ``record`` to the log on disk."""

    record: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """Keep blobs on disk under their digests."""

    blobs: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Compact:
    """Replace the whole log by ``records`` at once, then drop all blobs but those of ``blobs``."""

    records: tuple[bytes, ...]
    blobs: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class Certify:
    """Have the trusted counter number a statement, and hand the UI back as a `Certified` event.

    ``counter`` is the number it has to get: see `usig.certify`. Only with `Config.minbft`.
    """

    counter: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Forget:
    """Tell the trusted counter that nobody asks for its UIs up to ``counter`` again."""

    counter: int


@dataclass(frozen=True, slots=True)
class Executed:
    """A batch was executed as number ``sequence``; for whoever watches."""

    sequence: int
    batch: Batch


@dataclass(frozen=True, slots=True)
class Answer:
    """A client's request ended with ``result``; ``view`` is the one its replicas were in."""

    timestamp: int
    result: bytes
    view: int


@dataclass(frozen=True, slots=True)
class Entered:
    """The group is another one from here on: a `Broadcast` goes to these members.

    The first effect of a replica that starts in another epoch than its configuration says, too.
    """

    membership: Membership


@dataclass(frozen=True, slots=True)
class Renew:
    """End this replica and start it again from its disk: an administrator asks for it."""


@dataclass(frozen=True, slots=True)
class Report:
    """Something an operator should know: ``kind`` is one word, ``words`` say it.

    Kinds: view (a new view was entered), impatient (the primary is late: this replica would leave
    the view if f others did), suspect (a view is left, as the primary is late or caught), joined
    (as others left it), turn (as the primary had its turn), faulty (a member proved to be faulty),
    diverged (the own state was wrong and is repaired), transfer (state was fetched), damaged (the
    disk is not whole, or an older one), rejoined (who was damaged votes again), epoch (a
    reconfiguration took effect), retired (this replica is no member of the group), rolled-back (a
    batch was executed that is not decided). ``member`` is the replica that is meant, if it is
    another one.
    """

    kind: str
    words: str
    member: int | None = None


Effect = (
    Send
    | Broadcast
    | Append
    | Store
    | Compact
    | Certify
    | Forget
    | Executed
    | Answer
    | Entered
    | Renew
    | Report
)
"""What ``handle`` returns."""
