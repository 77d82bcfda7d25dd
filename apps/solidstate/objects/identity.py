"""The keys of a member of a pool: its own secret, and those of others, pinned.

A machine has one secret, from which it has a key as replica and one as client of each group. The
charter of a group is pinned the first time it comes, over a link that was authorised; another one
under its name is refused from then on.
"""

from __future__ import annotations

from hashlib import blake2b

from apps.solidstate.errors import PinnedKeyError
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.places import AnyPlace, folder_of
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from vista import BadValueError

SECRET_FILE = "secret"
CHARTER_FILE = "charter.json"
SECRET_BYTES = 32


class Identity:
    """Who the member is that has a place; makes its secret at the first use.

    ``draw`` gives so many random bytes. Raises `BadValueError` when the file of the secret is not
    as it was made.
    """

    def __init__(self, place: AnyPlace) -> None:
        self._place = place
        found = place.read(SECRET_FILE)
        if found is None:
            found = place.entropy().randbytes(SECRET_BYTES)
            place.write(SECRET_FILE, found)
        if len(found) != SECRET_BYTES:
            raise BadValueError(
                f"file {SECRET_FILE} has {len(found)} bytes and not {SECRET_BYTES}: bring it back "
                f"from a backup. Without it this machine is another member, whom the group does "
                f"not know"
            )
        self._secret = found

    @property
    def client_name(self) -> str:
        """The name under which this machine asks groups."""
        return f"client-{self._seed('name', '').hex()[:12]}"

    def keys(self, group: str) -> tuple[bytes, bytes]:
        """Return the public keys of this machine in a group, as replica and as client."""
        replica, client = self._seed("replica", group), self._seed("client", group)
        return _public(replica), _public(client)

    def keyring(self, charter: Charter, me: Principal) -> Ed25519Keyring:
        """Return the keyring by which this machine is ``me`` in a group."""
        role = "replica" if isinstance(me, int) else "client"
        seed = self._seed(role, charter.name)
        return Ed25519Keyring(charter.digest, seed, charter.public())

    def number(self, charter: Charter) -> int | None:
        """Return the number of this machine's replica, None when it has none in the group."""
        key, _ = self.keys(charter.name)
        return charter.replicas.index(key) if key in charter.replicas else None

    def is_client(self, charter: Charter) -> bool:
        """Tell whether this machine may ask the group."""
        _, key = self.keys(charter.name)
        return charter.clients.get(self.client_name) == key

    def _seed(self, role: str, group: str) -> bytes:
        text = f"{role}:{group}".encode()
        return blake2b(text, digest_size=32, key=self._secret).digest()


def pinned(place: AnyPlace, group: str) -> Charter | None:
    """Return the charter pinned for a group, None where there is none."""
    found = place.read(f"{folder_of(group)}/{CHARTER_FILE}")
    return None if found is None else read_charter(found.decode("utf-8", "replace"))


def pin(place: AnyPlace, charter: Charter) -> None:
    """Pin a charter. Raises `PinnedKeyError` when another one is pinned under its name."""
    known = pinned(place, charter.name)
    if known == charter:
        return
    if known is not None:
        raise PinnedKeyError(_words(known, charter))
    place.write(f"{folder_of(charter.name)}/{CHARTER_FILE}", charter.text().encode())


def _words(known: Charter, other: Charter) -> str:
    folder = folder_of(known.name)
    what = "other members"
    for number, (old, new) in enumerate(zip(known.replicas, other.replicas, strict=False)):
        if old != new:
            what = (
                f"key {new.hex()[:16]} for replica {number}, and {old.hex()[:16]} is pinned"
                if known.nonce == other.nonce
                else f"other replicas, the first with key {new.hex()[:16]}"
            )
            break
    return (
        f"group {known.name!r} was offered with {what} in {folder}/{CHARTER_FILE}. A machine that "
        f"lost its folder is another one: bring its folder back. If you founded the group anew on "
        f"purpose, and want what it held to be gone, remove {folder} on each of its servers"
    )


def _public(seed: bytes) -> bytes:
    return Ed25519Keyring(b"", seed, {}).public_key


def draw_nonce(place: AnyPlace) -> str:
    """Return 32 hexadecimal digits that no other group has."""
    return place.entropy().randbytes(16).hex()
