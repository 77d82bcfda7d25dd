"""Signatures by Ed25519: the one place where PyNaCl is used."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

try:
    from nacl.bindings import crypto_sign, crypto_sign_open
    from nacl.exceptions import BadSignatureError, CryptoError
    from nacl.public import Box
    from nacl.secret import SecretBox
    from nacl.signing import SigningKey, VerifyKey
except ImportError as error:
    missing = (
        f"SolidState needs a library that is not here: pip install vista[solidstate] ({error})"
    )
    raise ImportError(missing) from error

from apps.solidstate.pbft.authentication import Principal
from vista import BadValueError

SIGNATURE_BYTES = 64
"""Bytes of a signature."""

KEY_BYTES = 32
"""Bytes of a public key."""

NONCE_BYTES = 24
"""Bytes of what makes one encryption differ from every other one."""

ENCRYPTION_BYTES = 40
"""Bytes that an encryption has more than what is in it."""


class Ed25519Keyring:
    """A `Keyring` of Ed25519 keys (RFC 8032).

    ``group`` names the group and its configuration; ``seed`` is the secret of this member, 32
    bytes; ``public`` holds everybody's public key. Raises `BadValueError` for a key that is none.
    """

    def __init__(self, group: bytes, seed: bytes, public: Mapping[Principal, bytes]) -> None:
        self._prefix = len(group).to_bytes(4, "big") + group
        try:
            self._secret = SigningKey(seed)
            self._public = {name: VerifyKey(key) for name, key in public.items()}
        except (ValueError, TypeError) as error:
            raise BadValueError(f"a key of 32 bytes is expected: {error}") from error
        # What `SigningKey.sign` and `VerifyKey.verify` call, without the 10 and 3 us around it.
        self._signer = bytes(self._secret) + bytes(self._secret.verify_key)
        self._verifiers = {name: bytes(key) for name, key in self._public.items()}

    @property
    def public_key(self) -> bytes:
        """This member's public key, 32 bytes."""
        return bytes(self._secret.verify_key)

    def sign(self, body: bytes) -> bytes:
        """Return this member's signature of ``body``, 64 bytes."""
        return crypto_sign(self._prefix + body, self._signer)[:SIGNATURE_BYTES]

    def verify(self, principal: Principal, body: bytes, signature: bytes) -> bool:
        """Tell whether ``signature`` is the principal's for ``body``."""
        key = self._verifiers.get(principal)
        if key is None or len(signature) != SIGNATURE_BYTES:
            return False
        try:
            crypto_sign_open(signature + self._prefix + body, key)
        except BadSignatureError:
            return False
        return True

    def is_key(self, key: bytes) -> bool:
        """Tell whether ``key`` has the length of a public key; others verify nothing."""
        return len(key) == KEY_BYTES

    def learn(self, principal: Principal, key: bytes) -> None:
        """Take up the public key of a replica that came into the group."""
        self._public[principal] = VerifyKey(key)
        self._verifiers[principal] = bytes(key)

    def shared_key(self, principal: Principal) -> bytes:
        """Return the 32 bytes that this member and another one know and nobody else, by X25519.

        For the MACs of a `Sealer`. Raises `BadValueError` for a member unknown.
        """
        key = self._public.get(principal)
        if key is None:
            raise BadValueError(f"{principal!r} has no key in this group")
        mine = self._secret.to_curve25519_private_key()
        try:
            shared = Box(mine, key.to_curve25519_public_key()).shared_key()
        except CryptoError as error:
            raise BadValueError(f"the key of {principal!r} is no point to agree by") from error
        return blake2b(shared, digest_size=32, key=self._prefix[-32:]).digest()

    def encrypt(self, principal: Principal, data: bytes, nonce: bytes) -> bytes:
        """Return ``data`` so that this member and another one alone can read it.

        ``nonce`` are 24 bytes that no other data was encrypted with.
        """
        return bytes(self._box(principal).encrypt(data, nonce))

    def decrypt(self, principal: Principal, data: bytes) -> bytes:
        """Return what `encrypt` of another member was given. Raises `BadValueError`."""
        try:
            return bytes(self._box(principal).decrypt(data))
        except (CryptoError, ValueError, TypeError) as error:
            raise BadValueError(f"not what {principal!r} encrypted: {error}") from error

    def _box(self, principal: Principal) -> SecretBox:
        # Another key than that of MACs.
        key = blake2b(self.shared_key(principal), digest_size=32, person=b"encryption")
        return SecretBox(key.digest())
