"""Who said what: signatures inside of messages, and MACs on the channels that carry them.

A signature convinces everybody and stands in the record. A MAC convinces the one receiver, and is
put on and taken off at the edge (`Sealer`), so the core is told who sent a message and may rely on
it. No message counts on a MAC being valid for somebody else: the classic authenticators, which a
faulty sender can make valid for some and not for others, do not occur (Aardvark, section 4.1).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import blake2b
from typing import Protocol

Principal = int | str
"""A replica by its number or a client by its name."""

MAC_BYTES = 16
"""Bytes of a MAC on a channel."""


class Keyring(Protocol):
    """One principal's secret key and the public keys of all members of one group.

    The implementation binds every signature to the group, so that none is worth anything in
    another one.
    """

    def sign(self, body: bytes) -> bytes:
        """Return this principal's signature of ``body``."""

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` is the principal's for ``body``; false for one unknown."""

    def is_key(self, key: bytes) -> bool:
        """Tell whether ``key`` is a public key; every member's keyring says the same."""

    def learn(self, principal: Principal, key: bytes) -> None:
        """Take up the public key of a replica that came into the group."""


class Sealer:
    """Puts MACs on what goes to others and checks those on what comes: keyed BLAKE2b.

    ``keys`` holds the key, up to 64 bytes, that this member shares with each other one.
    """

    def __init__(self, me: Principal, keys: Mapping[Principal, bytes]) -> None:
        self._me = me
        self._keys = dict(keys)
        # What MACs of each channel begin with: copying it takes a third of making it anew.
        self._begun: dict[tuple[Principal, Principal], blake2b] = {}

    def learn(self, other: Principal, key: bytes) -> None:
        """Take up the key that this member shares with one who came later."""
        self._keys[other] = key
        self._begun.clear()

    def seal(self, data: bytes, to: Principal) -> bytes:
        """Return ``data`` after its MAC for the channel from this member to ``to``."""
        return self._mac(self._me, to, self._keys[to], data) + data

    def open(self, sealed: bytes, sender: Principal) -> bytes | None:
        """Return the data of ``sealed`` if ``sender`` sealed it for this member, else None."""
        key = self._keys.get(sender)
        if key is None or len(sealed) < MAC_BYTES:
            return None
        data = sealed[MAC_BYTES:]
        expected = self._mac(sender, self._me, key, data)
        return data if hmac.compare_digest(sealed[:MAC_BYTES], expected) else None

    def _mac(self, sender: Principal, to: Principal, key: bytes, data: bytes) -> bytes:
        begun = self._begun.get((sender, to))
        if begun is None:
            # Both ends hold the key: the direction keeps a message from being sent back as one's
            # own.
            begun = blake2b(f"{sender!r} to {to!r}:".encode(), digest_size=MAC_BYTES, key=key)
            self._begun[sender, to] = begun
        mac = begun.copy()
        mac.update(data)
        return mac.digest()
