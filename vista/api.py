"""The functions of `vista`: the same in a vista thread, in any other OS thread and at the prompt.

In a vista thread a function that waits parks the thread; elsewhere it blocks its OS thread while
the node runs in the background. In a coroutine use `vista.aio`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Token
from types import TracebackType
from typing import Any, Self

from vista.errors import AccessDenied, BadValueError, NoSuchClass
from vista.ids import Id
from vista.kernel import inspection
from vista.kernel.access import AccessControlList, default_acl_of
from vista.kernel.classes import ClassSpecifier
from vista.kernel.coroutines import wait_for
from vista.kernel.current import current
from vista.kernel.futures import Future
from vista.kernel.invoke import sender_of
from vista.kernel.kernel import creator_id
from vista.kernel.node import kernel_here
from vista.kernel.objects import ClassName, Object
from vista.kernel.refs import Ref
from vista.kernel.rows import ClassRow, ObjectRow, ServiceRow, ThreadRow
from vista.kernel.scopes import outside_bound
from vista.kernel.statistics import statistics_of
from vista.values import copy_value


def _on_kernel(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function where the kernel's data may be touched."""
    context = current()
    if context.kernel is not None:
        return function(*args, **kwargs)
    return kernel_here().from_outside(context, function, args, kwargs)


def _in_flight(function: Callable[..., Any], *args: Any) -> Any:
    """As `_on_kernel`, for what waits for nothing: a coroutine may do that too."""
    context = current()
    if context.home is not None and context.home.on_loop():
        return function(*args)
    return _on_kernel(function, *args)


# --- objects and messages ------------------------------------------------------------------


def create(
    specifier: ClassSpecifier,
    /,
    *args: Any,
    acl: AccessControlList | None = None,
    at: Ref | Id | None = None,
    **kwargs: Any,
) -> Ref:
    """Make an object and return its `Ref`.

    ``specifier`` is the class itself, a bare name (its newest version), ``"Space.Name"`` or
    ``[space, name, version]``; the other arguments go to the class's ``create``. ``acl`` is the
    object's access list. ``at`` says on which node: a Ref of its ObjectCreator, as `here` and
    `peers` return them, or of any object there. A class that is not known there is brought, if
    that node gives this one the right ``code``. When ``create`` raises, nothing of the object is
    left.

    Raises `NoSuchClass`, and whatever the class's ``create`` raises. The original's
    ``createObject`` of class ObjectCreator.
    """
    if at is not None:
        return _create_at(at, specifier, args, kwargs, acl)
    kernel = current().kernel
    if kernel is None:
        made: Ref = _on_kernel(kernel_here().create, specifier, args, kwargs, acl)
    else:
        made = kernel.create(specifier, args, kwargs, acl)
    return made


def _create_at(
    at: Any, specifier: ClassSpecifier, args: Any, kwargs: Any, acl: AccessControlList | None
) -> Ref:
    if isinstance(specifier, type):
        named = specifier.__vista_class__
        specifier = [named.namespace, named.name, named.version]
    creator = creator_at(at)
    try:
        made: Ref = send(creator, "create_object", specifier, acl, *args, **kwargs)
    except NoSuchClass as unknown:
        if not _bring(creator, specifier, unknown):
            raise
        made = send(creator, "create_object", specifier, acl, *args, **kwargs)
    return made


def _bring(creator: Ref, specifier: ClassSpecifier, unknown: NoSuchClass) -> bool:
    try:
        brought: bool = send(here(), "bring_class", creator, specifier)
    except AccessDenied as denied:
        raise NoSuchClass(f"{unknown}, and it does not take the class: {denied}") from denied
    return brought


def move(target: Any, to: Any, timeout: float = 5.0) -> Ref:
    """Move an object to another node and return its Ref, which reaches it there as before.

    ``to`` says where: the Ref of an ObjectCreator, as `here` and `peers` return them, or of any
    object born there. Threads that are in the object end first, ``timeout`` seconds at most, then
    `ObjectBusy`; messages that wait for it go along, and those still on their way are passed on, in
    their order. Access list, watchers and service names go along too. The class must be known
    there. When it raises, nothing has changed. Sends ``move_to``, which administers the object.
    """
    moved: Ref = send(target, "move_to", creator_at(to), timeout)
    return moved


