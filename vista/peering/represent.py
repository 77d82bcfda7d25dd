"""The PeerConnection that stands for a link, as long as the link lasts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from vista.errors import ThreadKilled
from vista.kernel.futures import Future

if TYPE_CHECKING:
    from vista.peering.links import Link
    from vista.peering.peering import Peering

_log = logging.getLogger("vista.peering")


def represent(peering: Peering, link: Link) -> None:
    """Make the object of a link that is up; `Peering.link_down` has it delete itself."""

    def make() -> None:
        # One that is let go has an end soon, and may send nothing any more.
        if link.is_established and link not in peering.rivals.leaving:
            made = kernel.create("PeerConnection", (link.number,), {})
            if link.number in peering.links:
                peering.connections[link.number] = made
            else:
                kernel.post_quietly(made, "delete_yourself")

    kernel = peering.kernel
    kernel.spawn(make).on_done(_note_error)


def _note_error(ended: Future) -> None:
    error = ended._error
    if error is not None and not isinstance(error, ThreadKilled):
        _log.error("no PeerConnection could be made: %r", error, exc_info=error)
