"""Booting an rc file from a program, and joining other nodes: ``vista.run``, ``vista.connect``."""

from __future__ import annotations

import importlib

from vista.api import create, delete
from vista.kernel.current import current
from vista.kernel.node import Node, kernel_here
from vista.kernel.refs import Ref
from vista.standard.creator import boot


def run(
    path: str,
    *arguments: str,
    name: str | None = None,
    user: str | None = None,
    state_directory: str | None = None,
) -> Node:
    """Boot an rc file on a new node in the background and return the node when it has booted.

    ``arguments`` are ``$1``, ``$2`` and so on in the file; ``name``, ``user`` and
    ``state_directory`` are as of `vista.Node`. Stop the node with ``node.stop()``, or use it as
    ``with vista.run(path):``. Raises `RcError` with file, line and column of what is wrong; then
    nothing is left running.
    """
    settings = {"arguments": list(arguments)}
    node = Node(name, user=user, settings=settings, state_directory=state_directory).start()
    try:
        node.call(boot, path, list(arguments))
    except BaseException:
        node.stop()
        raise
    return node


def connect(url: str, timeout: float = 30.0) -> Ref:
    """Join the peer at a URL and return its ObjectCreator, which stands for its node.

    ``url`` is what the peer's `AcceptPeerConnections` tells: ``tcp://KEY@HOST:PORT``, ``ipc:PATH``
    or ``ipc:NAME``. The link is opened again whenever it ends, until the node of the calling code
    stops. Raises `PeerLost` at once where nobody listens, `CallTimeout` when there is no link after
    ``timeout`` seconds, which says why, and `PeerAddressError` or `KeyFileError` for what cannot
    work at all. For a peer that is to be started yet ``create("ConnectToPeer", url).wait()`` waits.
    """
    # Loading it takes a tenth of a second, which the node's loop had better not wait for.
    for module in ("vista.standard.peers", "vista.peering.sockets"):
        importlib.import_module(module)
    peer: Ref = kernel_here().from_outside(current(), _connect, (url, timeout), {})
    return peer


def _connect(url: str, seconds: float) -> Ref:
    connection = create("ConnectToPeer", url)
    try:
        peer: Ref = connection.wait(seconds, patient=False)
    except BaseException:
        delete(connection)
        raise
    return peer
