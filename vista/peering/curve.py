"""Key pairs of CURVE, as ZeroMQ makes them: 32 bytes each, Curve25519."""

from __future__ import annotations

import zmq
from zmq.utils import z85


def make_key_pair() -> tuple[bytes, bytes]:
    """Draw a key pair and return it: public key and secret key (32 bytes each)."""
    public, secret = zmq.curve_keypair()
    return z85.decode(public), z85.decode(secret)


def public_key_of(secret: bytes) -> bytes:
    """Return the public key (32 bytes) that belongs to a secret one (32 bytes)."""
    public: bytes = z85.decode(zmq.curve_public(z85.encode(secret)))
    return public
