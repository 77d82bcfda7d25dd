"""Requests that wait: one for each client, and the one whose turn the primary is judged by.

Three rules. All replicas agree on whether a request is valid, as it is signed (Aardvark, section
4.1). A client has one request outstanding; a later one takes its place. A backup watches one
request at a time, the oldest, until it is executed (OSDI 1999, section 4.4): so a primary that
leaves out one client is found however fast it serves the others. Each time that half of the
patience with it is over all replicas are told of that request: nobody leaves a view for what it
alone knows of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.messages import Request

if TYPE_CHECKING:
    from apps.solidstate.pbft.replica import Replica

_LATENCY_WEIGHT = 0.1


class Requests:
    """The valid requests a replica knows of that are not executed yet.

    ``pending`` has them by client, ``queue`` those this primary has not proposed. ``latency`` is
    how long requests took of late, in seconds; ``deadline`` when all are told of the watched one.
    """

    def __init__(self, replica: Replica) -> None:
        self._replica = replica
        self.pending: dict[str, Request] = {}
        self.queue: dict[str, Request] = {}
        self.latency = 0.0
        self.deadline = math.inf
        self._arrived: dict[str, float] = {}
        self._watched: tuple[str, int] | None = None

    def on_request(self, sender: Principal, request: Request) -> None:
        """Take a request of a client, which came from it or from a backup."""
        replica = self._replica
        if isinstance(sender, str) and sender != request.client:
            return
        last = replica.state.settled(request.client)
        if request.timestamp <= last.timestamp:
            if request.timestamp == last.timestamp:
                replica.state.answer(request, full=True)
        elif request.read_only and replica.config.fast_reads:
            if replica.proofs.request(request):
                replica.state.answer_read(request)
        elif self._is_known(request):
            self._pass_on(sender, request)
        elif replica.proofs.request(request):
            self._add(request)
            self._pass_on(sender, request)
            if sender not in (request.client, replica.primary):
                # A faulty replica may have told all but the primary, which would be suspected.
                self._tell_primary(request)

    def _is_known(self, request: Request) -> bool:
        known = self.pending.get(request.client)
        return known is not None and known.timestamp >= request.timestamp

    def is_verified(self, request: Request) -> bool:
        """Tell whether these very bytes wait here: then their signature was verified."""
        known = self.pending.get(request.client)
        return known is not None and known.digest == request.digest

    def _add(self, request: Request) -> None:
        self.pending[request.client] = request
        self.queue[request.client] = request
        self._arrived.setdefault(request.client, self._replica.now)
        self.watch()

    def _pass_on(self, sender: Principal, request: Request) -> None:
        replica = self._replica
        if sender != request.client:
            return
        if not replica.views.active:
            # The client may know members of a former epoch alone, and these may be too few to leave
            # a view where the group has grown: the others want it when they are asked as well.
            # How many say that they do does not matter: liars may say so to this replica alone.
            replica.epochs.direct(sender)
        else:
            self._tell_primary(self.pending[request.client])

    def _tell_primary(self, request: Request) -> None:
        replica = self._replica
        if replica.views.active and replica.primary != replica.me:
            replica.send(replica.primary, request)

    def tick(self) -> None:
        """Tell all of the watched request: this replica may be the only one that knows of it."""
        self.deadline = math.inf
        if self._watched is not None and self._replica.views.active:
            self._replica.broadcast(self.pending[self._watched[0]])
            # Who is impatient alone stays in the view, and what it said may be lost.
            self.deadline = self._replica.now + self._replica.views.patience / 2

    def enter_view(self) -> None:
        """Hand all requests to the primary of a new view, and start to watch anew."""
        replica = self._replica
        self.queue = dict(self.pending)
        if replica.primary != replica.me:
            for request in self.pending.values():
                replica.send(replica.primary, request)
        self.watch_anew()

    def executed(self, request: Request) -> None:
        """Note that a request was executed: it and what its client asked before wait no longer."""
        client = request.client
        known = self.pending.get(client)
        if known is not None and known.timestamp <= request.timestamp:
            del self.pending[client]
            self.queue.pop(client, None)
            took = self._replica.now - self._arrived.pop(client)
            self.latency += _LATENCY_WEIGHT * (took - self.latency)
        if self._watched is not None and self._watched[0] == client:
            if self._watched[1] <= request.timestamp:
                self._watched = None
                self.deadline = math.inf
                self._replica.views.progress()

    def forget_executed(self) -> None:
        """Drop what a state that was fetched says is executed."""
        sessions = self._replica.state.sessions
        for request in list(self.pending.values()):
            if request.timestamp <= sessions.last(request.client).timestamp:
                self.executed(request)
        # The one that was watched may have been among them.
        self.watch()

    def enter_epoch(self, changed: Iterable[str]) -> None:
        """Drop what clients asked that came or left: it was verified by what held before."""
        for client in changed:
            if self.pending.pop(client, None) is not None:
                self.queue.pop(client, None)
                del self._arrived[client]
            if self._watched is not None and self._watched[0] == client:
                self._watched = None

    def watch_anew(self) -> None:
        """Watch the oldest request from here on, whatever was watched before."""
        self._watched = None
        self.watch()

    def watch(self) -> None:
        """Watch the oldest request, if none is watched and there is one."""
        if self._watched is None and self.pending:
            request = next(iter(self.pending.values()))
            self._watched = (request.client, request.timestamp)
            self._replica.views.expect()
            self.deadline = self._replica.now + self._replica.views.patience / 2
