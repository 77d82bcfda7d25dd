"""Announced services: which node provides which service name, as every node comes to know it.

A sans-io core: ``handle(event, now) -> effects`` and ``next_deadline()``. It runs beside `Routing`
over the same links and is told what that reached and lost. The rules:

1. A node owns its list, and each change of it is a version more. Neighbours tell one another which
   lists they hold in which version; whoever lacks one asks one neighbour for it. The lists
   themselves cross a link only where they are wanted.
2. A change passes every link at once, and those who hold the version before apply it. Who misses a
   step asks for the whole list.
3. Only lists of nodes that are reached are kept, in the run in which they are reached. So nothing
   of a lost node or of an earlier run remains, and there are no tombstones.
4. Over a link without transit only the two ends' own lists pass.
5. A node that hears of its own list in a version it never made makes one above it (after OSPF,
   RFC 2328 section 13.4). Lists are not signed: who is given transit is trusted with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from vista.errors import LocalProtocolError, RemoteProtocolError
from vista.ids import NODE_BYTES, Id
from vista.peering.paths import EPOCH_BYTES, is_bytes
from vista.peering.routing import Heard, LinkDown, LinkUp, Lost, Reached, Reject, Tell, Tick
from vista.peering.words import VERSION_MAX, AnnouncementBounds, Item, Reader, Word


@dataclass(frozen=True, slots=True)
class Publish:
    """This node provides the service ``name`` by the object ``id``, whatever it was before."""

    name: str
    id: Id


@dataclass(frozen=True, slots=True)
class Withdraw:
    """This node provides the service no more."""

    name: str


@dataclass(frozen=True, slots=True)
class Appeared:
    """Another node that is reached provides a service."""

    name: str
    node: bytes
    id: Id


@dataclass(frozen=True, slots=True)
class Vanished:
    """Another node provides a service no more, is lost, or provides it by another object."""

    name: str
    node: bytes
    id: Id


Event = LinkUp | LinkDown | Heard | Tick | Reached | Lost | Publish | Withdraw
Effect = Tell | Appeared | Vanished | Reject


@dataclass(slots=True)
class _Held:
    """A list of services that is known as a whole."""

    epoch: bytes
    version: int = 0
    names: dict[str, Id] = field(default_factory=dict)


@dataclass(slots=True)
class _Link:
    number: int
    peer: bytes
    transit: bool
    # What the peer said it holds, so which lists it need not be told of.
    has: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)

    def version_of(self, node: bytes, epoch: bytes) -> int:
        known, version = self.has.get(node, (b"", 0))
        return version if known == epoch else 0


@dataclass(slots=True)
class _Pull:
    """A list that was asked for and comes in parts."""

    link: int
    epoch: bytes
    due: float
    version: int = 0
    index: int = 0
    names: dict[str, Id] = field(default_factory=dict)


class Announcements:
    """The services of all nodes, as the node ``node`` (10 bytes) in its run ``epoch`` knows them.

    Every event gives the effects to carry out in their order. Pass it each `LinkUp` and `LinkDown`
    that `Routing` gets and each `Reached` and `Lost` that `Routing` gives, and for messages a
    `Heard` of their own. What a peer sent never raises; `LocalProtocolError` is raised for an event
    that its owner must not make.

    >>> announcements = Announcements(node, epoch)
    >>> announcements.handle(Publish("Counters/main", counter.id), now=0.0)
    []
    >>> announcements.nearest("Counters/main", routing.hops_to)
    [(node, Id('4r7q2v9kzm1x8c5t-1f'))]

    The original's AnnounceServices is the object whose presence makes a node publish.
    """

    def __init__(self, node: bytes, epoch: bytes, bounds: AnnouncementBounds | None = None) -> None:
        if not (is_bytes(node, NODE_BYTES) and is_bytes(epoch, EPOCH_BYTES)):
            raise LocalProtocolError(f"a node has {NODE_BYTES} bytes and an epoch {EPOCH_BYTES}")
        self._node = node
        self._bounds = bounds or AnnouncementBounds()
        self._reader = Reader(self._bounds)
        self._own = _Held(epoch)
        self._lists: dict[bytes, _Held] = {node: self._own}
        self._epochs: dict[bytes, bytes] = {}
        self._links: dict[int, _Link] = {}
        self._pulls: dict[bytes, _Pull] = {}
        self._providers: dict[str, dict[bytes, Id]] = {}
        self._names = 0
        # What the event at hand has done so far; what is to be told is joined for each link.
        self._effects: list[Effect] = []
        self._news: dict[tuple[int, Word], list[Any]] = {}

    def providers(self, name: str) -> list[tuple[bytes, Id]]:
        """The nodes that provide a service, this one included, in the order of their identities."""
        return sorted(self._providers.get(name, {}).items())

    def nearest(self, name: str, hops_of: Callable[[bytes], int | None]) -> list[tuple[bytes, Id]]:
        """The nodes that provide a service, the nearest first, equally near ones by identity.

        ``hops_of`` says how far a node is, None when it is not reached: such ones are left out.
        """
        near = [
            (hops, node, id)
            for node, id in self._providers.get(name, {}).items()
            if (hops := hops_of(node)) is not None
        ]
        return [(node, id) for _, node, id in sorted(near)]

    def names(self) -> list[str]:
        """The names of all services that are provided, in order."""
        return sorted(self._providers)

    def next_deadline(self) -> float | None:
        """When the next `Tick` is due; None when nothing is waited for."""
        return min((pull.due for pull in self._pulls.values()), default=None)

    def handle(self, event: Event, now: float) -> list[Effect]:
        """Take an event at the time ``now`` (monotonic seconds) and say what is to be done.

        Raises `LocalProtocolError` for a link that is up already, a name or Id that is none, and a
        name more than a node may publish.
        """
        self._effects, self._news = [], {}
        match event:
            case Heard(number, message):
                self._heard(number, message, now)
            case LinkUp():
                self._link_up(event)
            case LinkDown(number):
                self._link_down(number, now)
            case Reached(node, epoch):
                self._lose(node)
                self._epochs[node] = epoch
                self._seek(node, now)
            case Lost(node):
                self._lose(node)
            case Publish(name, id):
                self._publish(name, id)
            case Withdraw(name):
                if name in self._own.names:
                    self._change_own(name, None)
            case Tick():
                self._give_up(now)
        self._tell_news()
        return self._effects

    # --- this node's own list -------------------------------------------------------------------

    def _publish(self, name: str, id: Id) -> None:
        if not self._reader.is_name(name):
            raise LocalProtocolError(f"{name!r:.60} cannot be announced as the name of a service")
        if not isinstance(id, Id):
            raise LocalProtocolError(f"a service is provided by an object's Id, not {id!r:.60}")
        names = self._own.names
        if name not in names and len(names) >= self._bounds.names_max:
            raise LocalProtocolError(
                f"a node announces at most {self._bounds.names_max} services (limit "
                "announced_names_max); withdraw one, or announce fewer by patterns"
            )
        if names.get(name) != id:
            self._change_own(name, id)

    def _change_own(self, name: str, id: Id | None) -> None:
        self._apply(self._node, self._own, [(name, id)])
        self._pass_on(self._node, self._own, [(name, id)])

    # --- links and nodes ------------------------------------------------------------------------

    def _link_up(self, event: LinkUp) -> None:
        if event.link in self._links:
            raise LocalProtocolError(f"link {event.link} is up already")
        if event.peer != self._node:  # routing rejects that link
            self._links[event.link] = link = _Link(event.link, event.peer, event.transit)
            for node in sorted(self._lists):
                self._tell_of(link, node, self._lists[node])

    def _link_down(self, number: int, now: float) -> None:
        if self._links.pop(number, None) is not None:
            for node in [node for node, pull in self._pulls.items() if pull.link == number]:
                self._end_pull(node)
                self._seek(node, now)

    def _lose(self, node: bytes) -> None:
        self._epochs.pop(node, None)
        self._end_pull(node)
        held = self._lists.pop(node, None)
        if held is not None:
            self._replace(node, held.names, {})
            for link in self._links.values():
                if link.transit:
                    self._news.setdefault((link.number, Word.GONE), []).append(node)

    # --- what is heard --------------------------------------------------------------------------

    def _heard(self, number: int, message: Any, now: float) -> None:
        link = self._links.get(number)
        if link is None:
            return
        try:
            word, fields = self._reader.read(message)
            self._take(link, word, fields, now)
        except RemoteProtocolError as error:
            self._effects.append(Reject(number, error))

    def _take(self, link: _Link, word: Word, fields: list[Any], now: float) -> None:
        match word:
            case Word.HAVE:
                for node, epoch, version in fields[0]:
                    self._hear_of(link, node, epoch, version)
                    self._seek(node, now)
            case Word.GONE:
                for node in fields[0]:
                    self._hear_of_end(link, node, now)
            case Word.WANT:
                self._send_list(link, *fields)
            case Word.PART:
                self._take_part(link, *fields, now=now)
            case Word.CHANGE:
                self._take_change(link, *fields, now=now)

    def _hear_of(self, link: _Link, node: bytes, epoch: bytes, version: int) -> None:
        """Note that the peer holds a list, where it may be heard about it."""
        if not (link.transit or node == link.peer):
            return
        if node not in link.has and len(link.has) >= self._bounds.nodes_max:
            raise RemoteProtocolError(f"lists of more than {self._bounds.nodes_max} nodes")
        link.has[node] = (epoch, version)
        if node == self._node and epoch == self._own.epoch and version > self._own.version:
            self._own.version = min(version + 1, VERSION_MAX)
            self._spread(node, self._own)

    def _hear_of_end(self, link: _Link, node: bytes, now: float) -> None:
        """Note that the peer dropped a list; it may want it again, so it is told who has it."""
        link.has.pop(node, None)
        pull = self._pulls.get(node)
        if pull is not None and pull.link == link.number:
            self._end_pull(node)
            self._seek(node, now)
        if (held := self._lists.get(node)) is not None:
            self._tell_of(link, node, held)

    def _seek(self, node: bytes, now: float) -> None:
        """Ask a neighbour for the list, when one has a later version than is held."""
        epoch = self._epochs.get(node)
        if epoch is None or node in self._pulls:
            return
        source = self._source(node, epoch)
        if source is not None:
            self._pulls[node] = _Pull(source, epoch, now + self._bounds.pull_seconds)
            self._effects.append(Tell(source, [int(Word.WANT), node, epoch]))

    def _source(self, node: bytes, epoch: bytes, but: int | None = None) -> int | None:
        """The link whose peer has the latest version of a list, if later than what is held."""
        held = self._lists.get(node)
        latest, source = held.version if held else 0, None
        for link in self._links.values():
            version = link.version_of(node, epoch)
            if version > latest and link.number != but:
                latest, source = version, link.number
        return source

    def _end_pull(self, node: bytes) -> None:
        pull = self._pulls.pop(node, None)
        if pull is not None:
            self._names -= len(pull.names)

    def _give_up(self, now: float) -> None:
        """Ask another neighbour for what did not come in time; without another, wait on."""
        for node in [node for node, pull in self._pulls.items() if pull.due <= now]:
            pull = self._pulls[node]
            pull.due = now + self._bounds.pull_seconds
            if self._source(node, pull.epoch, but=pull.link) is not None:
                # It said it had the list. Its next word about it is believed again.
                self._links[pull.link].has.pop(node, None)
                self._end_pull(node)
                self._seek(node, now)

    def _take_part(
        self,
        link: _Link,
        node: bytes,
        epoch: bytes,
        version: int,
        index: int,
        last: bool,
        services: list[tuple[str, Id]],
        *,
        now: float,
    ) -> None:
        pull = self._pulls.get(node)
        if pull is None or pull.link != link.number or pull.epoch != epoch:
            return  # the answer to a question that was taken back
        if index == 0:
            self._names -= len(pull.names)
            pull.version, pull.index, pull.names = version, 0, {}
        if (pull.version, pull.index) != (version, index):
            return
        before = len(pull.names)
        pull.names.update(services)
        self._names += len(pull.names) - before
        pull.index += 1
        pull.due = now + self._bounds.pull_seconds
        if len(pull.names) > self._bounds.names_max or self._names > self._bounds.names_all_max:
            self._end_pull(node)
            link.has.pop(node, None)
            raise RemoteProtocolError("more names of services than are kept")
        if last:
            self._take_list(link, node, pull)
            self._seek(node, now)

    def _take_list(self, link: _Link, node: bytes, pull: _Pull) -> None:
        del self._pulls[node]
        # Not what it said of: who says much and gives little would be asked for ever.
        link.has[node] = (pull.epoch, pull.version)
        held = self._lists.get(node)
        if held is not None and held.version >= pull.version:
            self._names -= len(pull.names)
            return
        taken = _Held(pull.epoch, pull.version, pull.names)
        self._lists[node] = taken
        self._replace(node, held.names if held else {}, taken.names)
        self._spread(node, taken)

    def _take_change(
        self,
        link: _Link,
        node: bytes,
        epoch: bytes,
        version: int,
        items: list[Item],
        *,
        now: float,
    ) -> None:
        self._hear_of(link, node, epoch, version)
        held = self._lists.get(node)
        heard = link.transit or node == link.peer
        if not heard or node == self._node or held is None or held.epoch != epoch:
            self._seek(node, now)
            return
        missing = version - held.version
        if 0 < missing <= len(items):
            self._check_room(held, items[-missing:])
            self._apply(node, held, items[-missing:])
            self._pass_on(node, held, items[-missing:])
        self._seek(node, now)

    def _check_room(self, held: _Held, items: list[Item]) -> None:
        added = sum(id is not None and name not in held.names for name, id in items)
        if (
            len(held.names) + added > self._bounds.names_max
            or self._names + added > self._bounds.names_all_max
        ):
            raise RemoteProtocolError("more names of services than are kept")

    # --- lists ----------------------------------------------------------------------------------

    def _apply(self, node: bytes, held: _Held, items: Iterable[Item]) -> None:
        for name, id in items:
            held.version += 1
            old = held.names.pop(name, None)
            if old is not None:
                self._names -= 1
                self._vanish(name, node, old)
            if id is not None:
                self._names += 1
                held.names[name] = id
                self._appear(name, node, id)

    def _replace(self, node: bytes, old: dict[str, Id], new: dict[str, Id]) -> None:
        """Put the list ``new``, which is counted, in the place of ``old``."""
        self._names -= len(old)
        for name, id in old.items():
            if new.get(name) != id:
                self._vanish(name, node, id)
        for name, id in new.items():
            if old.get(name) != id:
                self._appear(name, node, id)

    def _appear(self, name: str, node: bytes, id: Id) -> None:
        self._providers.setdefault(name, {})[node] = id
        if node != self._node:
            self._effects.append(Appeared(name, node, id))

    def _vanish(self, name: str, node: bytes, id: Id) -> None:
        providers = self._providers[name]
        del providers[node]
        if not providers:
            del self._providers[name]
        if node != self._node:
            self._effects.append(Vanished(name, node, id))

    # --- telling --------------------------------------------------------------------------------

    def _tell_of(self, link: _Link, node: bytes, held: _Held) -> None:
        """Tell the peer that a list is held, unless it has that itself."""
        if link.transit or node == self._node:
            if link.version_of(node, held.epoch) < held.version:
                news = self._news.setdefault((link.number, Word.HAVE), [])
                news.append([node, held.epoch, held.version])

    def _spread(self, node: bytes, held: _Held) -> None:
        for link in self._links.values():
            self._tell_of(link, node, held)

    def _pass_on(self, node: bytes, held: _Held, items: list[Item]) -> None:
        """Tell the changes to those who do not have them yet."""
        message = [int(Word.CHANGE), node, held.epoch, held.version, [list(item) for item in items]]
        for link in self._links.values():
            if link.transit or node == self._node:
                if link.version_of(node, held.epoch) < held.version:
                    self._effects.append(Tell(link.number, message))

    def _send_list(self, link: _Link, node: bytes, epoch: bytes) -> None:
        held = self._lists.get(node)
        if held is None or held.epoch != epoch or not (link.transit or node == self._node):
            return  # it was told that the list is gone, or never that it can be had
        services = [[name, held.names[name]] for name in sorted(held.names)]
        size = self._bounds.part_names_max
        starts = range(0, max(len(services), 1), size)
        for index, start in enumerate(starts):
            part = services[start : start + size]
            fields = [node, epoch, held.version, index, index == len(starts) - 1, part]
            self._effects.append(Tell(link.number, [int(Word.PART), *fields]))

    def _tell_news(self) -> None:
        size = self._bounds.told_nodes_max
        for (number, word), news in sorted(self._news.items()):
            for start in range(0, len(news), size):
                self._effects.append(Tell(number, [int(word), news[start : start + size]]))
