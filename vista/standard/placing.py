"""The nodes of a mesh as one place: linking processes, and an object on each of the nodes."""

from __future__ import annotations

import logging
from typing import Any, Final

from vista.api import create, current_user, here, ref_of, sleep
from vista.errors import (
    AccessDenied,
    BadValueError,
    NoSuchClass,
    NoSuchObject,
    PeerLost,
    ThreadKilled,
)
from vista.ids import node_text
from vista.kernel.classes import ClassEntry
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.kernel import Kernel, creator_id
from vista.kernel.methods import preemptable
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.peering.connections import connect, listen_url, peering_of
from vista.peering.links import Link
from vista.standard.installed import class_specifier
from vista.standard.loading import find_class
from vista.standard.notices import start_thread
from vista.standard.rc_arguments import bind
from vista.standard.rc_grammar import Argument
from vista.standard.rc_run import create_signature

_log = logging.getLogger("vista.peering")


class ProcessMesh(Object, namespace="Standard"):
    """Links the processes of ``vista --processes N FILE``, each with all others, as one mesh.

    No rc line creates it: the command makes one on each of its nodes.

    ``create(address, *others)`` listens at an address and keeps a link to each of the other URLs.
    The nodes that are linked are those among which objects of spread classes are placed. All
    services of the node are announced, as by AnnounceServices. Raises `PeerAddressError`,
    `KeyFileError`.
    """

    def create(self, address: str, *others: str) -> None:
        """Listen and begin to link; nothing is waited for."""
        home = kernel()
        self._peering = peering_of(home)
        self._listener = self._peering.listen(listen_url(home, address))
        self._peering.publish(())
        self._peering.watchers.append(self._note)
        self._connections = [connect(home, url) for url in others]
        for connection in self._connections:
            connection.on_linked = self._linked

    @preemptable
    def wait(self, seconds: float) -> None:
        """Wait until all links stand. Raises `CallTimeout` after ``seconds``, naming one that does
        not."""
        clock = kernel().hub.time
        due = clock() + seconds
        for connection in self._connections:
            connection.wait(max(0.0, due - clock()))

    def get_state(self) -> dict[str, bool]:
        """Return the URLs of the others, and whether each is linked."""
        return {str(connection.url): connection.is_linked for connection in self._connections}

    def _linked(self, link: Link) -> None:
        mesh, node = self._peering.mesh, link.node
        mesh.add(node)
        link.on_end.append(lambda reason: mesh.remove(node))

    def _note(self, node: bytes, via: bytes | None) -> None:
        # One that was started again has called here, or another one told of it: it is not left to
        # the end of a pause that may have grown long.
        if via is not None:
            for connection in self._connections:
                connection.hurry()

    def delete(self) -> None:
        """End the links."""
        if self._note in self._peering.watchers:
            self._peering.watchers.remove(self._note)
        self._peering.stop_listening(self._listener)
        for connection in self._connections:
            connection.close()


