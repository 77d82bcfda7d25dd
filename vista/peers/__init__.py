"""Peers: links to other nodes, over which objects everywhere are reached.

The package is loaded before the function `vista.peers` takes its name in `vista`: whoever needs a
module of it writes ``from vista.peers.routing import Routing``.
"""
