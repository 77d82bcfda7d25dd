"""Copies of objects, as users ask for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vista.api import creator_at, send

if TYPE_CHECKING:
    from vista.kernel.refs import Ref


def copy(target: Any, to: Any = None) -> Ref:
    """Copy an object and return the copy's Ref.

    ``to`` says where: the Ref of an ObjectCreator, as `here` and `peers` return them, or of any
    object born there; None means where the object is. On the object's own node the copy is another
    object, with an Id of its own. On another node it is a replica and keeps the Id: whoever sends
    from there reaches the replica, whoever sends from elsewhere the original, and what changes in
    one does not change in the other. Deleting a replica lets its node reach the original again.

    The copy has the variables, as the class's ``encode`` gives them, and the access list, and is
    sent ``object_imported`` if the class has that; service names, watchers, meta object and a place
    in a store it has not. A class that is unknown there is brought, as by `create`. Sends
    ``copy_to``, which administers the object.

    Raises `NotAValueError` when a variable is no value, `BadValueError` when an object with the Id
    is there already, `NoSuchClass`, and a `CallError` when the node cannot be reached. The
    original's ``encodeObject`` and ``importObject`` in one.

    >>> ship = vista.create("Ship")
    >>> vista.copy(ship, vista.here()) == ship
    False
    """
    copied: Ref = send(target, "copy_to", None if to is None else creator_at(to))
    return copied