def creator_at(at: Any) -> Ref:
    """Return the ObjectCreator of the node where an object was made.

    ``at`` is a Ref, an Id, the text of one or a service name; an ObjectCreator stands for itself.
    """
    id = id_of(at)
    made: Ref = _on_kernel(lambda: kernel_here().ref(creator_id(id.node)))
    return made


def delete(target: Any) -> None:
    """Delete an object: sends it ``delete_yourself``."""
    send(target, "delete_yourself")


def send(target: Any, method: str, /, *args: Any, **kwargs: Any) -> Any:
    """Send a message and wait for the result.

    ``target`` is a Ref, an Id, a vista object or a service name; ``method`` the message. Arguments
    and result are values. Raises what the method raises, or a `CallError`.
    """
    if type(target) is Ref:
        call = target.__dict__.get(method)
        if call is not None:
            return call(*args, **kwargs) if kwargs else call(*args)
    return _on_kernel(_send, target, method, args, kwargs)


def _send(target: Any, method: str, args: Any, kwargs: Any) -> Any:
    return kernel_here().method_of(target, method)(*args, **kwargs)


def post(target: Any, method: str, /, *args: Any, **kwargs: Any) -> None:
    """Send a message one way: nothing is waited for and nothing comes back.

    A message that reaches nobody, or whose method raises, is counted and logged. Raises
    `Overloaded` when too many messages wait for the object, or for the link to its node. That too
    many wait for an object elsewhere is found out there, and counted and logged there.
    """
    if type(target) is Ref:
        call = target.__dict__.get(method)
        if call is not None:
            call.post(*args, **kwargs)
            return
    _in_flight(_post, target, method, args, kwargs)


def _post(target: Any, method: str, args: Any, kwargs: Any) -> None:
    kernel_here().method_of(target, method).post(*args, **kwargs)  # type: ignore[attr-defined]


def future(target: Any, method: str, /, *args: Any, **kwargs: Any) -> Future:
    """Send a message and return a `Future` of its result at once."""
    made: Future = _in_flight(_future, target, method, args, kwargs)
    return made


def _future(target: Any, method: str, args: Any, kwargs: Any) -> Future:
    call: Any = kernel_here().method_of(target, method)
    made: Future = call.future(*args, **kwargs)
    return made


# --- waiting -------------------------------------------------------------------------------


class timeout:
    """Bound everything that waits inside the block: ``with vista.timeout(2.5): ...``

    ``seconds`` counts from the entry of the block. A call that has not answered by then ends with
    `CallTimeout` and its thread is cancelled. For calls made directly in the block it replaces
    ``limits.call_seconds`` and may be longer; an enclosing ``timeout`` is never exceeded.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds >= 0:
            raise BadValueError(f"a timeout is a number of seconds from 0, not {seconds!r}")
        self.seconds = seconds
        self._token: Token[float | None] | None = None
        self._worker: Any = None

    def __enter__(self) -> Self:
        context = current()
        due = kernel_here().hub.time() + self.seconds
        if context.kernel is None:
            outer = outside_bound.get()
            self._token = outside_bound.set(due if outer is None else min(due, outer))
            return self
        worker: Any = context
        self._worker = worker
        scopes = worker.scopes
        if scopes is None:
            scopes = worker.scopes = []
        for owner, bound in reversed(scopes):
            if owner is worker.frame:
                due = min(due, bound)
                break
        scopes.append((worker.frame, due))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._token is not None:
            outside_bound.reset(self._token)
        elif self._worker is not None and self._worker.scopes:
            self._worker.scopes.pop()


def sleep(seconds: float) -> None:
    """Wait ``seconds`` (a float from 0); other threads run meanwhile."""
    if not seconds >= 0:
        raise BadValueError(f"sleep takes a number of seconds from 0, not {seconds!r}")
    _on_kernel(_sleep, seconds)


def _sleep(seconds: float) -> None:
    kernel_here().sleep(seconds)


def wait(awaitable: Awaitable[Any], timeout: float | None = None) -> Any:
    """Wait in a plain method for an asyncio awaitable, on the node's loop, and return its result.

    ``timeout`` in seconds bounds it; then it is cancelled and `TimeoutError` raised. Killing the
    thread cancels the awaitable.
    """
    context: Any = current()
    if context.kernel is None:
        return _on_kernel(wait, awaitable, timeout)
    return wait_for(context, awaitable, timeout)


# --- who and what --------------------------------------------------------------------------


def from_object() -> Ref | None:
    """Return the object that sent the message which the calling thread runs.

    None for a one-way post and for a call from outside, as the original's nil ``fromObject``.
    """
    frame = current().frame
    sender = sender_of(frame)
    return None if sender is None or sender._record is sender._kernel.program else sender


def current_user() -> str:
    """Return the user in whose name the calling code acts: that of whoever started the thread."""
    return current().user or kernel_here().user


def current_thread() -> Id:
    """Return the Id of the calling vista thread."""
    made: Id = _on_kernel(lambda: inspection.own_thread_id(kernel_here()))
    return made


def here() -> Ref:
    """Return the ObjectCreator of the calling code's node, which stands for the node."""
    made: Ref = _on_kernel(lambda: kernel_here().make_creator())
    return made


