"""Creating objects: by message, and line by line from an rc file."""

from __future__ import annotations

import logging
import os
import sys
from contextvars import Context
from typing import Any

from vista.api import (
    classes,
    create,
    current_user,
    delete,
    id_of,
    import_object,
    kill,
    peers,
    post,
    resume,
    self_ref,
    service,
    statistics,
    suspend,
    timeout,
    wait,
)
from vista.errors import AccessDenied, NoSuchClass, RcError, ServiceTaken, ThreadKilled
from vista.ids import Id
from vista.kernel import inspection
from vista.kernel.access import AccessControlList
from vista.kernel.current import kernel
from vista.kernel.objects import ClassName, Object
from vista.kernel.refs import Ref
from vista.kernel.rows import ClassRow, ObjectRow, PeerRow, ServiceRow, ThreadRow
from vista.mobility.code import ClassCode, class_code, take_class
from vista.mobility.kept import keep_code
from vista.peering.bringing import bring_class, check_user, with_class_of
from vista.peering.connections import peering_of
from vista.peering.copying import take_copy
from vista.peering.moves import moves_of, sender_node
from vista.standard.installed import ClassWord
from vista.standard.loading import find_class
from vista.standard.rc_arguments import FileName
from vista.standard.rc_grammar import Variables
from vista.standard.rc_run import RcRun, RcSource
from vista.standard.turns import Ending

BOOT_SECONDS_MAX = 3600.0
"""How long `boot` waits for the end of a file: more than any start takes, and less than for
ever."""

_log = logging.getLogger("vista.rc")


