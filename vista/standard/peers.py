"""Peers: the rc words by which nodes become one system."""

from __future__ import annotations

import logging
import socket
from dataclasses import replace
from functools import partial
from typing import Any, Final

from vista.api import current_user, register_service, send
from vista.errors import AccessDenied, BadValueError, CallError, NoSuchObject, Overloaded
from vista.ids import Id
from vista.kernel.access import AccessControlList
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.kernel import Kernel, creator_id
from vista.kernel.methods import preemptable
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.kernel.table import Record
from vista.peering.connections import connect, listen_url, peering_of
from vista.standard.bounds import SUBSCRIBERS_MAX
from vista.standard.notices import Target, client_or_sender, notify, start_thread

_TEMPORARY_MIN: Final = 64
"""Temporary objects of a link that are not looked at for those that were deleted."""

_log = logging.getLogger("vista.peering")

_EVERYWHERE = frozenset({"*", "0.0.0.0", "::"})


class AcceptPeerConnections(Object, namespace="Standard"):
    """Lets other nodes connect to this one.

    rc line: ``AcceptPeerConnections tcp:4500``, or ``ipc``, ``ipc:NAME``, ``tcp:HOST:PORT``

    ``create(address)`` listens there. ``ipc`` is a socket in a directory of the user's own, for
    nodes of one user on one machine; ``tcp`` links are encrypted always, and a peer is let in when
    it has this node's own key or stands in ``authorized_peers``. The log tells the URL by which
    peers connect. Of all classes of this kind it alone opens a door. The original's domain name and
    secret are replaced by the keys.

    Raises `PeerAddressError` for an address that cannot be used and `KeyFileError`.
    """

    def create(self, address: str = "ipc") -> None:
        """Listen at the address."""
        node = kernel()
        self._listener = peering_of(node).listen(listen_url(node, address))
        _log.info("peers may connect: vista repl --connect %s", self.get_url())

    def get_url(self) -> str:
        """Return the URL by which peers connect."""
        url = self._listener.url
        if url.host in _EVERYWHERE:
            url = replace(url, host=socket.gethostname())
        return str(url)

    def delete(self) -> None:
        """Let no more peers connect; links that are open stay."""
        peering_of(kernel()).stop_listening(self._listener)


class ConnectToPeer(Object, namespace="Standard"):
    """Keeps a link to another node, and opens it again whenever it ends.

    rc line: ``ConnectToPeer tcp://KEY@host.example:4500``, or ``ipc:NAME``

    ``create(url)`` begins and does not wait; deleting the object ends the link. Raises
    `PeerAddressError` for what is no URL of a peer, and `KeyFileError`.
    """

    def create(self, url: str) -> None:
        """Begin to connect."""
        self._connection = connect(kernel(), url)
        words = str(self._connection.url)
        self._connection.on_trouble = lambda reason: _log.warning(
            "no link to %s: %s; it is tried again until there is one", words, reason
        )

    @preemptable
    def wait(self, seconds: float = 30.0, patient: bool = True) -> Ref:
        """Wait until the link stands and return the peer's ObjectCreator.

        Raises `CallTimeout` when it does not after ``seconds``, with the last trouble. Unless
        ``patient``, a node that is not started yet is not waited for: then `PeerLost` is raised as
        soon as it is known that nobody listens there, or that there is no way to its machine.
        """
        link = self._connection.wait(seconds, patient=patient)
        return kernel().ref(creator_id(link.node))

    def get_state(self) -> dict[str, Any]:
        """Return ``url``, ``linked``, the ``attempts`` since it was, and the last ``trouble``."""
        found = self._connection
        return {
            "url": str(found.url),
            "linked": found.is_linked,
            "attempts": found.attempts,
            "trouble": found.trouble,
        }

    def delete(self) -> None:
        """End the link."""
        self._connection.close()


class AnnounceServices(Object, namespace="Standard"):
    """Tells the peers of this node's services, so that their names serve there too.

    rc line: ``AnnounceServices``, or ``AnnounceServices Counters/* /ObjectPager``

    ``create(*patterns)`` announces the services whose names match one of the patterns (`fnmatch`'s,
    upper and lower case told apart), also those registered later. Without any it announces all but
    those that are about their own node, such as ShutdownService and Statistics.
    """

    def create(self, *patterns: str) -> None:
        """Begin to announce."""
        peering_of(kernel()).publish(patterns)

    def delete(self) -> None:
        """Announce nothing any more."""
        peering_of(kernel()).publish(None)