def peers() -> list[Ref]:
    """Return the ObjectCreators of the other nodes that can be reached, each for its node."""
    found: list[Ref] = _on_kernel(_peers)
    return found


def _peers() -> list[Ref]:
    elsewhere = kernel_here().elsewhere
    return [] if elsewhere is None else elsewhere.creators()


def self_ref(instance: Object) -> Ref:
    """Return the Ref of the object whose method is running; passing ``self`` does it by itself."""
    return instance._record.kernel.ref_to(instance._record)


def id_of(target: Any) -> Id:
    """Return the Id of what a target means."""
    return ref_of(target)._id


def ref_of(target: Any) -> Ref:
    """Return the Ref of an Id, the text of an Id, a service name or a vista object."""
    if type(target) is Ref:
        return target
    made: Ref = _on_kernel(lambda: kernel_here().resolve(target))
    return made


def class_of(target: Any) -> ClassName:
    """Return the class of an object: name space, name and version."""
    made: ClassName = send(target, "class_of")
    return made


def make_default_acl(owner: str | None = None) -> AccessControlList:
    """Return the usual access list: ``owner`` may do everything, others everything but administer.

    ``owner`` is a user name, by default the user of the calling code. Messages that administer an
    object are set_acl, set_meta, upgrade, move_to, copy_to and delete_yourself. The original's
    ``makeDefaultACL()``.
    """
    return default_acl_of(current_user() if owner is None else owner)


# --- services ------------------------------------------------------------------------------


def register_service(name: str, target: Any) -> None:
    """Give an object a service name. Raises `ServiceTaken` when another object has it."""
    _on_kernel(_register, name, target)


def _register(name: str, target: Any) -> None:
    kernel = kernel_here()
    kernel.services.register(name, kernel.record_of(target))


def unregister_service(name: str) -> None:
    """Withdraw a service name. Raises `NoSuchService` when nobody has it."""
    _on_kernel(lambda: kernel_here().services.unregister(name))


def service(name: str) -> Ref:
    """Return the provider of a service. Raises `NoSuchService` with near misses."""
    made: Ref = _on_kernel(lambda: kernel_here().services.lookup(name))
    return made


def wait_for_service(name: str, timeout: float | None = None) -> Ref:
    """Wait until a service appears, ``timeout`` seconds at most, and return its provider.

    Without ``timeout`` the bound is ``limits.call_seconds``. Raises `CallTimeout`.
    """
    made: Ref = _on_kernel(lambda: kernel_here().services.wait(name, timeout))
    return made


# --- looking at the node -------------------------------------------------------------------


def services(at: Ref | Id | None = None) -> list[ServiceRow]:
    """Return the service names of a node and those that its peers announce, by name.

    Of equal names that of the nearest provider, whom `service` returns, stands first.
    ``at`` says of which node, as in `create`; by default of the calling code's own.
    """
    if at is not None:
        made: list[ServiceRow] = send(creator_at(at), "list_services")
        return made
    rows: list[ServiceRow] = _on_kernel(lambda: inspection.service_rows(kernel_here()))
    return rows


def threads(at: Ref | Id | None = None) -> list[ThreadRow]:
    """Return the live threads of a node: object, method, state, whom they wait for, stack.

    ``at`` says of which node, as in `create`; by default of the calling code's own.
    """
    if at is not None:
        made: list[ThreadRow] = send(creator_at(at), "list_threads")
        return made
    rows: list[ThreadRow] = _on_kernel(lambda: inspection.thread_rows(kernel_here()))
    return rows


