"""What a kernel asks of whoever reaches the objects of other nodes.

The kernel itself knows only its own objects. `vista.peering` puts an `Elsewhere` into
``Kernel.elsewhere`` when the node gets its first link.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.access import AccessControlList
    from vista.kernel.classes import ClassEntry
    from vista.kernel.current import Context
    from vista.kernel.futures import Future
    from vista.kernel.keeping import Departure
    from vista.kernel.refs import Ref
    from vista.kernel.rows import PeerRow, ServiceRow
    from vista.kernel.table import Record


Arguments = tuple[tuple[Any, ...], dict[str, Any]]
"""What a message is sent with, by place and by name."""


class Elsewhere(Protocol):
    """Reaches objects and services of other nodes."""

    def bind(self, ref: Ref, name: str) -> Any:
        """Return what ``ref.name`` gives for an object that is not here, or None to say so.

        It is callable and has ``post`` and ``future``, as a local method has.
        """

    def has_moved(self, id: bytes) -> bool:
        """Whether an object that is not here went to another node, which is known."""

    def call(self, id: Id, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Send a message to an object elsewhere and wait for the result, as a vista thread."""

    def create_spread(
        self,
        worker: Any,
        entry: ClassEntry,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        acl: AccessControlList | None,
    ) -> Ref | None:
        """Make an object on the node whose turn it is, None when it is this one's."""

    def forward(self, message: Any) -> None:
        """Pass on a message whose object went elsewhere; see `vista.kernel.invoke.Message`."""

    def send_on(
        self, context: Context, id: Id, name: str, given: Arguments, future: Future | None
    ) -> None:
        """Send a message on behalf of ``context``, for whoever waits for ``future``.

        With None it is a post.
        """

    def move(self, record: Record, creator: Ref, seconds: float) -> Ref:
        """Move an object to the node of ``creator``, as the thread active in it."""

    def settle(self, id: Id, departure: Departure) -> bool:
        """Return whether an object left that this node was about to hand over when it fell.

        Waits, as a vista thread, until the other node says so.
        """

    def end_departure(self, id: Id, departure: Departure) -> None:
        """Tell the other node of a departure that this one will never ask about it again."""

    def withdraw_copies(self, ids: Collection[bytes], store: str) -> None:
        """Delete the copies that came early, of objects which a store has that is being opened."""

    def creators(self) -> list[Ref]:
        """Return the ObjectCreators of the other nodes that can be reached."""

    def provider(self, name: str) -> Ref | None:
        """Return the nearest object elsewhere that provides a service, or None."""

    def on_service(self, name: str, record: Any) -> None:
        """Take note that a service of this node was registered, or with None withdrawn."""

    def retire(self) -> list[Future]:
        """Announce no service from now on; return what ends when each node has heard that.

        What a node sent before it heard has come by then.
        """

    def service_rows(self) -> list[ServiceRow]:
        """Return a row for each service that another node announces, by name, the nearest first."""

    def peer_rows(self) -> list[PeerRow]:
        """Return a row for each other node that can be reached, the nearest first."""
