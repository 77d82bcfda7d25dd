"""The kernel: the local runtime of one node, made of the parts of this package.

Everything runs on the loop's OS thread; other threads get in by `Kernel.from_outside` and wait.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from vista.errors import (
    BadValueError,
    CallError,
    InternalError,
    NoSuchClass,
    NoSuchMethod,
    NoSuchObject,
    ObjectDeleted,
    UsageError,
    WrongContextError,
)
from vista.ids import NODE_BYTES, Id
from vista.kernel import encoding, monitor, upgrade
from vista.kernel.access import AccessControlList
from vista.kernel.classes import ClassEntry, ClassSpecifier, ClassTable, parts_of
from vista.kernel.creation import create_object
from vista.kernel.current import (
    BesideContext,
    Context,
    Frame,
    current,
)
from vista.kernel.deletion import remove
from vista.kernel.elsewhere import Elsewhere
from vista.kernel.futures import Errand, Future
from vista.kernel.guard import Guard, administer, unanswered
from vista.kernel.hot import work
from vista.kernel.hub import Hub
from vista.kernel.identity import Identity
from vista.kernel.inspection import ThreadIds
from vista.kernel.invoke import Invoker, Message
from vista.kernel.keeping import Pager, Pagers
from vista.kernel.methods import LIFECYCLE, MethodEntry, message_name
from vista.kernel.objects import ClassName, Object
from vista.kernel.refs import Ref, keep_call, make_ref
from vista.kernel.scopes import outside_due
from vista.kernel.seldom import SeldomLog
from vista.kernel.services import ServiceTable
from vista.kernel.statistics import Counters
from vista.kernel.table import GONE, GUARDED, Absent, Record, make_table
from vista.kernel.threads import Threads, Worker
from vista.kernel.timers import Timers
from vista.kernel.unknown import missing_call
from vista.limits import Limits
from vista.records import find_record
from vista.wire.codec import Codec

CREATOR: Final = "ObjectCreator"
"""Class and service name of the one object that every node has."""

_new = object.__new__


class Program(Object, namespace="Standard", abstract=True):
    """What the threads of code outside of vista run in: a script, the prompt, an rc file."""


class Kernel:
    """The local runtime of one node.

    ``hub`` gives time, scheduling and randomness; ``limits`` the bounds; ``user`` the name in which
    code outside of vista threads acts; ``settings`` is free for those who boot the node; ``name``
    is for people; ``identity`` is who the node is, drawn by chance when it is left out.
    """

    def __init__(
        self,
        hub: Hub,
        limits: Limits,
        user: str,
        *,
        identity: bytes | Identity | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        limits.validate()
        self.hub = hub
        self.limits = limits
        self.name = "node"
        self.messages_max = limits.mailbox_messages_max
        self.user = user
        self.settings: dict[str, Any] = {} if settings is None else settings
        self.log = logging.getLogger("vista.kernel")
        self.now = self.started = hub.time()
        self.loop_thread = 0
        self.counters = Counters()
        self._lost_posts = SeldomLog(self.log, "a post was lost")
        self._refusals = SeldomLog(self.log, "access denied")
        self.timers = Timers(hub)
        self.threads = Threads(self)
        self.thread_ids = ThreadIds(self)
        self.table = make_table(identity or hub.entropy(NODE_BYTES))
        self.classes = ClassTable()
        self.services = ServiceTable(self)
        self.invoker = Invoker(self)
        self.codec = Codec(self.ref, find_record, limits)
        self.default_acl: AccessControlList | None = None
        self._deleting: set[bytes] = set()
        self.stop_requested: Callable[[str], None] | None = None
        self.elsewhere: Elsewhere | None = None
        self.pagers = Pagers(identity)
        self.on_close: list[Callable[[], None]] = []
        program = ClassEntry(Program)
        self.program = Record(self, self.table.new_id(), program, object.__new__(Program))
        self.program.instance._record = self.program
        self.outside = MethodEntry("outside", _run_function, _run_function, "Standard.Program")
        self.outside.preemptable = True

    # --- objects ---------------------------------------------------------------------------

    create = create_object

    def make_creator(self) -> Ref:
        """Return the node's ObjectCreator, made with the node; its Id names the node everywhere.

        Its serial number is 0, so that who knows a node's identity knows its ObjectCreator.
        """
        creator = self.services.get(CREATOR)
        if creator is None:
            record = self.add_record(self.find_class(CREATOR), creator_id(self.table.node))
            creator = self.ref_to(record)
            self.services.register(CREATOR, record)
        return creator

    def find_class(self, specifier: ClassSpecifier) -> ClassEntry:
        """Return a class, asking the service ``AutomaticClassLoader`` for one that is unknown.

        Raises `NoSuchClass`.
        """
        try:
            return self.classes.resolve(specifier)
        except NoSuchClass:
            loader = self.services.get("AutomaticClassLoader")
            if loader is None or current().kernel is not self:
                raise
            name = specifier if isinstance(specifier, str) else list(parts_of(specifier))
            if not loader.find_and_load_class(name):
                raise
        loaded: ClassEntry = self.classes.resolve(specifier)
        return loaded

    def add_record(self, entry: ClassEntry, id: Id) -> Record:
        """Put a new, empty object with a given Id into the table."""
        instance = object.__new__(entry.cls)
        record = Record(self, id, entry, instance)
        instance._record = record
        self.table.records[id] = record
        self.ref_to(record)
        return record

    def delete_record(self, record: Record) -> None:
        """Run the delete hook, once, and remove the object, as a thread active in it.

        A hook that raises does not keep the object alive.
        """
        administer(record, "delete_yourself")
        if record.idle is GONE or record.key in self._deleting:
            return
        self._deleting.add(record.key)
        try:
            if record.entry.delete is not None:
                record.entry.delete.run(record.instance)
        finally:
            self._deleting.discard(record.key)
            remove(self, record)

    def guard_of(self, record: Record) -> Guard:
        """Return the guard of an object, made at first use; the object leaves the hot path."""
        if record.guard is None:
            record.guard = Guard()
        if record.idle is self:
            record.idle = GUARDED
            if record.state is self:
                record.state = GUARDED
        if record.queue is None:
            record.queue = monitor.new_queue()
        return record.guard

    def upgrade_record(self, record: Record, version: int | None, seconds: float) -> ClassName:
        """Make an object one of another class version; see `Object.upgrade`."""
        return upgrade.upgrade(self, record, version, seconds).entry.class_name

    def move_record(self, record: Record, creator: Any, seconds: float) -> Ref:
        """Move an object to the node of an ObjectCreator, as the thread active in it."""
        if not isinstance(creator, Ref):
            raise BadValueError(f"an object moves to an ObjectCreator, not to {creator!r}")
        if creator._id == creator_id(self.table.node):
            return self.ref_to(record)
        if self.elsewhere is None:
            raise self.absent(creator)
        return self.elsewhere.move(record, creator, seconds)

    def import_object(self, data: bytes) -> Ref:
        """Make an object from its encoding and return its Ref."""
        return self.ref_to(encoding.import_record(self, data))

    # --- Refs and targets ------------------------------------------------------------------

    def ref_to(self, record: Record) -> Ref:
        """Return the one Ref of a local object."""
        ref = record.ref
        if ref is None:
            ref = record.ref = make_ref(record)
        return ref

    def ref(self, id: Id) -> Ref:
        """Return a Ref for an Id, whether or not an object has it."""
        record = self.table.records.get(id)
        return make_ref(Absent(self, id)) if record is None else self.ref_to(record)

    def resolve(self, target: Any) -> Ref:
        """Return the Ref that a target means: a Ref, an Id, a vista object or a service name.

        The text of an Id is taken for one when no service has that name. Raises `NoSuchService`, or
        `BadValueError` when it is none of these.
        """
        if type(target) is Ref:
            return target
        if isinstance(target, str):
            found = self.services.get(target)
            if found is None:
                found = self._ref_from_text(target)
            return found
        if isinstance(target, Id):
            return self.ref(target)
        if isinstance(target, Object):
            return self.ref_to(target._record)
        raise BadValueError(
            f"{target!r} is no target: a message goes to a Ref, an Id or a service name"
        )

    def _ref_from_text(self, text: str) -> Ref:
        try:
            return self.ref(Id.parse(text))
        except BadValueError:
            return self.services.lookup(text)

    def record_of(self, target: Any) -> Record:
        """Return the record of a local object. Raises `NoSuchObject` when there is none."""
        ref = self.resolve(target)
        record = self.table.records.get(ref._id)
        if record is None:
            raise self.absent(ref)
        return record

    def pager_of(self, id: bytes) -> Pager | None:
        """Return who can bring an object that is not here, or None."""
        for pager in self.pagers:
            if id in pager:
                return pager
        return None

    def absent(self, ref: Ref) -> NoSuchObject:
        """Return the error for a Ref whose object is not here."""
        if isinstance(ref._record, Record) or self.was_here(ref._id):
            return ObjectDeleted(f"object {ref._id} was deleted")
        return NoSuchObject(f"no object {ref._id}")

    def was_here(self, id: Id) -> bool:
        """Whether this node gave the Id to an object."""
        return id.node == self.table.node and id.serial <= self.table.serial

    def bind(self, ref: Ref, name: str) -> Any:
        """Return the function behind ``ref.name``; it is kept in the Ref if it stays right."""
        record = ref._record
        if record.idle is GONE:
            record = self.table.records.get(record.key)
        if record is None:
            return self._bind_elsewhere(ref, name)
        message = message_name(name)
        method = record.entry.methods.get(message)
        if method is None:
            method = self.method_for(record, message)
            if method is None:
                return missing_call(self, lambda: NoSuchMethod(record.entry.explain(message)), name)
            return self.invoker.bind(record, method)
        call = self.invoker.bind(record, method)
        keep_call(ref, name, call)
        return call

    def _bind_elsewhere(self, ref: Ref, name: str) -> Any:
        call = None
        pager = self.pager_of(ref._id)
        if pager is not None:
            return pager.bind(ref, name)
        elsewhere, id = self.elsewhere, ref._id
        if elsewhere is not None and (not self.was_here(id) or elsewhere.has_moved(id)):
            call = elsewhere.bind(ref, name)
        return call or missing_call(self, lambda: self.absent(ref), name)

    def method_for(self, record: Record, name: str) -> MethodEntry | None:
        """Return what runs when an object is sent ``name``, in snake_case; None when nothing does.

        Behind a guard a message that no method answers is judged first and then refused.
        """
        method = record.entry.methods.get(name) or record.entry.method_for(name)
        if method is None and record.guard is not None and name not in LIFECYCLE:
            method = unanswered(record.entry, name)
        return method

    def method_of(self, target: Any, name: str) -> Callable[..., Any]:
        """Return the function that sends ``name`` to ``target``."""
        ref = target if type(target) is Ref else self.resolve(target)
        if type(name) is not str or not name or name.startswith("_"):
            raise NoSuchMethod(f"{name!r} is no message: a name without leading underscore is")
        call: Callable[..., Any] = ref.__dict__.get(name) or self.bind(ref, name)
        return call

    def post_quietly(self, target: Any, name: str, *args: Any) -> None:
        """Post a notification; one that cannot be delivered is counted and logged, never raised."""
        try:
            self.method_of(target, name).post(*args)  # type: ignore[attr-defined]
        except (CallError, UsageError) as error:
            self.note_lost_post(str(error))

    def note_lost_post(self, text: str) -> None:
        """Count a one-way message that reached nobody, and log it once in a while."""
        self.counters.posts_lost += 1
        self._lost_posts.note(text, self.now)

    def note_refusal(self, text: str) -> None:
        """Count a message that was refused, and log it once in a while."""
        self.counters.access_denied += 1
        self._refusals.note(text, self.now)

    # --- from outside of vista threads -----------------------------------------------------

    def on_loop(self) -> bool:
        """Return whether the calling OS thread is the one that runs the loop."""
        return threading.get_ident() == self.loop_thread

    def call_soon(self, callback: Callable[..., Any], *args: Any) -> None:
        """Have the loop call something, from any OS thread.

        Raises `WrongContextError` when the node has stopped.
        """
        try:
            self.hub.loop.call_soon_threadsafe(callback, *args)
        except RuntimeError as error:
            # How every loop says that it is closed.
            raise WrongContextError("the node has stopped") from error

    def from_outside(
        self,
        context: Context,
        function: Callable[..., Any],
        args: Iterable[Any],
        kwargs: dict[str, Any],
        user: str | None = None,
    ) -> Any:
        """Run ``function`` as a vista thread for code that is in none, and block until it ends.

        Raises `WrongContextError` where blocking would stop the node itself.
        """
        if context.kernel is self:
            return function(*args, **kwargs)
        if isinstance(context, Worker):
            raise WrongContextError("this Ref belongs to another node of this process")
        if self.on_loop() or (context.home is not None and context.home.on_loop()):
            raise WrongContextError(
                "a coroutine cannot wait by itself: write await vista.aio.send(...), "
                "vista.aio.create(...) or await a future"
            )
        ended = threading.Event()
        future = self.new_errand(function)
        try:
            self.call_in_flight(context, partial(function, *args, **kwargs), user, future, ended)
            if not self.hub.block(ended, None):
                raise WrongContextError("the node has stopped")
        except KeyboardInterrupt:
            # It may come while the call is handed over, when it may have begun.
            future.cancel()
            raise
        finally:
            if isinstance(context, BesideContext) and future in context.wants:
                context.wants.remove(future)
        if future._error is None:
            return future.outcome
        raise future._error

    def new_errand(self, function: Callable[..., Any]) -> Errand:
        """Return the future of a function that is to run for code outside of vista threads."""
        return Errand(self, None, getattr(function, "__name__", "call"))

    def call_in_flight(
        self,
        context: Context,
        function: Callable[[], Any],
        user: str | None = None,
        future: Errand | None = None,
        ended: threading.Event | None = None,
    ) -> Errand:
        """Start ``function`` as a vista thread for code in ``context`` and return its future.

        The result is not copied. ``ended`` is set at its end.
        """
        future = future or self.new_errand(function)
        monitor.refuse_endless(context.frame, self.limits.chain_calls_max)
        bound = outside_due()

        def run() -> None:
            worker: Any = current()
            if bound is not None:
                worker.scopes = [(worker.frame, bound)]
            try:
                future.outcome = function()
            finally:
                worker.scopes = None

        # Outside of the turns of the loop nobody keeps the kernel's time up to date.
        future.created = self.hub.time()
        if ended is not None and isinstance(context, BesideContext):
            # Before anybody who looks for a ring of waits could miss it.
            context.wants.append(future)
        if ended is not None:
            # While nobody else knows the future. Later the loop would have to do it, and if what
            # the function started holds the loop, its caller would hear of the end only after that.
            future.on_done(lambda _: ended.set())
        acting = user or context.user or self.user
        message = self._errand(context.frame, run, future, acting)
        if self.on_loop():
            self.threads.make_ready(message)
        else:
            self.call_soon(self.threads.make_ready, message)
        return future

    def spawn(self, function: Callable[[], Any], user: str | None = None) -> Future:
        """Run ``function`` as a vista thread of its own, from the loop or before it runs.

        ``user`` is the name it acts in, by default the node's.
        """

        def run() -> None:
            future.outcome = function()

        future = self.new_errand(function)
        future.created = self.hub.loop.time()
        self.threads.make_ready(self._errand(None, run, future, user or self.user))
        return future

    def _errand(
        self, frame: Frame | None, run: Callable[[], None], future: Future, user: str
    ) -> Message:
        """Return the message that runs a function in the name of code outside."""
        return (self.program, self.outside, frame, future.created, (run,), {}, future, user, None)

    def work(self, worker: Worker) -> None:
        """Run messages as the greenlet of ``worker``."""
        work(self.invoker, worker)

    # --- time ------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        """Park the calling vista thread for ``seconds``."""
        worker: Any = current()
        number = worker.parking + 1
        timer = self.timers.call_later(seconds, partial(worker.wake, number))
        try:
            worker.park("sleep")
        finally:
            timer.cancel()

    def context_user(self) -> str:
        """Return the user in whose name the calling code acts."""
        return current().user or self.user

    def request_stop(self, reason: str = "") -> None:
        """Ask whoever runs the node to stop it in good order."""
        if self.stop_requested is None:
            raise InternalError("nobody runs this kernel")
        self.stop_requested(reason)

    def close(self) -> None:
        """Forget timers and let the idle greenlets end."""
        for close in self.on_close:
            close()
        self.timers.close()
        self.threads.close()


def creator_id(node: bytes) -> Id:
    """Return the Id of the ObjectCreator of a node, whose identity has 10 bytes."""
    return Id.make(node, 0)


def _run_function(instance: Object, function: Callable[[], Any]) -> Any:
    return function()
