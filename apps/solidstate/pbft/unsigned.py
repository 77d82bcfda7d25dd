"""What stands in for signatures where nobody lies: nothing."""

from __future__ import annotations

from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.messages import UNSIGNED


class Unsigned:
    """A `Keyring` without keys, for groups whose members at worst stop (`Config.crash_only`).

    What a replica hears is true, as the channel says who sent it; what it passes on is as well.
    """

    def sign(self, body: bytes) -> bytes:
        """Return the empty signature."""
        return UNSIGNED

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        """Tell whether the signature is empty: another one comes from a group that signs."""
        return signature == UNSIGNED

    def is_key(self, key: bytes) -> bool:
        """Take anything for a key: none is ever used."""
        return True

    def learn(self, principal: Principal, key: bytes) -> None:
        """Forget the key of a replica that came into the group."""
