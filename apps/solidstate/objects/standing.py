"""What stands for a state variable on a node: an object to which its users send their messages."""

from __future__ import annotations

from typing import Any

import vista
from apps.solidstate.objects.classes import find_class
from apps.solidstate.objects.operations import read_result


class ReplicatedVariable(vista.Object, namespace="SolidState"):
    """A state variable of a group as an object of a node; replicas execute what is sent to it.

    `ReplicaClientProxy` makes it. Messages that every object answers, such as ``describe``, are
    answered by this object; all others by the group. Its access list says who may send them.
    ``methods`` tells those of the class as well, where that is loaded.
    """

    def create(self, proxy: vista.Ref, name: str) -> None:
        """Stand for the variable ``name`` of a proxy's group."""
        self.proxy = proxy
        self.name = name
        self._class_name: list[Any] | None = None

    def methods(self) -> dict[str, vista.MethodRow]:
        """Return what the object answers, by itself or by the group."""
        told = super().methods()
        if self._class_name is None:
            self._class_name = self.proxy.list_state_variables().get(self.name)
        kind = None if self._class_name is None else find_class(self._class_name)
        return told if kind is None else {**kind.rows(), **told}

    @vista.preemptable
    def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        """Have the group answer."""
        # Encoded here: what passes from object to object is copied, and one text of bytes is not.
        operation = vista.encode_value(["call", self.name, name, args, kwargs, None])
        value, waiting = read_result(self.proxy.call_encoded(operation, self.name, name))
        if waiting:
            self.proxy.deliver.post(self.name)
        return value
