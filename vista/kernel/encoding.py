"""Encoding objects: the bytes from which an object can be made again, here or elsewhere.

An encoding is the canonical form of [format, name space, class, version, Id, variables] with the
variables sorted by name: the same state gives the same bytes in any process. The order of a dict's
entries is part of the state, that of a set's members is not.

A class may have two hooks: ``encode(self)`` returns the variables to keep (a dict from names to
values; all instance variables otherwise), and ``object_imported(self)`` is called after an import.
"""

from __future__ import annotations

from functools import lru_cache
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, Final

from vista.errors import BadValueError, NotAValueError, RemoteProtocolError
from vista.ids import ID_BYTES, Id
from vista.kernel.deletion import remove
from vista.records import record_finder
from vista.wire.codec import Codec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from vista.kernel.classes import ClassEntry
    from vista.kernel.kernel import Kernel
    from vista.kernel.objects import Object
    from vista.kernel.table import Record

FORMAT: Final = 1
"""Version of the layout; another one is refused."""


def variables_of(instance: Object) -> dict[str, Any]:
    """Return the instance variables of an object by name, sorted; those in slots included."""
    cls: type = type(instance)
    found: dict[str, Any] = dict(instance.__dict__ if _has_dict(instance) else ())
    for name, slot in _slots(cls).items():
        try:
            found[name] = slot.__get__(instance)
        except AttributeError:
            # A slot that nothing was put into is no variable.
            continue
    return dict(sorted(found.items()))


def set_variables(instance: Object, state: dict[str, Any]) -> None:
    """Put variables into an instance, past properties and ``__setattr__`` of its class.

    Raises `BadValueError` for one that a class with ``__slots__`` only has no place for.
    """
    cls: type = type(instance)
    slots = _slots(cls)
    own = instance.__dict__ if _has_dict(instance) else None
    for name, value in state.items():
        if name in slots:
            slots[name].__set__(instance, value)
        elif own is not None:
            own[name] = value
        else:
            raise BadValueError(f"{type(instance).__name__} has no place for variable {name!r}")


def _has_dict(instance: Object) -> bool:
    # Asked of the type: to ask the instance may run a __getattr__ of its class.
    return type(instance).__dictoffset__ != 0


@lru_cache(maxsize=1024)  # to look through a class and its ancestors takes 12 us, at each message
def _slots(cls: type) -> Mapping[str, MemberDescriptorType]:
    """Return the slots of a class by the names they have: ``__x`` stands there as ``_Cls__x``."""
    found = {
        name: slot
        for base in reversed(cls.__mro__)
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    }
    found.pop("_record", None)
    return found


def encode_record(record: Record) -> bytes:
    """Return the encoding of an object.

    Raises `NotAValueError` naming the variable when one is no value.
    """
    entry = record.entry
    hook = getattr(record.instance, "encode", None)
    state = variables_of(record.instance) if hook is None else hook()
    if not isinstance(state, dict) or not _are_names(state):
        raise NotAValueError(
            f"{entry.full_name}.encode() must return a dict from names of variables to values, "
            f"not {state!r}"
        )
    body = [FORMAT, entry.namespace, entry.name, entry.version, bytes(record.id)]
    encode = record.kernel.codec.encode_canonical
    try:
        return encode([*body, dict(sorted(state.items()))])
    except NotAValueError as error:
        text = str(error).replace("value[5]", entry.name)
        raise NotAValueError(f"{record} cannot be encoded: {text}") from None


def import_record(kernel: Kernel, data: bytes) -> Record:
    """Make an object from its encoding, with the same Id.

    Raises `RemoteProtocolError` when ``data`` is no encoding, `NoSuchClass` when its class version
    is not to be had, and `BadValueError` when an object with this Id is here already, or waits in a
    store of this node.
    """
    entry, id, state = read_encoding(kernel, data)
    if id in kernel.table.records or kernel.pagers.have_stored(id):
        raise BadValueError(f"object {id} is here already; delete it before importing it")
    record = revive(kernel, entry, id, state)
    if "object_imported" in entry.methods:
        kernel.post_quietly(record.ref, "object_imported")
    return record