class ObjectCreator(Object, namespace="Standard"):
    """Creates objects on its node when it is sent a message.

    There is one on each node, made with it, as the service ``ObjectCreator``; its Id names the
    node everywhere. No rc line creates it. The original's ObjectCreator.
    """

    def create(self) -> None:
        """Refuse: a node makes its one ObjectCreator itself. Raises `ServiceTaken`."""
        raise ServiceTaken("this node has an ObjectCreator already")

    def create_object(
        self,
        class_name: ClassWord,
        acl: AccessControlList | None = None,
        *arguments: Any,
        **named: Any,
    ) -> Ref:
        """Create an object and return its Ref.

        ``class_name`` is a name (any name space, newest version), ``Space.Name`` or ``[name space,
        name, version]``. ``acl`` guards the object; None means the node's default. ``arguments``
        and ``named`` go to the class's ``create``. A class that is not known is looked for among
        the installed ones and by the service ``AutomaticClassLoader``. Raises `NoSuchClass`, and
        whatever ``create`` raises.
        """
        entry = find_class(kernel(), class_name)
        made: Ref = kernel().create(entry.cls, arguments, named, acl)
        return made

    def create_object_once(
        self,
        token: bytes,
        class_name: ClassWord,
        acl: AccessControlList | None = None,
        *arguments: Any,
        **named: Any,
    ) -> Ref:
        """Create an object as `create_object` does, unless it was for the same ``token``.

        Then that one is returned, if it is there still: for another node that asks again because it
        lost the answer. ``token`` are any bytes, best 16 by chance.
        """
        return peering_of(kernel()).creations.make_once(
            token, lambda: self.create_object(class_name, acl, *arguments, **named)
        )

    def import_object(self, data: bytes) -> Ref:
        """Make an object from its encoding, with the Id it had, and return its Ref.

        A class that is unknown here is asked for from the node that sent the message, if its code
        may run here. Raises `NoSuchClass`, and what `vista.import_object` raises.
        """
        return with_class_of(kernel(), data, lambda: import_object(data))

    def knows_class(self, class_name: ClassWord) -> bool:
        """Return whether a class is known on the node. None is looked for."""
        try:
            kernel().classes.resolve(class_name)
        except NoSuchClass:
            return False
        return True

    def get_class_code(self, class_name: ClassWord) -> ClassCode:
        """Return the code of a class that is known on the node, as `offer_class_code` takes it.

        Raises `NoSuchClass` for one that is unknown or part of vista, `BadValueError` for more code
        than the limits allow, and `NotAValueError` for a class without source that refers to
        something which cannot leave its process.
        """
        home = kernel()
        cls = home.classes.resolve(class_name).cls
        # All modules that it imports are read and parsed; the loop would stand still so long.
        code: ClassCode = wait(home.hub.run_native(Context(), lambda: class_code(cls, home.limits)))
        return code

    def offer_class_code(self, code: ClassCode) -> ClassName:
        """Take the code of a class and make the class known on the node.

        Its module is run here, once for each content. It takes the place of a class with its name
        and version for objects made from then on. Needs the right ``code``. Raises
        `AccessDenied`, `RemoteProtocolError` for code that is not whole, `ClassDefinitionError` for
        source that is not Python, `NoSuchClass` when a module that it needs is missing, and what
        running it raises; then nothing of it is left.
        """
        check_user(kernel(), current_user())
        name = take_class(kernel(), code).class_name
        keep_code(kernel(), code)
        return name

    def bring_class(self, creator: Ref, class_name: ClassWord) -> bool:
        """Have the node of an ObjectCreator take a class it lacks, as `vista.create` does.

        Returns whether it lacked the class and has it now; false also when it is unknown here.
        Raises `AccessDenied` when that node takes no code of this one.
        """
        return bring_class(kernel(), creator, class_name)

    def prepare_object(
        self,
        data: bytes,
        acl: AccessControlList | None,
        services: list[str],
        watchers: list[Any],
        token: bytes,
        likeness: bytes = b"",
    ) -> bytes:
        """Take the state of an object that is to move here. Used by `vista.move`."""
        home, origin = kernel(), sender_node(kernel())
        prepare = moves_of(home).prepare
        return with_class_of(
            home, data, lambda: prepare(data, acl, services, watchers, (origin, token), likeness)
        )

    def commit_object(self, id: Id, token: bytes) -> None:
        """Let an object that was prepared live here. Used by `vista.move`."""
        moves_of(kernel()).commit(id, token)

    def take_object(
        self,
        data: bytes,
        acl: AccessControlList | None,
        services: list[str],
        watchers: list[Any],
        token: bytes,
        run: bytes,
        likeness: bytes = b"",
    ) -> None:
        """Let an object of another node live here. Used by `vista.move`."""
        home = kernel()
        departure, take = (sender_node(home), token, run), moves_of(home).take
        with_class_of(home, data, lambda: take(data, acl, services, watchers, departure, likeness))

    def discard_object(self, id: bytes, token: bytes) -> None:
        """Forget a move, of which the old home knows how it ended. Used by `vista.move`."""
        moves_of(kernel()).discard(id, token)

    def took_object(self, id: Id, token: bytes, run: bytes) -> bool:
        """Return whether a move was committed here. Used by `vista.move`."""
        return moves_of(kernel()).took(id, token, run)

    def is_leaving(self, id: Id, token: bytes) -> bool:
        """Return whether this node does not know how a move of it ended. Used by `vista.move`."""
        return peering_of(kernel()).departures.is_leaving(id, token)

    def release_object(self, target: Ref | Id | str) -> None:
        """Let an object here move on though the node it came from may not know that it came.

        ``target`` is its Ref, its Id or a service name. For one whose earlier node is gone for good
        in the midst of the move: `vista.move` raises `PeerLost` then and says so. If that node
        comes back after this one fell, the object may be there as well. Raises `AccessDenied` for
        another than the node's own user, unless the ObjectCreator has an access list, which then
        decides.
        """
        self._administer("release an object of this node")
        moves_of(kernel()).release(id_of(target))

    def take_copy(self, data: bytes, acl: AccessControlList | None) -> Ref:
        """Make a copy of an object of another node, with its Id. Used by `vista.copy`."""
        return take_copy(kernel(), data, acl)

    def locate_object(self, id: Id) -> Ref | None:
        """Return the ObjectCreator of the node where an object is, None if this one knows none."""
        return moves_of(kernel()).locate(id)

    def has_copy(self, id: Id) -> bool:
        """Return whether a copy of an object is here whose original is on another node."""
        return moves_of(kernel()).has_copy(id)

    def list_objects(
        self, pattern: str = "*", first: int = 0, most: int | None = None
    ) -> list[ObjectRow]:
        """Return the objects of the node; see `vista.objects`.

        ``pattern`` is that of the names of their classes, such as ``Local.*``; ``first`` are passed
        over, then at most ``most`` follow.
        """
        return inspection.object_rows(kernel(), pattern, first, most)

    def find_object(self, id: Id) -> ObjectRow | None:
        """Return the row of one object as `list_objects` has it, None when it is not here."""
        return inspection.object_row(kernel(), id)

    def list_threads(
        self, object: Id | None = None, first: int = 0, most: int | None = None
    ) -> list[ThreadRow]:
        """Return the live threads of the node; see `vista.threads`.

        ``object`` leaves those in other objects out; ``first`` are passed over, then at most
        ``most`` follow.
        """
        return inspection.thread_rows(kernel(), object, first, most)

    def list_services(self, first: int = 0, most: int | None = None) -> list[ServiceRow]:
        """Return the service names of the node; see `vista.services`.

        ``first`` are passed over, then at most ``most`` follow.
        """
        return inspection.service_rows(kernel(), first, most)

    def list_classes(self) -> list[ClassRow]:
        """Return the classes the node knows; see `vista.classes`."""
        return classes()

    def describe_class(self, class_name: ClassWord) -> dict[str, Any]:
        """Return what a class known on the node is, as a dict.

        Keys: class (its `ClassName`), doc, bases (nearest first), signature (that of ``create``)
        and methods (message names to `MethodRow`). Raises `NoSuchClass`; none is looked for.
        """
        return inspection.class_description(kernel().classes.resolve(class_name))

    def list_peers(self) -> list[Ref]:
        """Return the ObjectCreators of the nodes that this one can reach; see `vista.peers`."""
        return peers()

    def describe_peers(self) -> list[PeerRow]:
        """Return how each node that this one can reach is reached, the nearest first."""
        elsewhere = kernel().elsewhere
        return [] if elsewhere is None else elsewhere.peer_rows()

    def get_name(self) -> str:
        """Return what the node is called, for people."""
        return kernel().name

    def get_statistics(self) -> dict[str, Any]:
        """Return what the node counts; see `vista.statistics`."""
        return statistics()

    def lookup_service(self, name: str) -> Ref:
        """Return the provider of a service as this node finds it. Raises `NoSuchService`."""
        return service(name)

    def kill_thread(self, thread: Id) -> None:
        """End a live thread of the node; see `vista.kill`."""
        self._administer("kill a thread of this node")
        kill(thread)

    def suspend_thread(self, thread: Id) -> None:
        """Hold a live thread of the node until `resume_thread`; see `vista.suspend`."""
        self._administer("suspend a thread of this node")
        suspend(thread)

    def resume_thread(self, thread: Id) -> None:
        """Let a suspended thread of the node go on; see `vista.resume`."""
        self._administer("resume a thread of this node")
        resume(thread)

    def _administer(self, what: str) -> None:
        user = current_user()
        if user != kernel().user and self.get_acl() is None:
            raise AccessDenied(f"user {user!r} may not {what}")

    def shutdown(self) -> None:
        """Stop the node: its threads are drained and ``vista FILE`` ends with exit code 0.

        Raises `AccessDenied` for another than the node's own user, unless the object has an access
        list, which then decides.
        """
        self._administer("stop this node")
        kernel().request_stop("shutdown was sent to the ObjectCreator")


