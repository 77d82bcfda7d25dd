"""The configuration of a replica or client, every bound in it with its unit and its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import cached_property

from apps.solidstate.pbft.membership import Epoch, founders
from apps.solidstate.pbft.messages import Membership
from apps.solidstate.pbft.quorums import Quorums
from apps.solidstate.pbft.usig import read_member_key
from vista import BadValueError


@dataclass(frozen=True, kw_only=True)
class Config:
    """What all members of a group agree on, and who this one is.

    ``replica`` is this replica's number, or None for a client. Sources: the values of OSDI 1999,
    section 7, where it gives any.
    """

    replicas: int = 4
    """Replicas of the group when it is founded: 3f + 1, or 2f + 1 where they only crash or have
    trusted counters."""

    replica: int | None = 0
    """The number of this replica."""

    crash_only: bool = False
    """Whether faulty replicas, and clients, do nothing worse than to stop. Then the phase of
    prepares falls away, and with it all signatures: channels alone say who said what."""

    minbft: bool = False
    """Whether every replica has a trusted counter (`usig`), which numbers what it says and numbers
    nothing twice. Then 2f + 1 replicas are enough for f that are faulty in any other way, and the
    phase of prepares falls away."""

    statements_max: int = 65536
    """Counted statements kept of each replica above a checkpoint, with ``minbft``, about 300 bytes
    each: what a faulty one may make others keep. A correct one makes some ``window_batches`` for
    each view that passes between two checkpoints."""

    membership: Membership | None = None
    """The group as this member knows it when it starts for the first time; None for replicas 0 to
    ``replicas`` - 1. From there it follows the handovers to the group of the day. A replica that
    comes later is given one of before it came."""

    joining: bool = False
    """Whether this replica is to be added to the group: it follows until an administrator did."""

    administrators: frozenset[str] = frozenset()
    """Clients who ask for reconfigurations and what else `administering` has; what they ask never
    reaches the service."""

    handovers_max: int = 64
    """Handovers of past epochs that are kept. Who was away for more reconfigurations has to be told
    the group anew. A handover takes about 200 bytes for each member."""

    clients: frozenset[str] = frozenset()
    """The clients that may ask: what a replica keeps for each is bounded by their number."""

    fast_reads: bool = False
    """Whether reads are answered without ordering. Then every request, but those of administrators,
    waits for 2f + 1 equal replies: with f + 1 a read could miss a write that was acknowledged
    before it."""

    tentative: bool = False
    """Whether batches are executed when they are prepared, one phase before they are decided. A
    client believes 2f + 1 equal tentative replies; what was executed and is not decided is rolled
    back when the view changes, which costs executing again what follows the last checkpoint."""

    checkpoint_batches: int = 128
    """Batches between two checkpoints: K. Each costs a digest of the pages that changed."""

    window_batches: int = 256
    """Batches that may be under way above the last stable checkpoint: L, at least 2 K."""

    batch_requests_max: int = 100
    """Requests in one batch."""

    batch_bytes_max: int = 4 * 1024 * 1024
    """Bytes of the operations of one batch."""

    operation_bytes_max: int = 1024 * 1024
    """Bytes of one operation."""

    batch_delay_seconds: float = 0.002
    """How long a request waits for others while batches are under way."""

    batches_under_way_max: int = 8
    """Batches the primary has under way before it lets requests gather: under load batches grow."""

    clock_skew_seconds: float = 10.0
    """How far a primary's clock may be ahead of a backup's."""

    view_seconds: float = 1.0
    """The least time a backup waits for a request to be executed before it asks for a new view."""

    view_seconds_max: float = 60.0
    """The longest such wait, however often it was doubled."""

    view_turn_seconds: float = 600.0
    """How long a replica may be primary while there are requests; then it is the next one's turn. A
    primary that is as slow as patience allows has no more than its share of the time."""

    pace_seconds: float = 10.0
    """How long the pace of a primary is measured before it is judged. One that falls short has at
    least that long in each round of turns."""

    pace_share: float = 0.5
    """The part of the others' pace that a primary has to keep up with. A load that grows or falls
    by less than half ends nobody's turn."""

    view_latency_factor: float = 8.0
    """A backup waits at least that many times as long as requests took of late: a system that is
    starved has slow requests, and a view change would only add to its work."""

    status_seconds: float = 0.2
    """How often a replica says how far it is, when it is not idle."""

    idle_status_seconds: float = 2.0
    """How often it does when nothing happens."""

    resend_batches_max: int = 16
    """Batches about which messages are sent again in answer to one status."""

    transfer_seconds: float = 0.5
    """How long a replica waits for an answer to a fetch before it asks another one, and how long it
    may be behind a stable checkpoint before it fetches the state."""

    fetch_items_max: int = 64
    """Batches or blobs asked for in one message."""

    blob_bytes_max: int = 1024 * 1024
    """Bytes of one page of the state."""

    served_bytes_per_second: int = 64 * 1024 * 1024
    """Bytes of states and batches that each other replica is sent in a second: about what catching
    up takes; a faulty one that asks without end gets no more."""

    spare_batches_max: int = 16
    """Batches kept for one sequence number: the ones a replica prepared in former views."""

    reply_digest_bytes: int = 64
    """Results up to this size are sent in full by every replica."""

    retransmit_seconds: float = 0.5
    """How long a client waits before it sends a request to all replicas, doubled each time."""

    retransmit_seconds_max: float = 8.0
    """The longest of these waits."""

    @cached_property
    def epoch(self) -> Epoch:
        """The epoch this member starts in."""
        return Epoch(self.membership or founders(self.replicas), self.crash_only, self.minbft)

    def reply_quorum(self, quorums: Quorums, client: str) -> int:
        """Return how many equal replies make a result: f + 1, or 2f + 1 where reads are fast.

        An administrator needs f + 1 there too: no read tells what he asks for. With 2f + 1 he would
        wait for a newcomer which he starts when he has his answer, if another replica is away.
        """
        if self.fast_reads and client not in self.administrators:
            return quorums.certificate
        return quorums.weak

    def may_ask(self, client: str) -> bool:
        """Tell whether a client is one of the group, or one of its administrators."""
        return client in self.clients or client in self.administrators

    def validate(self) -> None:
        """Raise `BadValueError` when a value, or how two of them relate, cannot work."""
        self._validate_members()
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                if field.name != "replica" and not (math.isfinite(value) and value > 0):
                    raise BadValueError(f"{field.name} is {value}; it has to be above 0")
        self._validate_relations()
        if self.minbft:
            self._validate_minbft()

    def _validate_minbft(self) -> None:
        if self.crash_only:
            raise BadValueError("crash_only and minbft: a group is of one kind or the other")
        if self.fast_reads or self.tentative:
            raise BadValueError(
                "fast_reads and tentative take 2f + 1 correct replicas; with minbft there are f + 1"
            )
        for member in self.epoch.membership.members:
            if member.key and read_member_key(member.key) is None:
                raise BadValueError(
                    f"the key of replica {member.number} names no trusted counter: make it with "
                    f"usig.member_key"
                )
        if self.statements_max < 4 * self.window_batches:
            raise BadValueError(
                f"statements_max is {self.statements_max}; with a window of {self.window_batches} "
                f"batches it has to be four times that at least, for a few views without progress"
            )

    def _validate_members(self) -> None:
        epoch = self.epoch
        if self.replica is not None and (self.replica in epoch) == self.joining:
            if self.joining:
                raise BadValueError(f"replica {self.replica} is a member: it cannot be joining")
            raise BadValueError(
                f"replica {self.replica} is none of {', '.join(map(str, epoch.numbers))}; one that "
                f"is to be added needs joining=True"
            )
        both = self.clients & self.administrators
        if both:
            raise BadValueError(
                f"{', '.join(sorted(both))}: a client or an administrator, not both"
            )

    def _validate_relations(self) -> None:
        if self.window_batches < 2 * self.checkpoint_batches:
            raise BadValueError(
                f"window_batches is {self.window_batches}; with a checkpoint each "
                f"{self.checkpoint_batches} batches it has to be twice that at least, or the "
                f"primary waits for each checkpoint to become stable"
            )
        if self.operation_bytes_max > self.batch_bytes_max:
            raise BadValueError(
                "operation_bytes_max is above batch_bytes_max: no batch would hold it"
            )
        if self.view_seconds > self.view_seconds_max:
            raise BadValueError("view_seconds is above view_seconds_max")
        if self.view_turn_seconds < 2 * self.view_seconds:
            raise BadValueError(
                "view_turn_seconds is below twice view_seconds: views would not last"
            )
        if self.pace_share > 1:
            raise BadValueError("pace_share is above 1: no primary would keep its turn")
        if self.status_seconds > self.idle_status_seconds:
            raise BadValueError("status_seconds is above idle_status_seconds")
        if self.status_seconds > self.view_seconds:
            raise BadValueError(
                "status_seconds is above view_seconds: lost messages would be sent again too late"
            )
        if self.retransmit_seconds > self.retransmit_seconds_max:
            raise BadValueError("retransmit_seconds is above retransmit_seconds_max")