class PeerRegistry(Object, namespace="Standard"):
    """Tells which nodes can be reached, and who asks for it of each that comes or goes.

    rc line: ``PeerRegistry``

    ``create()`` registers service ``PeerRegistry``. Nodes are named by their ObjectCreators. A
    client that was deleted is forgotten: here at once, elsewhere when it is to be notified next and
    its node, which can be reached, has it no more.

    The original's PeerConnections told it of nodes by ``newPeer(creator, viaPeer)`` and
    ``lostPeer(creator)``. Here it is told by the routes of its node, which no message can change;
    what ``viaPeer`` was is asked by `get_via_peer`.
    """

    def create(self) -> None:
        """Register the service and begin to watch."""
        register_service("PeerRegistry", self)
        self._clients: dict[Any, str] = {}
        # Who is being told something by a call, one for each client at most.
        self._told: set[Any] = set()
        peering_of(kernel()).watchers.append(self._note)

    def list_peers(self) -> list[Ref]:
        """Return the ObjectCreators of the nodes that can be reached."""
        return peering_of(kernel()).creators()

    def get_via_peer(self, peer: Target) -> Ref | None:
        """Return the ObjectCreator of the neighbour by which the node of ``peer`` is reached.

        ``peer`` is any object that was made on that node, such as its ObjectCreator, which is
        returned itself where a link leads straight there. None when the node cannot be reached, and
        for this one.
        """
        home = kernel()
        link = peering_of(home).link_to(home.resolve(peer)._id.node)
        return None if link is None else home.ref(creator_id(link.node))

    def lookup_local_service(self, name: str) -> Ref | None:
        """Return who provides a service on this node, or None."""
        return kernel().services.get_local(name)

    def add_notify_when_peer_registered(
        self, client: Target | None = None, dump_current_list: bool = False
    ) -> None:
        """Notify a client of nodes that come and go.

        It is sent ``peer_registered(creator)`` and ``peer_unregistered(creator)``. With
        ``dump_current_list`` it gets ``peer_registered`` of all present ones first, and
        ``peer_registered(None)`` after them. Without ``client`` the sender is meant. Raises
        `Overloaded` when 1,000 are notified already.
        """
        target = client_or_sender(client)
        if target not in self._clients and len(self._clients) >= SUBSCRIBERS_MAX:
            self._forget_deleted()
        if target not in self._clients and len(self._clients) >= SUBSCRIBERS_MAX:
            raise Overloaded(f"a PeerRegistry has at most {SUBSCRIBERS_MAX} clients")
        self._clients[target] = user = current_user()
        if dump_current_list:
            for creator in [*self.list_peers(), None]:
                notify(kernel(), user, target, "peer_registered", creator)

    def remove_notify_when_peer_registered(self, client: Target | None = None) -> None:
        """Notify a client no more."""
        self._clients.pop(client_or_sender(client), None)

    def _note(self, node: bytes, via: bytes | None) -> None:
        home: Kernel = self._record.kernel
        creator = home.ref(creator_id(node))
        message = "peer_unregistered" if via is None else "peer_registered"
        self._forget_deleted()
        for client, user in self._clients.items():
            if client in self._told or not _is_elsewhere(home, client):
                notify(home, user, client, message, creator)
            else:
                # Before the thread runs: a link that ends may take many nodes with it in one turn.
                self._told.add(client)
                start_thread(home, user, partial(self._tell, client, message, creator))

    def _tell(self, client: Any, message: str, creator: Ref) -> None:
        """Notify a client of another node by a call, whose end tells whether there is one."""
        home: Kernel = self._record.kernel
        told: Future | None = None
        try:
            told = home.method_of(client, message).future(creator)  # type: ignore[attr-defined]
        except CallError as error:
            home.note_lost_post(str(error))
        finally:
            if told is None:
                self._told.discard(client)
            else:
                told.on_done(partial(self._note_told, client))

    def _note_told(self, client: Any, told: Future) -> None:
        self._told.discard(client)
        error, home = told.exception(), self._record.kernel
        if isinstance(error, NoSuchObject):
            home.note_lost_post(str(error))
            start_thread(home, home.user, partial(self._forget_if_absent, client))
        elif error is not None:
            _log.warning("%s was not told of a node: %s", client, error)

    def _forget_if_absent(self, client: Any) -> None:
        home: Kernel = self._record.kernel
        try:
            # What a method of its own raised may look the same.
            send(client, "describe")
        except NoSuchObject:
            id = home.resolve(client)._id
            peering = peering_of(home)
            # Else its node is not known any longer, which may come back.
            if peering.link_to(peering.node_of(id)) is not None:
                self._clients.pop(client, None)
        except CallError as error:
            _log.info("whether %s is there is not known: %s", client, error)

    def _forget_deleted(self) -> None:
        home: Kernel = self._record.kernel
        for client in [client for client in self._clients if _was_deleted(home, client)]:
            del self._clients[client]

    def delete(self) -> None:
        """Watch no more."""
        watchers = peering_of(kernel()).watchers
        if self._note in watchers:
            watchers.remove(self._note)


