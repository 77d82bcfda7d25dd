"""vista: a transparently distributed object runtime.

Every object has a global Id; objects interact only by messages; each method invocation is a
thread of its own. Start with the tutorial in the documentation, or with::

    import vista

    class Counter(vista.Object):
        def create(self, start: int = 0):
            self.value = start

        def increment(self, by: int = 1) -> int:
            self.value += by
            return self.value

    counter = vista.create("Counter", 5)
    print(counter.increment(2))
"""

from typing import TYPE_CHECKING, Any

from vista import aio
from vista.api import (
    class_of,
    classes,
    create,
    current_thread,
    current_user,
    delete,
    encode_object,
    from_object,
    future,
    here,
    id_of,
    import_object,
    kill,
    make_default_acl,
    move,
    objects,
    peers,
    post,
    ref_of,
    register_service,
    resume,
    self_ref,
    send,
    service,
    services,
    sleep,
    statistics,
    suspend,
    threads,
    timeout,
    unregister_service,
    wait,
    wait_for_service,
)
from vista.booting import connect, run
from vista.errors import (
    AccessDenied,
    BadValueError,
    CallError,
    CallTimeout,
    ClassDefinitionError,
    DeadlockError,
    InternalError,
    LocalProtocolError,
    NoSuchClass,
    NoSuchMethod,
    NoSuchObject,
    NoSuchService,
    NotAValueError,
    ObjectBusy,
    ObjectDeleted,
    Overloaded,
    PeerLost,
    ProtocolError,
    RcError,
    RemoteFailure,
    RemoteProtocolError,
    ServiceTaken,
    StoreError,
    ThreadKilled,
    UsageError,
    VistaError,
    WrongContextError,
)
from vista.ids import Id
from vista.kernel.access import AccessControlList
from vista.kernel.acting import acting_as
from vista.kernel.counting import counters
from vista.kernel.futures import Future, gather
from vista.kernel.methods import exclusive, native, preemptable
from vista.kernel.node import Node
from vista.kernel.objects import ClassName, Object
from vista.kernel.outlines import outline
from vista.kernel.refs import Ref
from vista.kernel.rows import ClassRow, MethodRow, ObjectRow, PeerRow, ServiceRow, ThreadRow
from vista.limits import Limits
from vista.mobility.copies import copy
from vista.mobility.encoded import decode_value, encode_value
from vista.peering.rights import is_peers_user
from vista.records import record

if TYPE_CHECKING:
    from vista.standard.persistence import PersistentObject

__all__ = [
    "AccessControlList",
    "AccessDenied",
    "BadValueError",
    "CallError",
    "CallTimeout",
    "ClassDefinitionError",
    "ClassName",
    "ClassRow",
    "DeadlockError",
    "Future",
    "Id",
    "InternalError",
    "Limits",
    "LocalProtocolError",
    "MethodRow",
    "NoSuchClass",
    "NoSuchMethod",
    "NoSuchObject",
    "NoSuchService",
    "Node",
    "NotAValueError",
    "Object",
    "ObjectBusy",
    "ObjectDeleted",
    "ObjectRow",
    "Overloaded",
    "PeerLost",
    "PeerRow",
    "PersistentObject",
    "ProtocolError",
    "RcError",
    "Ref",
    "RemoteFailure",
    "RemoteProtocolError",
    "ServiceRow",
    "ServiceTaken",
    "StoreError",
    "ThreadKilled",
    "ThreadRow",
    "UsageError",
    "VistaError",
    "WrongContextError",
    "acting_as",
    "aio",
    "class_of",
    "classes",
    "connect",
    "copy",
    "counters",
    "create",
    "current_thread",
    "current_user",
    "decode_value",
    "delete",
    "encode_object",
    "encode_value",
    "exclusive",
    "from_object",
    "future",
    "gather",
    "here",
    "id_of",
    "import_object",
    "is_peers_user",
    "kill",
    "make_default_acl",
    "move",
    "native",
    "objects",
    "outline",
    "peers",
    "post",
    "preemptable",
    "record",
    "ref_of",
    "register_service",
    "resume",
    "run",
    "self_ref",
    "send",
    "service",
    "services",
    "sleep",
    "statistics",
    "suspend",
    "threads",
    "timeout",
    "unregister_service",
    "wait",
    "wait_for_service",
]


def __getattr__(name: str) -> Any:
    """Return what is looked up when it is asked for, since few need it.

    ``__version__`` reads the installation's files; `PersistentObject` brings in the package that
    keeps objects, which takes 15 ms to load.
    """
    if name == "PersistentObject":
        from vista.standard.persistence import PersistentObject

        return PersistentObject
    if name == "__version__":
        from importlib.metadata import version

        return version("vista")
    raise AttributeError(f"module 'vista' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the module, those included that are looked up when asked for."""
    return sorted({*globals(), "PersistentObject"})
