"""The real network: channels over ZeroMQ, which nothing outside this package knows of.

A listener is one ROUTER, a connecting channel one DEALER. tcp is always CURVE, and the owner is
asked about each key; ipc is protected by the directory of its socket. No callback of the owner is
called from inside one of its own calls.
"""

from __future__ import annotations

from vista.peering.curve import make_key_pair, public_key_of
from vista.peering.sockets.network import ZeroMQNetwork
from vista.peering.sockets.reading import SocketBounds

__all__ = ["SocketBounds", "ZeroMQNetwork", "make_key_pair", "public_key_of"]
