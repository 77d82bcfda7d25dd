"""The simulated network: what carries parts between the nodes of a `World`.

Two rules. Everything that chance decides is drawn from the dice of the hub, and everything is
delivered by timers of its loop. A channel keeps its order and drops nothing as long as it lasts;
messages change places between channels only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final

from vista.errors import PeerAddressError
from vista.peering.curve import public_key_of
from vista.peering.transport import Channel
from vista.peering.urls import PORT_MAX, PeerUrl
from vista.testing.connections import CLOSED, OPEN, End
from vista.testing.datagrams import SimulatedDatagrams
from vista.testing.trace import Event
from vista.testing.wires import Conditions, Wire, call_at

if TYPE_CHECKING:
    from vista.peering.datagrams import Group
    from vista.testing.hub import SimulatedHub

_FIRST_PORT: Final = 49152
_EVERYWHERE: Final = ("*", "0.0.0.0", "::")
_LOOPBACK: Final = "127.0.0.1"
_SAME_HOST: Final = ("localhost", "::1")


class SimulatedNetwork:
    """The network of a `World`, in which all nodes stand on one machine.

    ``world.network`` is it. A node gets its own view of it as ``kernel.settings["network"]``, which
    is `NodeNetwork`. With ``conditions`` every wire has those, else the seed draws some for each
    pair of nodes; `wire` returns one, to be changed. ``public_key_of`` derives public keys.
    """

    def __init__(self, hub: SimulatedHub, conditions: Conditions | None = None) -> None:
        self.hub = hub
        self.conditions = conditions
        self.public_key_of: Callable[[bytes], bytes] = public_key_of
        self.listening: list[SimulatedListener] = []
        self.refusing: set[str] = set()
        self.members: list[SimulatedDatagrams] = []
        self._nodes: dict[str, NodeNetwork] = {}
        self._wires: dict[tuple[str, str], Wire] = {}
        self._partitions: dict[Partition, None] = {}
        self._next_port = _FIRST_PORT

    def of(self, name: str) -> NodeNetwork:
        """Return the network as the node ``name`` sees it; another one after a crash."""
        known = self._nodes.get(name)
        if known is None or known.over:
            known = self._nodes[name] = NodeNetwork(self, name)
        return known

    def wire(self, source: str, target: str) -> Wire:
        """Return the wire from one node to another; the way back is another one."""
        known = self._wires.get((source, target))
        if known is None:
            conditions = self.conditions or Conditions.drawn(self.hub.dice)
            known = self._wires[source, target] = Wire(self.hub, source, target, conditions)
        return known

    # --- faults ----------------------------------------------------------------------------

    def lose(self, one: str, other: str) -> None:
        """Break every connection between two nodes; see `Conditions` for when each end learns."""
        self.note_fault(f"connections of {one} and {other} break")
        for end in list(self.of(one).ends):
            if end.other is not None and end.other.node.name == other:
                end.break_off("the connection broke")

    def partition(
        self, left: Iterable[str], right: Iterable[str], *, one_way: bool = False
    ) -> Partition:
        """Let nothing pass from ``left`` to ``right``, nor back unless ``one_way``.

        What is sent meanwhile waits for `Partition.heal`; if that is long in coming, the connection
        breaks. Partitions may overlap.
        """
        names, others = tuple(left), tuple(right)
        pairs = [(one, other) for one in names for other in others if one != other]
        if not one_way:
            pairs += [(other, one) for one, other in pairs]
        how = "reach no" if one_way else "are parted from"
        self.note_fault(f"{' '.join(names)} {how} {' '.join(others)}")
        partition = Partition(self, [self.wire(*pair) for pair in pairs])
        self._partitions[partition] = None
        return partition

    def forget(self, partition: Partition) -> bool:
        """Strike a partition from the list; return whether it stood there."""
        return self._partitions.pop(partition, self) is None

    def slow(self, one: str, other: str, factor: float) -> None:
        """Let everything between two nodes take ``factor`` times as long; 1.0 undoes it."""
        self.note_fault(f"wires of {one} and {other} take {factor:g} times as long")
        self.wire(one, other).slow(factor)
        self.wire(other, one).slow(factor)

    def refuse(self, name: str, refused: bool = True) -> None:
        """Let nobody connect to a node, or let them again; connections that stand stay."""
        self.note_fault(f"{name} {'refuses' if refused else 'takes'} connections")
        (self.refusing.add if refused else self.refusing.discard)(name)

    def heal(self) -> None:
        """End every partition, slowness and refusal.

        Half-open connections stay half-open: only who has one can find that out.
        """
        for partition in list(self._partitions):
            partition.heal()
        for wire in self._wires.values():
            wire.slow(1.0)
        self.refusing.clear()

    def note_fault(self, words: str, node: str = "") -> None:
        """Put a fault into the trace."""
        self.hub.trace.add(Event(self.hub.now, "fault", node, 0, "", "", words))

    # --- addresses -------------------------------------------------------------------------

    def take_address(self, url: PeerUrl) -> PeerUrl:
        """Return ``url`` with a port that is free. Raises `PeerAddressError` when none is."""
        if url.scheme == "ipc" or url.port:
            if any(_collide(url, listener.address) for listener in self.listening):
                raise PeerAddressError(f"{url} is taken: another node listens there")
            return url
        for port in range(self._next_port, PORT_MAX + 1):
            found = PeerUrl("tcp", url.host, port)
            if not any(_collide(found, listener.address) for listener in self.listening):
                self._next_port = port + 1
                return found
        raise PeerAddressError(f"no port is left of {_FIRST_PORT}..{PORT_MAX}")

    def find(self, url: PeerUrl) -> SimulatedListener | None:
        """Return who listens at the address of a URL, None if nobody does or it refuses."""
        for listener in self.listening:
            if _collide(url, listener.address):
                return None if listener.node.name in self.refusing else listener
        return None


class Partition:
    """One partition of the network, from its beginning to `heal`."""

    def __init__(self, network: SimulatedNetwork, wires: list[Wire]) -> None:
        self._network = network
        self._wires = wires
        for wire in wires:
            wire.block()

    def heal(self) -> None:
        """End it; harmless when it has ended."""
        if self._network.forget(self):
            self._network.note_fault("a partition heals")
            for wire in self._wires:
                wire.lift()


class SimulatedListener:
    """An address at which a node accepts peers; a `vista.peering.transport.Listener`."""

    def __init__(
        self,
        node: NodeNetwork,
        address: PeerUrl,
        key: bytes | None,
        admits: Callable[[bytes, str], bool],
        accept: Callable[[Channel], None],
    ) -> None:
        self.node = node
        self.address = address
        self.key = key
        self.admits = admits
        self.accept = accept
        if address.scheme == "tcp":
            host = _LOOPBACK if address.host in _EVERYWHERE else address.host
            self.url = PeerUrl("tcp", host, address.port, key=key)
        else:
            self.url = address
        node.network.listening.append(self)

    @property
    def closed(self) -> bool:
        """Whether it accepts nobody any more."""
        return self not in self.node.network.listening

    def close(self) -> None:
        """Accept no more peers; channels that are open stay open."""
        if not self.closed:
            self.node.network.listening.remove(self)


class NodeNetwork:
    """The network as one node sees it; a `vista.peering.transport.Network`.

    It lasts as long as the node does: after a crash or `close` it is ``over``, and who comes back
    under the same name gets another one.
    """

    def __init__(self, network: SimulatedNetwork, name: str) -> None:
        self.network = network
        self.hub = network.hub
        self.name = name
        self.over = False
        self.severed = False
        self.ends: dict[End, None] = {}

    def listen(
        self,
        url: PeerUrl,
        *,
        secret_key: bytes | None,
        admits: Callable[[bytes, str], bool],
        accept: Callable[[Channel], None],
    ) -> SimulatedListener:
        """Let peers connect at ``url``; port 0 stands for a free one.

        Raises `PeerAddressError` for an address that is taken, and for tcp without a key.
        """
        self._check_key(url, secret_key)
        key = None if url.scheme == "ipc" else self._public(secret_key)
        listener = SimulatedListener(self, self.network.take_address(url), key, admits, accept)
        if self.over:
            listener.close()
        return listener

    def connect(self, url: PeerUrl, *, secret_key: bytes | None) -> End:
        """Open a channel to a peer and return it at once; it waits for the peer without bound.

        A peer that proves another key than the URL has, or does not admit this node's, ends it.
        Raises `PeerAddressError` for a URL that serves for listening only, and for tcp without a
        key.
        """
        url.check_connectable()
        self._check_key(url, secret_key)
        end = End(self, url.key, _shown(url), self.network.conditions or Conditions())
        if self.severed:
            end.sever()
        elif self.over:
            end.close()
        else:
            key = None if url.scheme == "ipc" else self._public(secret_key)
            call_at(self.hub, self.hub.now, _Dial(self, url, key, end).attempt)
        return end

    def join(self, group: Group, host: str, bytes_max: int) -> SimulatedDatagrams:
        """Join a group of datagrams, see `vista.peering.datagrams.DatagramNetwork`."""
        return SimulatedDatagrams(self, group, bytes_max)

    def close(self) -> None:
        """Close every listener and channel."""
        self.over = True
        self._stop_listening()
        for end in list(self.ends):
            end.close()

    def sever(self) -> None:
        """Let the node have crashed: nothing of it leaves any more, and peers may find out."""
        self.over = self.severed = True
        self._stop_listening()
        for end in list(self.ends):
            end.sever()

    def wire_to(self, other: NodeNetwork) -> Wire:
        """Return the wire to another node."""
        return self.network.wire(self.name, other.name)

    def conditions_to(self, other: NodeNetwork) -> Conditions:
        """Return the conditions on the wire to another node."""
        return self.wire_to(other).conditions

    def linger(self, end: End) -> None:
        """Let a channel that was closed before it stood carry its messages a little longer."""
        bound = (self.network.conditions or Conditions()).linger_seconds
        call_at(self.hub, self.hub.now + bound, _give_up, end)

    def note(self, words: str) -> None:
        """Put something about this node's connections into the trace."""
        self.hub.trace.add(Event(self.hub.now, "link", self.name, 0, "", "", words))

    def _stop_listening(self) -> None:
        for listener in list(self.network.listening):
            if listener.node is self:
                listener.close()
        for member in list(self.network.members):
            if member.node is self:
                member.close()

    def _check_key(self, url: PeerUrl, secret_key: bytes | None) -> None:
        if url.scheme == "tcp" and secret_key is None:
            raise PeerAddressError(f"{_shown(url)}: tcp needs the secret key of this node")

    def _public(self, secret_key: bytes | None) -> bytes:
        assert secret_key is not None
        return self.network.public_key_of(secret_key)


