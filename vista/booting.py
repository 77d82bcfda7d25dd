"""Booting an rc file from a program: ``vista.run("file.rc")``."""

from __future__ import annotations

from vista.kernel.node import Node
from vista.standard.creator import boot


def run(path: str, *arguments: str, name: str | None = None, user: str | None = None) -> Node:
    """Boot an rc file on a new node in the background and return the node when it has booted.

    ``arguments`` are ``$1``, ``$2`` and so on in the file; ``name`` and ``user`` are as of
    `vista.Node`. Stop the node with ``node.stop()``, or use it as ``with vista.run(path):``. Raises
    `RcError` with file, line and column of what is wrong; then nothing is left running.
    """
    node = Node(name, user=user, settings={"arguments": list(arguments)}).start()
    try:
        node.call(boot, path, list(arguments))
    except BaseException:
        node.stop()
        raise
    return node