class CreateObjects(Object, namespace="Standard"):
    """Runs an rc file: creates one object a line, in order.

    ::

        CreateObjects more.rc

    ``file_name_or_io_object`` is a file name, a ``file:`` address, or an object with
    ``read_bytes`` (an IOobject or an allomorphic one). ``extra_environment`` is added to the
    environment's variables. ``default_acl`` guards every object made; None means the node's
    default. ``arguments`` are ``$1``, ``$2`` and so on; None means those of the command line.

    The file runs in a thread of its own. A line that fails stops it and deletes what it made, last
    first, unless ``keep_going`` is true: then the mistake is logged and the next line is run. At
    the end the object deletes itself, unless ``dont_auto_delete`` is true. A caller that wants to
    wait for the end says so and calls `get_line_total`.

    The original's CreateObjects.
    """

    def create(
        self,
        file_name_or_io_object: FileName | Ref,
        extra_environment: dict[str, str] | None = None,
        default_acl: AccessControlList | None = None,
        dont_auto_delete: bool = False,
        arguments: list[str] | None = None,
        keep_going: bool = False,
    ) -> None:
        """Begin to run the file."""
        self.dont_auto_delete = dont_auto_delete
        self.names: dict[str, Ref] = {}
        self.waiting = 0
        if arguments is None:
            arguments = list(kernel().settings.get("arguments", ()))
        environment = {**os.environ, **(extra_environment or {})}
        self._source = RcSource(file_name_or_io_object)
        variables = Variables(environment, self._source.name, arguments)
        self._run = RcRun(kernel(), self._source, variables, default_acl, keep_going)
        self._ending = Ending(kernel().hub.loop)
        self.started = False
        post(self_ref(self), "process_file")

    def process_file(self) -> None:
        """Run the file. The object sends this to itself; later calls do nothing."""
        if self.started:
            return
        self.started = True
        try:
            self._ending.end(self._run.run(self.names))
        except RcError as error:
            self._ending.end(error=error)
            if not self.dont_auto_delete:
                for line in str(error).splitlines():
                    _log.error("%s", line)
        finally:
            # Whatever else ended the thread must reach those who wait for it.
            raised = sys.exception()
            killed = ThreadKilled("the boot was killed")
            self._ending.end(error=raised if isinstance(raised, Exception) else killed)
            self._leave()

    def get_line_total(self) -> int:
        """How many lines the file has. Waits until all of them are processed.

        Raises `RcError` when a line failed and the rest was given up: one line of text for each
        mistake, ``file:line:column: what was wrong``.
        """
        self.waiting += 1
        try:
            return int(str(self._ending.wait()))
        finally:
            self.waiting -= 1
            self._leave()

    def get_names(self) -> dict[str, Ref]:
        """The objects that the file keeps under names (``name = Class ...``), so far."""
        return dict(self.names)

    def _leave(self) -> None:
        if self._ending.ended and not self.waiting and not self.dont_auto_delete:
            post(self_ref(self), "delete_yourself")


def boot(
    file_name: str, arguments: list[str] | None = None, *, keep_going: bool = False
) -> dict[str, Ref]:
    """Run an rc file to its end on the node of the calling thread.

    The arguments are those of `CreateObjects`. Returns the objects that the file keeps under names.
    Waits as long as it takes, an hour at most: each line has its own bound,
    ``limits.call_seconds``. Raises `RcError`.
    """
    with timeout(BOOT_SECONDS_MAX):
        runner = create(CreateObjects, file_name, None, None, True, arguments, keep_going)
        runner.get_line_total()
        names: dict[str, Ref] = runner.get_names()
        delete(runner)
    return names