def read_encoding(kernel: Kernel, data: bytes) -> tuple[ClassEntry, Id, dict[str, Any]]:
    """Return the class, the Id and the variables that an encoding holds.

    Raises `RemoteProtocolError` when ``data`` is no encoding and `NoSuchClass`.
    """

    def find(id: Id, namespace: str, name: str, version: int) -> ClassEntry:
        return kernel.find_class((namespace, name, version))

    entry, id, _, state = read_with_class(kernel, data, find)
    return entry, id, state


def read_with_class(
    kernel: Kernel, data: bytes, find: Callable[[Id, str, str, int], ClassEntry]
) -> tuple[ClassEntry, Id, int, dict[str, Any]]:
    """Return the class, the Id, the class's version that was encoded, and the variables.

    ``find(id, namespace, name, version)`` finds the class, or raises `NoSuchClass`. Variables may
    hold records of modules that come with it, or of an earlier state of its class file, so it is
    found first where they cannot be read.
    Raises `RemoteProtocolError` when ``data`` is no encoding.
    """
    try:
        namespace, name, version, id, state = parts_of_encoding(kernel, data)
    except RemoteProtocolError:
        entry = find(*head_of_encoding(kernel, data))
        codec = Codec(kernel.ref, record_finder(entry.cls), kernel.limits)
        _, _, version, id, state = _parts(codec, data)
        return entry, id, version, state
    return find(id, namespace, name, version), id, version, state


def head_of_encoding(kernel: Kernel, data: bytes) -> tuple[Id, str, str, int]:
    """Return the Id, and name space, name and version of the class; no variables are read.

    Raises `RemoteProtocolError` when ``data`` does not begin as an encoding does.
    """
    form, namespace, name, version, number = kernel.codec.decode_atoms(bytes(data), 5)
    if form != FORMAT or not _well_formed(namespace, name, version, number, {}):
        raise RemoteProtocolError(f"not an encoded object of format {FORMAT}")
    return Id(number), namespace, name, version


def parts_of_encoding(kernel: Kernel, data: bytes) -> tuple[str, str, int, Id, dict[str, Any]]:
    """Return name space, class name, version, Id and variables, whether the class is here or not.

    Raises `RemoteProtocolError` when ``data`` is no encoding.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise BadValueError(f"an encoded object is bytes, not {type(data).__name__}")
    return _parts(kernel.codec, data)


def _parts(codec: Codec, data: bytes) -> tuple[str, str, int, Id, dict[str, Any]]:
    decoded = codec.decode(bytes(data))
    if not isinstance(decoded, list) or len(decoded) != 6 or decoded[0] != FORMAT:
        raise RemoteProtocolError(f"not an encoded object of format {FORMAT}")
    _, namespace, name, version, number, state = decoded
    if not _well_formed(namespace, name, version, number, state):
        raise RemoteProtocolError("not an encoded object: its parts have other types")
    return namespace, name, version, Id(number), state


def revive(kernel: Kernel, entry: ClassEntry, id: Id, state: dict[str, Any]) -> Record:
    """Make an object of a class with an Id and variables that it had before.

    Raises `RemoteProtocolError` for variables that the class has no place for, and `Overloaded`
    for too many Ids that this node never gave.
    """
    kernel.table.reserve(id)
    record = kernel.add_record(entry, id)
    entry.created += 1
    try:
        set_variables(record.instance, state)
    except BadValueError as error:
        remove(kernel, record)
        raise RemoteProtocolError(f"not an encoded {entry.full_name}: {error}") from None
    if kernel.default_acl is not None:
        kernel.guard_of(record).acl = kernel.default_acl
    return record


def _well_formed(namespace: Any, name: Any, version: Any, number: Any, state: Any) -> bool:
    return (
        isinstance(namespace, str)
        and isinstance(name, str)
        and type(version) is int
        and isinstance(number, bytes)
        and len(number) == ID_BYTES
        and isinstance(state, dict)
        and _are_names(state)
    )


def _are_names(state: dict[Any, Any]) -> bool:
    """Whether all keys may name instance variables: not what Python or the runtime keep there."""
    return all(
        isinstance(key, str) and not key.startswith("__") and key != "_record" for key in state
    )
