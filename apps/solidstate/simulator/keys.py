"""Signatures of the simulation: cheap, and not to be forged in it. For simulations only.

A signing key is a capability. Who holds the `SimulatedKeyring` of a member can sign as that member,
and nothing else can: the secret is drawn from the seed and never leaves this module. Anybody can
verify, since the authority knows all secrets; that is what makes it worthless outside.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from apps.solidstate.pbft.authentication import Principal


class Authority:
    """Makes the keys of one simulated group, and remembers what was signed with them."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._secrets: dict[Principal, bytes] = {}
        self.signed: set[tuple[Principal, bytes]] = set()

    def keyring(self, principal: Principal) -> SimulatedKeyring:
        """Return the keyring of a member: give it to that member alone."""
        if principal not in self._secrets:
            self._secrets[principal] = self._random.randbytes(16)
        return SimulatedKeyring(self, principal, self._secrets[principal])

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` is the principal's for ``body``."""
        secret = self._secrets.get(principal)
        return secret is not None and signature == _signature(secret, body)


class SimulatedKeyring:
    """A `Keyring` for one member of a simulated group."""

    def __init__(self, authority: Authority, me: Principal, secret: bytes) -> None:
        self._authority = authority
        self._me = me
        self._secret = secret

    def sign(self, body: bytes) -> bytes:
        """Return this member's signature of ``body``."""
        if isinstance(self._me, str):
            self._authority.signed.add((self._me, body))
        return _signature(self._secret, body)

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` is the principal's for ``body``."""
        return self._authority.verify(principal, body, signature)


def _signature(secret: bytes, body: bytes) -> bytes:
    return blake2b(body, digest_size=16, key=secret).digest()