def _is_elsewhere(home: Kernel, client: Target) -> bool:
    """Whether a client is an object that this node does not have."""
    if not isinstance(client, Ref | Id):
        return False
    return not peering_of(home).moves.is_kept(home.resolve(client)._id)


def _was_deleted(home: Kernel, client: Target) -> bool:
    """Whether a client was deleted here; of one that lives elsewhere this node does not know."""
    if not isinstance(client, Ref | Id):
        return False
    ref = home.ref(client) if isinstance(client, Id) else client
    id, moves = ref._id, peering_of(home).moves
    if moves.is_kept(id) or moves.has_moved(id) or moves.has_forgotten:
        return False
    if home.pagers.closed_stores():
        # One of them may have it.
        return False
    # Of an earlier run's objects this one does not know where they went.
    was_made = home.was_here(id) and id.serial >= home.table.run_start
    return was_made or isinstance(ref._record, Record)


class PeerConnection(Object, namespace="Standard"):
    """One link to a peer, with its counters; made and deleted with the link.

    No rc line creates it. Deleting it ends the link.
    """

    def create(self, number: int) -> None:
        """Stand for the link of this number."""
        link = peering_of(kernel()).links.get(number)
        if link is None or not link.is_established:
            raise BadValueError(f"there is no link {number}")
        self._link = link
        self._temporary: list[Ref] = []
        self._looked_at = 2 * _TEMPORARY_MIN

    def get_remote_object_creator(self) -> Ref:
        """Return the peer's ObjectCreator."""
        return kernel().ref(creator_id(self._link.node))

    def get_state(self) -> dict[str, Any]:
        """Return what the link counts and how it stands.

        ``peer`` in words; ``user`` and ``rights`` it has here and ``acting_user`` this node has
        there; ``messages_sent``, ``messages_received``, ``bytes_sent``, ``bytes_received``;
        ``messages_waiting`` to leave; ``round_trip_seconds`` or None.
        """
        link, session = self._link, self._link.session
        return {
            "peer": link.words,
            "user": "" if link.grant is None else link.grant.user,
            "rights": [] if link.grant is None else sorted(link.grant.rights),
            "acting_user": link.acting_user,
            "messages_sent": link.messages_sent,
            "messages_received": link.messages_received,
            "bytes_sent": session.bytes_sent,
            "bytes_received": session.bytes_received,
            "messages_waiting": link.waiting_messages,
            "round_trip_seconds": session.round_trip_seconds,
        }

    def create_temporary_object(
        self, class_name: Any, acl: AccessControlList | None = None, *arguments: Any
    ) -> Ref:
        """Create an object here that is deleted when the link is lost, and return its Ref."""
        grant = self._link.grant
        if grant is not None and "create" not in grant.rights:
            raise AccessDenied(f"the peer of user {grant.user!r} has no right to create")
        home = kernel()
        made: Ref = home.create(class_name, arguments, {}, acl)
        if len(self._temporary) >= self._looked_at:
            # A link may last for years, and most of what is made over it ends before it.
            self._temporary = [known for known in self._temporary if not _was_deleted(home, known)]
            self._looked_at = 2 * max(len(self._temporary), _TEMPORARY_MIN)
        self._temporary.append(made)
        return made

    def delete(self) -> None:
        """End the link, if it has not, and delete the temporary objects."""
        for made in self._temporary:
            kernel().post_quietly(made, "delete_yourself")
        if self._link.ended is None:
            self._link.close("its PeerConnection was deleted")