class _Dial:
    """The attempts of one channel to reach its peer."""

    def __init__(self, node: NodeNetwork, url: PeerUrl, key: bytes | None, end: End) -> None:
        self._node = node
        self._network = node.network
        self._url = url
        self._key = key
        self._end = end
        self._tries = 0

    def attempt(self) -> None:
        """See whether somebody listens, and if so shake hands, which takes three ways."""
        if self._is_over():
            return
        listener = self._reachable()
        if listener is None:
            if self._network.find(self._url) is None:
                self._end.unreached("nobody listens there")
            self._try_later()
            return
        there = self._node.wire_to(listener.node)
        back = listener.node.wire_to(self._node)
        due = self._node.hub.now + there.delay() + back.delay() + there.delay()
        call_at(self._node.hub, due, self._stand)

    def _is_over(self) -> bool:
        end = self._end
        return end.other is not None or not (
            end.condition is OPEN or (end.condition is CLOSED and not end.out.empty)
        )

    def _reachable(self) -> SimulatedListener | None:
        listener = self._network.find(self._url)
        if listener is None:
            return None
        there = self._node.wire_to(listener.node)
        back = listener.node.wire_to(self._node)
        return None if there.blocks or back.blocks else listener

    def _try_later(self) -> None:
        bounds = self._network.conditions or Conditions()
        pause = min(bounds.retry_seconds * 2.0**self._tries, bounds.retry_seconds_max)
        self._tries = min(self._tries + 1, 30)
        hub = self._node.hub
        call_at(hub, hub.now + pause * (0.5 + hub.dice.random()), self.attempt)

    def _stand(self) -> None:
        """Both sides know each other, unless something came between."""
        if self._is_over():
            return
        listener = self._reachable()
        if listener is None:
            self._try_later()
        elif listener.key != self._url.key:
            self._end.tell("the peer there has another key than the URL says")
        elif self._key is not None and not listener.admits(self._key, self._node.name):
            self._end.tell("the peer does not admit the key of this node")
        else:
            words = f"{self._url.scheme} from {self._node.name}"
            far = End(listener.node, self._key, words, self._node.conditions_to(listener.node))
            far.listener = listener
            self._node.note(f"connects to {self._end.words} of {listener.node.name}")
            self._end.unreached("")
            self._end.join(far)


def _give_up(end: End) -> None:
    if end.other is None:
        end.out.stop()


def _collide(one: PeerUrl, other: PeerUrl) -> bool:
    """Whether two addresses mean the same place."""
    if one.scheme != other.scheme or one.scheme == "ipc":
        return one.scheme == other.scheme and one.path == other.path
    hosts = {_LOOPBACK if url.host in _SAME_HOST else url.host for url in (one, other)}
    return one.port == other.port and (len(hosts) == 1 or not hosts.isdisjoint(_EVERYWHERE))


def _shown(url: PeerUrl) -> str:
    """A URL without its key, which says nothing to a reader of logs."""
    if url.scheme == "ipc":
        return str(url)
    return str(PeerUrl("tcp", url.host, url.port))