def objects(at: Ref | Id | None = None) -> list[ObjectRow]:
    """Return the objects of a node, in the order they were made.

    ``at`` says of which node, as in `create`; by default of the calling code's own.
    """
    if at is not None:
        made: list[ObjectRow] = send(creator_at(at), "list_objects")
        return made
    rows: list[ObjectRow] = _on_kernel(lambda: inspection.object_rows(kernel_here()))
    return rows


def classes(at: Ref | Id | None = None) -> list[ClassRow]:
    """Return the classes a node knows, each version in a row.

    ``at`` says of which node, as in `create`; by default of the calling code's own.
    """
    if at is not None:
        made: list[ClassRow] = send(creator_at(at), "list_classes")
        return made
    rows: list[ClassRow] = _on_kernel(lambda: inspection.class_rows(kernel_here()))
    return rows


def statistics(at: Ref | Id | None = None) -> dict[str, Any]:
    """Return what a node counts, as a dict. Counts start with the node; times are in seconds.

    ``at`` says which node's, as in `create`; by default the calling code's own.

    Time: ``uptime_seconds``; ``turns`` of the loop; ``loop_lag_seconds``, the mean delay of the
    last ones, and ``loop_lag_longest_seconds``, the longest ever.

    Messages: ``threads_started``, one for each method invoked; ``messages_nested``, those that ran
    at once in their caller's greenlet; ``messages_queued``, those that stood in a queue;
    ``messages_ready``, which can run now; ``messages_waiting``, whose object is busy.

    What there is: ``threads_live``, ``workers_idle`` (greenlets kept for the next message),
    ``timers``, ``objects``, ``objects_by_class``, ``services``.

    ``methods``: for each method called, as ``Space.Class/version.method``, its ``calls`` and, of a
    sample, ``timed_calls``, ``timed_seconds``, ``longest_seconds``, and ``p50_seconds`` and
    ``p99_seconds``, within which a half and 99 in 100 of them ended (at most a quarter too high),
    from start to end with what it waited. The sample is one nested call in 64 and one message in 16
    that an idle worker takes up, because a look at the clock costs a fifth of a send; counting a
    call costs 12 ns.

    What went wrong: ``access_denied``; ``posts_failed``, whose method raised; ``posts_lost``, which
    reached no method; ``overloads``, refused by a full queue; ``slow_methods``, which held the loop
    longer than ``limits.slow_method_seconds``.

    Standard classes add counters under the original system's names, such as ``IOtotalFileReads``.
    """
    if at is not None:
        told: dict[str, Any] = send(creator_at(at), "get_statistics")
        return told
    made: dict[str, Any] = _on_kernel(lambda: copy_value(statistics_of(kernel_here())))
    return made


def kill(thread: Id | str) -> None:
    """End a live thread; its caller gets `ThreadKilled`, and what it called is cancelled too."""
    _on_thread("kill_thread", thread)


def suspend(thread: Id | str) -> None:
    """Hold a live thread until `resume`; its object lets others in meanwhile."""
    _on_thread("suspend_thread", thread)


def resume(thread: Id | str) -> None:
    """Let a suspended thread go on."""
    _on_thread("resume_thread", thread)


def _on_thread(action: str, thread: Id | str) -> None:
    """Do something to a thread where it lives: the Id of a thread begins with its node's."""
    id = thread if isinstance(thread, Id) else Id.parse(str(thread))
    _on_kernel(_on_thread_there, action, id)


def _on_thread_there(action: str, id: Id) -> None:
    kernel = kernel_here()
    if kernel.elsewhere is None or id.node == kernel.table.node:
        getattr(inspection, action)(kernel, id)
    else:
        send(kernel.ref(creator_id(id.node)), action, id)


# --- encoding ------------------------------------------------------------------------------


def encode_object(target: Any) -> bytes:
    """Return the bytes from which `import_object` makes the object again: sends encode_object."""
    made: bytes = send(target, "encode_object")
    return made


def import_object(data: bytes) -> Ref:
    """Make an object from its encoding, with the same Id, and return its Ref.

    Raises `RemoteProtocolError` when ``data`` is no encoding, `NoSuchClass`, and `BadValueError`
    when the object is here, or in a store here. The original's ``importObject`` of ObjectCreator.
    """
    made: Ref = _on_kernel(lambda: kernel_here().import_object(data))
    return made
