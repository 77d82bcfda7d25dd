"""Signatures and counters of the simulation: cheap, and not to be forged in it; for nothing else.

A signing key is a capability. Who holds the `SimulatedKeyring` of a member can sign as that member,
and nothing else can: the secret is drawn from the seed and never leaves this module. Anybody can
verify, since the authority knows all secrets; that is what makes it worthless outside. The public
key of a member that joins later has to be learnt, as real ones have: it is a digest of the secret.
"""

from __future__ import annotations

from hashlib import blake2b
from random import Random

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.usig import UI, member_key, read_ui, ui_body, ui_bytes

EPOCH = 7
"""The epoch of all simulated counters."""

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

    def usig(self, replica: int) -> SimulatedUsig:
        """Return the trusted counter of a replica, which nothing can make lie."""
        return SimulatedUsig(_counter_secret(self._secrets[replica]))

    def counted_key(self, replica: int) -> bytes:
        """Return what stands for the key of a member that has a trusted counter."""
        return member_key(self.key(replica), self.device(replica))

    def device(self, replica: int) -> bytes:
        """Return what names the trusted counter of a replica."""
        return _public(_counter_secret(self._secrets[replica]))

    def usigs(self) -> SimulatedDevices:
        """Return what checks the counters of others for one replica."""
        return SimulatedDevices(self)

    def verify_ui(self, replica: int, message: bytes, ui: bytes) -> int | None:
        """Return the number under which a replica's counter certified a message, if it did."""
        secret, found = self._secrets.get(replica), read_ui(ui)
        if secret is None or found is None or found.epoch != EPOCH:
            return None
        body = ui_body(found.epoch, found.counter, digest_of(message))
        true = _signature(_counter_secret(secret), body) == found.certificate
        return found.counter if true else None


class SimulatedDevices:
    """A `UsigVerifier` that knows the founders' counters, and others once it learnt them."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._learnt: set[int] = set()

    def verify_ui(self, replica: int, message: bytes, ui: bytes) -> int | None:
        """Return the number under which a replica's counter certified a message, if it did."""
        known = replica in self._learnt or self._authority.is_founder(replica)
        return self._authority.verify_ui(replica, message, ui) if known else None

    def is_device(self, device: bytes) -> bool:
        """Tell whether bytes are as long as what names a counter."""
        return len(device) == KEY_BYTES

    def learn(self, replica: int, device: bytes) -> None:
        """Believe a replica's counter from now on, if that is its name."""
        if device == self._authority.device(replica):
            self._learnt.add(replica)


class SimulatedUsig:
    """A `Usig` that no crash and no owner can make count anew; twins share one."""

    epoch = EPOCH

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._kept: dict[int, bytes] = {}
        self.counter = 0

    def create_ui(self, message: bytes, base: int = 0) -> bytes:
        """Return a UI with the next number above ``base``."""
        self.counter = max(self.counter, base) + 1
        body = ui_body(self.epoch, self.counter, digest_of(message))
        ui = ui_bytes(UI(self.epoch, self.counter, self._sign(body)))
        self._kept[self.counter] = ui
        return ui

    def _sign(self, body: bytes) -> bytes:
        """What proves that this counter says ``body``."""
        return _signature(self._secret, body)

    def kept(self, counter: int) -> bytes | None:
        """Return a UI that was made before."""
        return self._kept.get(counter)

    def forget(self, counter: int) -> None:
        """Forget the UIs up to a number."""
        self._kept = {number: ui for number, ui in self._kept.items() if number > counter}


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


def _counter_secret(secret: bytes) -> bytes:
    return blake2b(b"counter", digest_size=16, key=secret).digest()


def _public(secret: bytes) -> bytes:
    return blake2b(b"public", digest_size=KEY_BYTES, key=secret).digest()


def _signature(secret: bytes, body: bytes) -> bytes:
    return blake2b(body, digest_size=16, key=secret).digest()
