"""Making objects. Written out as `vista.kernel.hot` is, for the same reason: it is done often.

Measured on the 2-core test machine, Python 3.11: the object and its record take 200 ns (280 with a
call of ``Record()``), the Ref 110 (an ``__init__`` would take 350), the Id's bytes 70 (120 by
`Table.new_key`, an `Id` 220), the table 60, and the create hook, run as a thread of the new object,
300 more than a plain call. The collector adds 200 to 300: three of the objects are its business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from vista.ids import SERIAL_BYTES
from vista.kernel import monitor
from vista.kernel.access import AccessControlList, checked_acl
from vista.kernel.current import METHOD, RECORD, current
from vista.kernel.deletion import remove
from vista.kernel.futures import wait_parked
from vista.kernel.hot import ATOMS
from vista.kernel.keeping import await_created
from vista.kernel.objects import DEFINITIONS
from vista.kernel.refs import Ref, set_record
from vista.kernel.table import Record
from vista.values import copy_arguments

if TYPE_CHECKING:
    from vista.kernel.classes import ClassEntry, ClassSpecifier
    from vista.kernel.kernel import Kernel

Args = tuple[Any, ...]
Named = dict[str, Any]
Acl = AccessControlList | None

_NAMING = (type, str)

_new = object.__new__


def create_object(
    kernel: Kernel, specifier: ClassSpecifier, args: Args, kwargs: Named, acl: Acl = None
) -> Ref:
    """Make an object and run its hook, as a thread nested in the greenlet of the caller."""
    worker: Any = current()
    if worker.left <= 0 and kernel.invoker.check(worker):
        return _create_elsewhere(kernel, worker, specifier, args, kwargs, acl)
    acl = kernel.default_acl if acl is None else checked_acl(acl)
    classes = kernel.classes
    named = type(specifier) is type or isinstance(specifier, _NAMING)
    entry = classes.found.get(specifier) if named else None
    if entry is None or DEFINITIONS.count != classes.definitions:
        entry = kernel.find_class(specifier)
        if entry.is_spread and (made := _spread(kernel, worker, entry, args, kwargs, acl)):
            return made
    record = _insert(kernel, entry)
    ref = record.ref
    assert ref is not None
    if acl is not None:
        kernel.guard_of(record).acl = acl
    hook = entry.create
    if hook is None:
        return ref if not args and not kwargs else _refuse_arguments(kernel, record)
    worker.left -= 1
    parent, record.state = worker.frame, worker
    worker.frame = frame = (record, hook, parent, kernel.now)
    hook.calls += 1
    instance, run = record.instance, hook.run
    try:
        if not kwargs and len(args) == 1 and type(args[0]) in ATOMS:
            run(instance, args[0])
        else:
            args, kwargs = copy_arguments(args, kwargs)
            run(instance, *args, **kwargs)
    except BaseException as error:
        try:
            remove(kernel, record)
            outcome = kernel.invoker.failed(worker, frame, error, True)
        except RecursionError as full:
            # Not one Python frame is left: the object goes when there is room again.
            outcome, worker.frame, worker.owed = full, parent, (record, frame, worker.owed)
    else:
        worker.frame = parent
        if record.queue is None:
            record.state = record.idle
        else:
            monitor.finish(record, frame)
        if parent[RECORD].state is not worker and not parent[METHOD].preemptable:
            worker.reenter(parent)
        return ref if record.guard is None else await_created(worker, record)
    raise outcome


def _insert(kernel: Kernel, entry: ClassEntry) -> Record:
    """Put an empty object into the table: `Table.new_key` and what ``Record()`` does, in line."""
    table = kernel.table
    table._serial = serial = table._serial + 1
    if serial >= table._checked_from:
        table._serial = serial = table._checked(serial)
    record = _new(Record)
    record.state = record.idle = record.kernel = kernel
    record.queue = record.guard = record.successor = None
    record.services = ()
    record.was_left = False
    record.key = key = table.node + serial.to_bytes(SERIAL_BYTES, "big")
    record.entry = entry
    entry.created += 1
    record.instance = instance = _new(entry.cls)
    instance._record = record
    table.records[key] = record
    record.ref = ref = _new(Ref)
    set_record(ref, record)
    return record


def _spread(
    kernel: Kernel, worker: Any, entry: ClassEntry, args: Args, kwargs: Named, acl: Acl
) -> Ref | None:
    """Make an object on the node whose turn it is, None when it is this one's.

    A spread class is never among those found at once, so that others pay nothing for it.
    """
    elsewhere = kernel.elsewhere
    return None if elsewhere is None else elsewhere.create_spread(worker, entry, args, kwargs, acl)


def _refuse_arguments(kernel: Kernel, record: Record) -> NoReturn:
    remove(kernel, record)
    raise TypeError(f"{record.entry.name}.create() takes no arguments")


def _create_elsewhere(
    kernel: Kernel,
    worker: Any,
    specifier: ClassSpecifier,
    args: Args,
    kwargs: Named,
    acl: Acl,
) -> Ref:
    """Make an object in a greenlet of its own: this one has too many calls nested in it."""
    making = kernel.call_in_flight(
        worker, lambda: create_object(kernel, specifier, args, kwargs, acl)
    )
    wait_parked(worker, making)
    making.result()
    made: Ref = making.outcome
    return made
