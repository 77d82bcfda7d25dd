"""Executing what is decided, in order, and answering clients (OSDI 1999, sections 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.solidstate.pbft.administering import HandOver, Renewal, read_wish
from apps.solidstate.pbft.canonical import digest_of, pack, unpack
from apps.solidstate.pbft.effects import Executed, Renew
from apps.solidstate.pbft.log import Entry
from apps.solidstate.pbft.membership import read_membership, reconfigured
from apps.solidstate.pbft.messages import Batch, Membership, Reply, Request
from apps.solidstate.pbft.service import Context, Service
from apps.solidstate.pbft.sessions import PAGES, Session, Sessions
from vista import BadValueError

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


def membership_of(pages: Sequence[bytes]) -> Membership:
    """Return the membership in the pages of a state: the one that goes on from there."""
    return read_membership(unpack(pages[0])[3])


class State:
    """The replicated state: the service, the sessions of its clients and the agreed time.

    ``executed`` is the number of the last batch in it. ``readable_from`` is the number the state
    may have been at before this replica restarted or was repaired: reads that are not ordered wait
    until it is there again, since a write that was acknowledged counts on this replica.
    ``membership`` is the group that orders what comes next.
    """

    def __init__(self, replica: Replica, service: Service) -> None:
        self._replica = replica
        self._service = service
        self.sessions = Sessions()
        self.executed = 0
        self.readable_from = 0
        self.membership = replica.epoch.membership
        self._time = 0
        # The batch above `executed` that is executed tentatively, and what its clients had before.
        self._ahead: bytes | None = None
        self._before: dict[str, Session] = {}
        self._first = self.snapshot() if replica.config.tentative else []

    def execute_ready(self) -> None:
        """Execute every decided batch whose predecessors are executed and that is here."""
        replica = self._replica
        while not replica.transfer.repairing and not replica.epochs.over:
            entry = replica.log.get(self.executed + 1)
            if entry is None or entry.decided is None:
                self._execute_prepared(entry)
                break
            if self._ahead not in (None, entry.decided):
                self._restore_decided()
                continue
            batch = replica.log.batch(entry.sequence, entry.decided)
            if batch is None:
                replica.ordering.fetch_soon()
                break
            self._execute(batch)

    def _execute(self, batch: Batch) -> None:
        replica = self._replica
        ahead = self._ahead is not None
        self._ahead, self._before = None, {}
        if not ahead:
            self._carry_out(batch)
        self.executed += 1
        replica.emit(Executed(self.executed, batch))
        if batch.requests:
            replica.views.served()
            replica.pace.work(len(batch.requests))
        for request in batch.requests:
            replica.requests.executed(request)
        replica.requests.watch()
        regular = self.executed % replica.config.checkpoint_batches == 0
        if regular or self.membership.start == self.executed:
            replica.checkpoints.take()

    def _carry_out(self, batch: Batch) -> None:
        if batch.requests:
            # A faulty primary may propose any time up to the bound: it never goes back.
            self._time = max(self._time + 1, batch.time)
        for place, request in enumerate(batch.requests):
            self._execute_request(batch, place, request)

    def _execute_prepared(self, entry: Entry | None) -> None:
        """Execute one batch above the decided ones tentatively, if it is prepared in this view.

        No reconfiguration is: nothing may rest on a group that is not decided.
        """
        replica = self._replica
        if not replica.config.tentative or entry is None or self._ahead is not None:
            return
        prepared = entry.prepared if entry.committing and replica.views.active else None
        if prepared is None:
            return
        batch = replica.log.batch(entry.sequence, prepared.pre_prepare.batch)
        administrators = replica.config.administrators
        if batch is None or any(one.client in administrators for one in batch.requests):
            return
        self._before = {one.client: self.sessions.last(one.client) for one in batch.requests}
        self._ahead = batch.digest
        self._carry_out(batch)

    def settled(self, client: str) -> Session:
        """Return what a client was answered last for good."""
        return self._before.get(client) or self.sessions.last(client)

    def roll_back(self) -> None:
        """Undo what was executed tentatively, when the view is left in which it was prepared."""
        if self._ahead is not None:
            self._restore_decided()
            self.execute_ready()

    def _restore_decided(self) -> None:
        # From the last checkpoint on: undoing single batches would take a copy before each one.
        replica = self._replica
        replica.report("rolled-back", f"batch {self.executed + 1} is executed and not decided")
        # A client may have believed it, and it will be decided then: reads wait for it.
        self.readable_from = max(self.readable_from, self.executed + 1)
        trees = replica.checkpoints.trees
        self.restore(trees[max(trees)].pages if trees else self._first)

    def _execute_request(self, batch: Batch, place: int, request: Request) -> None:
        last = self.sessions.last(request.client)
        if request.timestamp > last.timestamp:
            random = digest_of(pack([batch.digest, place]))
            context = Context(request.client, self.executed + 1, self._time, random)
            if request.client in self._replica.config.administrators:
                result = self._administer(request.operation)
            else:
                result = self._service.execute(request.operation, context)
            self.sessions.note(request.client, request.timestamp, result)
        if request.timestamp >= last.timestamp:
            self.answer(request)

    def _administer(self, operation: bytes) -> bytes:
        """Do what an administrator asks for; the group as it is stands in every result."""
        replica, wish = self._replica, read_wish(operation)
        match wish:
            case None:
                return self._reconfigure(operation)
            case HandOver():
                replica.views.hand_over(wish.view, wish.successor)
            case Renewal(number) if number == replica.me and self.executed >= self.readable_from:
                # Below that it is executed again after a restart: the wish was granted by then.
                replica.emit(Renew())
        return pack(["done", self.executed + 1, self.membership.row])

    def _reconfigure(self, operation: bytes) -> bytes:
        """Have the epoch end with this batch; the result has the group that goes on from here."""
        replica = self._replica
        try:
            self.membership = reconfigured(
                self.membership,
                operation,
                self.executed + 1,
                replica.keyring.is_key,
                replica.config.crash_only,
                replica.config.minbft,
                replica.proofs.is_member_key,
            )
        except BadValueError as error:
            return pack(["refused", str(error), self.membership.row])
        return pack(["ok", self.membership.row])

    def answer(self, request: Request, full: bool = False) -> None:
        """Send a client its last result, in full if it asked again or chose this replica."""
        replica = self._replica
        result = self.sessions.last(request.client).result
        full = full or request.replier == replica.me
        full = full or len(result) <= replica.config.reply_digest_bytes
        self._reply(request, result, ordered=True, full=full)

    def answer_read(self, request: Request) -> None:
        """Answer a read from the state as it is, without ordering it; or say that it has to be."""
        replica = self._replica
        result = None
        if self._is_readable(request):
            result = self._service.execute_read_only(request.operation)
        if result is None:
            view, client = replica.views.view, request.client
            refusal = Reply(view, client, request.timestamp, False, b"", None)
            replica.send(client, refusal)
            return
        full = request.replier == replica.me or len(result) <= replica.config.reply_digest_bytes
        self._reply(request, result, ordered=False, full=full)

    def _is_readable(self, request: Request) -> bool:
        replica = self._replica
        if self.executed < self.readable_from or replica.transfer.repairing:
            return False
        # It has forgotten how far it was: among those who only crash nobody makes up for that.
        if replica.abstains:
            return False
        # Between two epochs others may already have acknowledged writes in the next one.
        if replica.epochs.over or request.client in replica.config.administrators:
            return False
        return self._ahead is None

    def _reply(self, request: Request, result: bytes, ordered: bool, full: bool) -> None:
        reply = Reply(
            self._replica.views.view,
            request.client,
            request.timestamp,
            ordered,
            digest_of(result),
            result if full else None,
            self._ahead is not None,
        )
        self._replica.send(request.client, reply)

    def snapshot(self) -> list[bytes]:
        """Return the pages of the whole state: a head, the sessions, the service."""
        head = pack(["state", self.executed, self._time, self.membership.row])
        return [head, *self.sessions.snapshot(), *self._service.snapshot()]

    def restore(self, pages: Sequence[bytes]) -> None:
        """Take over a state that `snapshot` of this or another replica returned."""
        self._ahead, self._before = None, {}
        self.readable_from = max(self.readable_from, self.executed)
        _, self.executed, self._time, row = unpack(pages[0])
        self.membership = read_membership(row)
        self.sessions.restore(pages[1 : PAGES + 1])
        self._service.restore(pages[PAGES + 1 :])
        self._replica.requests.forget_executed()
