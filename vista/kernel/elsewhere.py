"""What a kernel asks of whoever reaches the objects of other nodes.

The kernel itself knows only its own objects. `vista.peers` puts an `Elsewhere` into
``Kernel.elsewhere`` when the node gets its first link.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from vista.kernel.refs import Ref


class Elsewhere(Protocol):
    """Reaches objects and services of other nodes."""

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object that is not here, or None to say so.

        It is callable and has ``post`` and ``future``, as a local method has.
        """

    def creators(self) -> list[Ref]:
        """Return the ObjectCreators of the other nodes that can be reached."""

    def provider(self, name: str) -> Ref | None:
        """Return the nearest object elsewhere that provides a service, or None."""

    def on_service(self, name: str, record: Any) -> None:
        """Take note that a service of this node was registered, or with None withdrawn."""
