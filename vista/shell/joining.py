"""Joining a peer from a terminal: which one, what is said while it does not answer.

Whoever names no peer means the only node that listens in the directory of the sockets. Which of the
sockets there belong to nodes that run is found by knocking: a socket outlives a process that was
killed. ZeroMQ is loaded with this module: a node's loop that loads it stands still so long.
"""

from __future__ import annotations

import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import vista
import vista.peering.sockets
from vista.errors import CallTimeout, PeerAddressError
from vista.peering.keys import check_socket_directory, socket_directory
from vista.peering.urls import parse_connect

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.node import Node
    from vista.kernel.refs import Ref

SILENT_SECONDS = 0.5
"""How long a prompt waits for its peer before it says so: longer than a link takes that comes."""

ASKING_SECONDS = 1.0
"""How often a prompt that waits looks for other trouble to tell."""

SCRIPT_SECONDS_MAX = 30.0
"""How long a script waits for the peer it is to be linked with: nobody is there to press Ctrl-C."""

NAMED_MAX = 10
"""Nodes that a message names when there are several to choose from."""


def living_sockets(directory: Path) -> list[str]:
    """Return the names of the sockets in a directory that somebody listens at, in order.

    Raises `KeyFileError` when the directory cannot be trusted; one that is missing has none.
    """
    if not directory.exists():
        return []
    check_socket_directory(directory)
    return sorted(path.name for path in directory.iterdir() if _listens(path))


def _listens(path: Path) -> bool:
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
            knocking.setblocking(False)
            knocking.connect(str(path))
    except BlockingIOError:
        return True  # So many wait to be let in that this one has to.
    except OSError:
        return False
    return True


def chosen_url(given: str | None, directory: Path | None = None) -> str:
    """Return the URL of the peer to ask: the given one, else that of the only node there is.

    ``directory`` is that of the sockets, the user's own if None. The choice is told on the standard
    error. Raises `PeerAddressError` when no node listens there, or several do.
    """
    if given is not None:
        return given
    where = directory or socket_directory()
    names = living_sockets(where)
    if not names:
        raise PeerAddressError(
            f"no node listens in {where}; start one (vista rc/hub.rc) or name it: --connect URL"
        )
    if len(names) > 1:
        more = "" if len(names) <= NAMED_MAX else f" and {len(names) - NAMED_MAX} more"
        shown = ", ".join(f"ipc:{name}" for name in names[:NAMED_MAX])
        raise PeerAddressError(
            f"{len(names)} nodes listen in {where}: {shown}{more}; name one: "
            f"--connect ipc:{names[0]}"
        )
    url = f"ipc:{names[0]}"
    print(f"vista: asking the node at {url}", file=sys.stderr)
    return url


def join(node: Node, url: str, seconds_max: float | None, tell: Callable[[str], None]) -> Ref:
    """Link a running node with a peer and return the peer's ObjectCreator.

    While the peer does not answer, ``tell`` is given a line for each trouble that is another one
    than before. ``seconds_max`` bounds the wait; without it Ctrl-C does. Raises `PeerAddressError`
    and `KeyFileError` for what cannot work at all, and `CallTimeout`.
    """
    connection: Ref = node.call(vista.create, "ConnectToPeer", url)
    try:
        peer = _await_link(node, connection, url, seconds_max, tell)
        # The first line of a script may name a service of the peer. 1. The peer says which lists of
        # services it has, then answers the first question. 2. By then they are asked for. 3. They
        # come before the answer to the second.
        for _ in range(2):
            node.call(vista.send, peer, "get_name")
        return peer
    except BaseException:
        node.call(vista.delete, connection)
        raise


def _await_link(
    node: Node,
    connection: Ref,
    url: str,
    seconds_max: float | None,
    tell: Callable[[str], None],
) -> Ref:
    waited, step, told = 0.0, SILENT_SECONDS, None
    while True:
        try:
            peer: Ref = node.call(vista.send, connection, "wait", step)
        except CallTimeout:
            waited += step
            if seconds_max is not None and waited >= seconds_max:
                raise
            step = ASKING_SECONDS
        else:
            return peer
        trouble = node.call(vista.send, connection, "get_state")["trouble"]
        words = f": {trouble}" if trouble else silence(url)
        if words != told:
            told = words
            tell(f"waiting for the peer at {url}{words}; Ctrl-C ends it")


def silence(url: str, trouble: str = "") -> str:
    """Return why a peer may be silent, for the end of a message.

    Empty when that is not known, and when a ``trouble`` on the way to another machine tells it.
    """
    parsed = parse_connect(url, socket_directory=str(socket_directory()))
    if parsed.scheme == "tcp":
        question = ": are host, port and key right, and does the peer let this user's key in?"
        return "" if trouble else question
    return "" if _listens(Path(parsed.path)) else ": nobody listens at this socket"


def object_at(peer: Ref, text: str) -> Ref:
    """Return the object that a text names: by its Id, or by a service name as the peer finds it.

    Raises `NoSuchService`.
    """
    try:
        id: Id = vista.Id.parse(text)
    except vista.BadValueError:
        found: Ref = peer.lookup_service(text)
        return found
    # The peer tells of the nodes behind it as soon as it is linked: before it answers this.
    peer.list_peers()
    return vista.ref_of(id)