class CreateOnEveryNode(Object, namespace="Standard"):
    """Creates an object on this node and on every other node of its mesh, and keeps it so.

    ::

        CreateOnEveryNode JobServer words 2
        CreateOnEveryNode AnnounceServices

    ``class_name`` and the ``arguments`` are those of an rc line of the class. The nodes of the mesh
    are those linked by ``vista --processes`` and by AutomaticIPCMesh; without a mesh it is this
    node alone. A node that joins later gets its object then, one that returns gets another one if
    it has lost its own. The class is brought to nodes that lack it. Deleting this object deletes
    the others, where they can be reached.

    ``create`` waits for the objects on the nodes that are there, and raises what one of them does.
    What goes wrong later is logged, and tried again after ``limits.reconnect_seconds_min``, and
    after twice as long each next time, up to ``limits.reconnect_seconds_max``.
    """

    def create(self, class_name: str, *arguments: Any) -> None:
        """Create the objects and begin to watch the mesh."""
        home = kernel()
        entry = find_class(home, class_specifier(class_name))
        self.class_name = [entry.namespace, entry.name, entry.version]
        self.arguments = _bound(class_name, entry, arguments)
        self.deleted = False
        self._user = current_user()
        self._objects: dict[bytes, Ref] = {}
        self._looking: dict[bytes, bool] = {}
        self._peering = peering_of(home)
        self._objects[self._peering.node] = create(entry.cls, *self.arguments, at=here())
        self._peering.mesh.watchers.append(self._note)
        self._peering.watchers.append(self._note_reached)
        # Of those that join meanwhile nobody waits for an error.
        self._awaited = set(self._peering.mesh.others)
        started = [self._look(node) for node in self._peering.mesh.others]
        for future in started:
            error = None if future is None else future.exception()
            if error is not None:
                self.delete()
                raise error

    @preemptable
    def get_objects(self) -> list[Ref]:
        """Return the objects on the nodes that are in the mesh, this node's first."""
        nodes = self._peering.mesh.nodes
        return [self._objects[node] for node in nodes if node in self._objects]

    # --- keeping it so ---------------------------------------------------------------------

    def _note(self, node: bytes, joined: bool) -> None:
        if joined:
            self._look(node)

    def _note_reached(self, node: bytes, via: bytes | None) -> None:
        if via is not None and node in self._peering.mesh.others:
            self._look(node)

    def _look(self, node: bytes) -> Future | None:
        """See to the object of a node, in a thread of its own; one for a node at a time."""
        running = node in self._looking
        self._looking[node] = True
        if running:
            return None
        home: Kernel = self._record.kernel
        return start_thread(home, self._user, lambda: self._see_to(node))

    def _see_to(self, node: bytes) -> None:
        limits, said = kernel().limits, ""
        pause = limits.reconnect_seconds_min
        try:
            while self._looking[node] and not self.deleted:
                self._looking[node] = False
                # In a thread of its own: what ``create`` raises may be any error.
                error = kernel().spawn(lambda: self._provide(node), self._user).exception()
                if error is None or isinstance(error, ThreadKilled):
                    continue
                if node in self._awaited and not isinstance(error, PeerLost):
                    raise error
                if said != (said := f"{type(error).__name__}: {error}"):
                    self._complain(node, error, said)
                # The return of a node that is lost is told, and then it is looked for again. Where
                # only the way broke and there is another one, nothing will be told.
                if self._peering.link_to(node) is not None and self._is_wanted(node):
                    self._looking[node] = True
                    sleep(pause)
                    pause = min(2 * pause, limits.reconnect_seconds_max)
        finally:
            del self._looking[node]
            self._awaited.discard(node)

    def _complain(self, node: bytes, error: BaseException, words: str) -> None:
        level = logging.INFO if isinstance(error, PeerLost) else logging.WARNING
        name = self.class_name[1]
        _log.log(level, "no %s on node %s for the time being: %s", name, node_text(node), words)

    def _is_wanted(self, node: bytes) -> bool:
        return node in self._peering.mesh.others

    def _provide(self, node: bytes) -> None:
        creator = kernel().ref(creator_id(node))
        known = self._objects.get(node)
        if known is not None and _is_there(known):
            return
        # The link may break after it is made and before that is known here: asked for with the same
        # token it is made once.
        made = _made_once(creator, self._record.key, self.class_name, self.arguments)
        self._objects[node] = made
        self._forget_surplus()
        if self.deleted:
            kernel().post_quietly(made, "delete_yourself")

    def _forget_surplus(self) -> None:
        """Forget objects of nodes that left, the oldest first, when there are too many."""
        present = set(self._peering.mesh.nodes)
        gone = [node for node in self._objects if node not in present]
        for node in gone[: max(0, len(self._objects) - kernel().limits.nodes_max)]:
            del self._objects[node]

    def delete(self) -> None:
        """Delete the objects and watch no more."""
        self.deleted = True
        if self._note in self._peering.mesh.watchers:
            self._peering.mesh.watchers.remove(self._note)
        if self._note_reached in self._peering.watchers:
            self._peering.watchers.remove(self._note_reached)
        for made in self.get_objects():
            kernel().post_quietly(made, "delete_yourself")


def _made_once(creator: Ref, token: bytes, class_name: list[Any], arguments: list[Any]) -> Ref:
    """Create an object elsewhere, whose class is brought if need be; once for a token."""

    def make() -> Ref:
        made: Ref = creator.create_object_once(token, class_name, None, *arguments)
        return made

    try:
        return make()
    except NoSuchClass as unknown:
        try:
            brought = here().bring_class(creator, class_name)
        except AccessDenied as denied:
            raise NoSuchClass(f"{unknown}, and it does not take the class: {denied}") from denied
        if not brought:
            raise
    return make()


def _is_there(ref: Ref) -> bool:
    try:
        ref.class_of()
    except NoSuchObject:
        return False
    return True


class _Words:
    """What words stand for that name an object or a file (the Finder of rc_arguments)."""

    def object(self, text: str) -> Ref:
        """The object behind an Id or a service name."""
        return ref_of(text)

    def file(self, text: str) -> str:
        """The name as it is: the rc file's directory is not known here."""
        return text


_WORDS: Final = _Words()


def _bound(class_name: str, entry: ClassEntry, arguments: tuple[Any, ...]) -> list[Any]:
    """Return the arguments, converted as in an rc line if they came from one: texts and Refs."""
    if not all(isinstance(argument, str | Ref) for argument in arguments):
        return list(arguments)
    words = [Argument(argument, 1, 1) for argument in arguments]
    values, mistakes = bind(Argument(class_name, 1, 1), create_signature(entry), words, _WORDS)
    if mistakes:
        raise BadValueError("; ".join(mistake.text for mistake in mistakes))
    return values
