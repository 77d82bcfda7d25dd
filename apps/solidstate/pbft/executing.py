"""Executing what is decided, in order, and answering clients (OSDI 1999, sections 4.1 and 4.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from apps.solidstate.pbft.canonical import digest_of, pack, unpack
from apps.solidstate.pbft.effects import Executed
from apps.solidstate.pbft.messages import Batch, Reply, Request
from apps.solidstate.pbft.service import Context, Service
from apps.solidstate.pbft.sessions import PAGES, Sessions

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica


class State:
    """The replicated state: the service, the sessions of its clients and the agreed time.

    ``executed`` is the number of the last batch in it. ``readable_from`` is the number the state
    may have been at before this replica restarted or was repaired: reads that are not ordered wait
    until it is there again, since a write that was acknowledged counts on this replica.
    """

    def __init__(self, replica: Replica, service: Service) -> None:
        self._replica = replica
        self._service = service
        self.sessions = Sessions()
        self.executed = 0
        self.readable_from = 0
        self._time = 0

    def execute_ready(self) -> None:
        """Execute every decided batch whose predecessors are executed and that is here."""
        replica = self._replica
        while not replica.transfer.repairing:
            entry = replica.log.get(self.executed + 1)
            if entry is None or entry.decided is None:
                break
            batch = replica.log.batch(entry.sequence, entry.decided)
            if batch is None:
                replica.ordering.fetch_soon()
                break
            self._execute(batch)

    def _execute(self, batch: Batch) -> None:
        replica = self._replica
        self.executed += 1
        replica.emit(Executed(self.executed, batch))
        if batch.requests:
            # A faulty primary may propose any time up to the bound: it never goes back.
            self._time = max(self._time + 1, batch.time)
            replica.views.served()
        for place, request in enumerate(batch.requests):
            self._execute_request(batch, place, request)
        replica.requests.watch()
        if self.executed % replica.config.checkpoint_batches == 0:
            replica.checkpoints.take()

    def _execute_request(self, batch: Batch, place: int, request: Request) -> None:
        last = self.sessions.last(request.client)
        if request.timestamp > last.timestamp:
            random = digest_of(pack([batch.digest, place]))
            context = Context(request.client, self.executed, self._time, random)
            result = self._service.execute(request.operation, context)
            self.sessions.note(request.client, request.timestamp, result)
        if request.timestamp >= last.timestamp:
            self.answer(request)
        self._replica.requests.executed(request)

    def answer(self, request: Request, full: bool = False) -> None:
        """Send a client its last result, in full if it asked again or chose this replica."""
        replica = self._replica
        result = self.sessions.last(request.client).result
        full = full or request.replier == replica.me
        full = full or len(result) <= replica.config.reply_digest_bytes
        self._reply(request, result, ordered=True, full=full)

    def answer_read(self, request: Request) -> None:
        """Answer a read from the state as it is, without ordering it."""
        if self.executed < self.readable_from or self._replica.transfer.repairing:
            return
        result = self._service.execute_read_only(request.operation)
        if result is not None:
            self._reply(request, result, ordered=False, full=True)

    def _reply(self, request: Request, result: bytes, ordered: bool, full: bool) -> None:
        reply = Reply(
            self._replica.views.view,
            request.client,
            request.timestamp,
            ordered,
            digest_of(result),
            result if full else None,
        )
        self._replica.send(request.client, reply)

    def snapshot(self) -> list[bytes]:
        """Return the pages of the whole state: a head, the sessions, the service."""
        head = pack(["state", self.executed, self._time])
        return [head, *self.sessions.snapshot(), *self._service.snapshot()]

    def restore(self, pages: Sequence[bytes]) -> None:
        """Take over a state that `snapshot` of this or another replica returned."""
        self.readable_from = max(self.readable_from, self.executed)
        _, self.executed, self._time = unpack(pages[0])
        self.sessions.restore(pages[1 : PAGES + 1])
        self._service.restore(pages[PAGES + 1 :])
        self._replica.requests.forget_executed()
