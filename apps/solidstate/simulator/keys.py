"""Signatures of the simulation: cheap, and not to be forged in it. For simulations only.

A signing key is a capability. Who holds the `SimulatedKeyring` of a member can sign as that member,
and nothing else can: the secret is drawn from the seed and never leaves this module. Anybody can
verify, since the authority knows all secrets; that is what makes it worthless outside. The public
key of a member that joins later has to be learnt, as real ones have: it is a digest of the secret.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from apps.solidstate.pbft.authentication import Principal

KEY_BYTES = 16
"""Bytes of a public key."""


class Authority:
    """Makes the keys of one simulated group, and remembers what its clients signed.

    In a group without signatures, ``signed`` has what its clients asked for.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._secrets: dict[Principal, bytes] = {}
        self._founders: set[Principal] = set()
        self.signed: set[tuple[Principal, bytes]] = set()

    def keyring(self, principal: Principal, random: Random | None = None) -> SimulatedKeyring:
        """Return the keyring of a member: give it to that member alone.

        ``random`` is what its secret is drawn from, in the place of the group's.
        """
        if principal not in self._secrets:
            self._secrets[principal] = (random or self._random).randbytes(16)
            self._founders.add(principal)
        return SimulatedKeyring(self, principal, self._secrets[principal])

    def recruit(self, principal: Principal, random: Random) -> None:
        """Make the keys of a member that joins later: nobody knows its public key by itself."""
        self._secrets[principal] = random.randbytes(16)

    def is_founder(self, principal: Principal) -> bool:
        """Tell whether all know the principal's key from the start."""
        return principal in self._founders

    def key(self, principal: Principal) -> bytes:
        """Return the public key of a member."""
        return _public(self._secrets[principal])

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
        self._learnt: set[Principal] = {me}

    def sign(self, body: bytes) -> bytes:
        """Return this member's signature of ``body``."""
        if isinstance(self._me, str):
            self._authority.signed.add((self._me, body))
        return _signature(self._secret, body)

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` is the principal's for ``body``."""
        known = principal in self._learnt or self._authority.is_founder(principal)
        return known and self._authority.verify(principal, body, signature)

    def is_key(self, key: bytes) -> bool:
        """Tell whether ``key`` is as long as public keys are."""
        return len(key) == KEY_BYTES

    def learn(self, principal: Principal, key: bytes) -> None:
        """Believe a principal from now on, if the key is its own."""
        if key == self._authority.key(principal):
            self._learnt.add(principal)


def _public(secret: bytes) -> bytes:
    return blake2b(b"public", digest_size=KEY_BYTES, key=secret).digest()


def _signature(secret: bytes, body: bytes) -> bytes:
    return blake2b(body, digest_size=16, key=secret).digest()
