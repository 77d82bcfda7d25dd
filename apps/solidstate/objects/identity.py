"""The keys of a member of a pool: its own secret, and those of others, pinned.

A machine has one secret, from which it has a key as replica and one as client of each group. The
charter of a group is pinned the first time it comes, over a link that was authorised; another one
under its name is refused from then on. Who came into the group later is known by the memberships
that follow from the charter, each proven by the members before; the latest is kept beside it.
"""

from __future__ import annotations

from hashlib import blake2b

from apps.solidstate.errors import PinnedKeyError
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.places import AnyPlace, folder_of
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import MalformedMessage, pack, unpack
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.membership import read_membership
from apps.solidstate.pbft.messages import Membership
from vista import BadValueError

SECRET_FILE = "secret"
CHARTER_FILE = "charter.json"
MEMBERSHIP_FILE = "membership"
JOINED_FILE = "joined"
RETIRED_FILE = "retired"
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

    @property
    def administrator_name(self) -> str:
        """The name under which this machine changes groups that it founded."""
        return f"administrator-{self._seed('name', '').hex()[:12]}"

    def keys(self, group: str) -> tuple[bytes, bytes]:
        """Return the public keys of this machine in a group, as founding replica and as client."""
        replica, client = self._seed("replica", group), self._seed("client", group)
        return _public(replica), _public(client)

    def administrator_key(self, group: str) -> bytes:
        """Return the public key by which this machine changes a group."""
        return _public(self._seed("administrator", group))

    def machine_mac(self, member: bytes, challenge: bytes) -> bytes:
        """Return what a member of a pool answers a challenge, if this machine's secret is its."""
        key = self._seed("machine", "")
        return blake2b(pack([member, challenge]), digest_size=32, key=key).digest()

    def replica_key(self, charter: Charter, number: int) -> bytes:
        """Return the public key this machine has, or would have, as a replica that comes later.

        Each number has its own: what a machine said as a former replica is nothing it says anew.
        """
        return _public(self._replica_seed(charter, number))

    def keyring(self, charter: Charter, me: Principal) -> Ed25519Keyring:
        """Return the keyring by which this machine is ``me`` in a group."""
        if isinstance(me, int):
            seed = self._replica_seed(charter, me)
        else:
            role = "administrator" if me == self.administrator_name else "client"
            seed = self._seed(role, charter.name)
        return Ed25519Keyring(charter.digest, seed, charter.public())

    def number(self, charter: Charter) -> int | None:
        """Return the number of the replica this machine was founded with, None for none."""
        key, _ = self.keys(charter.name)
        return charter.replicas.index(key) if key in charter.replicas else None

    def live_number(self, charter: Charter) -> int | None:
        """Return the number of the replica that this machine runs, None for none.

        The one it came as last, unless it left the group.
        """
        numbers = [*joined(self._place, charter)]
        founded = self.number(charter)
        if founded is not None:
            numbers.append(founded)
        last = max(numbers, default=None)
        if last is None or is_retired(self._place, charter, last):
            return None
        return last

    def is_client(self, charter: Charter) -> bool:
        """Tell whether this machine may ask the group, as far as it knows."""
        _, key = self.keys(charter.name)
        for one in known_membership(self._place, charter).clients:
            if one.client == self.client_name:
                return one.key == key
        return charter.clients.get(self.client_name) == key

    def _replica_seed(self, charter: Charter, number: int) -> bytes:
        founded = number < len(charter.replicas)
        return self._seed("replica", charter.name if founded else f"{charter.nonce}#{number}")

    def _seed(self, role: str, group: str) -> bytes:
        text = f"{role}:{group}".encode()
        return blake2b(text, digest_size=32, key=self._secret).digest()


def pinned(place: AnyPlace, group: str) -> Charter | None:
    """Return the charter pinned for a group, None where there is none; raises as `charter_in`."""
    return charter_in(place, folder_of(group))


def charter_in(place: AnyPlace, folder: str) -> Charter | None:
    """Return the charter pinned in a folder, None where there is none.

    Raises `BadValueError` for a file that holds none.
    """
    path = f"{folder}/{CHARTER_FILE}"
    found = place.read(path)
    try:
        return None if found is None else read_charter(found.decode("utf-8", "replace"))
    except BadValueError as error:
        raise BadValueError(
            f"file {path}: {error}. Bring it back from a backup, or from the folder of another "
            f"server of the group; remove folder {folder} if that group is gone"
        ) from error


def pin(place: AnyPlace, charter: Charter) -> None:
    """Pin a charter. Raises `PinnedKeyError` when another one is pinned under its name."""
    known = pinned(place, charter.name)
    if known == charter:
        return
    if known is not None:
        raise PinnedKeyError(_words(known, charter))
    place.write(f"{folder_of(charter.name)}/{CHARTER_FILE}", charter.text().encode())


def replica_folder(charter: Charter, number: int) -> str:
    """Return the folder of a replica: the group's, or one of its own where it came later."""
    folder = folder_of(charter.name)
    return folder if number < len(charter.replicas) else f"{folder}-{number}"


def known_membership(place: AnyPlace, charter: Charter) -> Membership:
    """Return the latest group that this machine knows; that of the charter at first.

    Raises `BadValueError` for a file that holds none.
    """
    path = f"{folder_of(charter.name)}/{MEMBERSHIP_FILE}"
    found = place.read(path)
    return charter.founders() if found is None else _read(found, path)


def note_membership(place: AnyPlace, charter: Charter, membership: Membership) -> None:
    """Keep a membership that is proven, if it is later than what is known."""
    if membership.epoch > known_membership(place, charter).epoch:
        path = f"{folder_of(charter.name)}/{MEMBERSHIP_FILE}"
        place.write(path, pack(membership.row))


def joined(place: AnyPlace, charter: Charter) -> dict[int, Membership]:
    """Return the numbers under which this machine came into a group, and from which one each."""
    begin = f"{folder_of(charter.name)}-"
    found = {}
    for folder in place.folders():
        number = folder.removeprefix(begin)
        if folder.startswith(begin) and number.isdigit():
            path = f"{folder}/{JOINED_FILE}"
            data = place.read(path)
            if data is not None:
                found[int(number)] = _read(data, path)
    return found


def note_joined(place: AnyPlace, charter: Charter, number: int, before: Membership) -> None:
    """Keep that this machine comes as replica ``number`` into the group that ``before`` was."""
    folder = replica_folder(charter, number)
    place.write(f"{folder}/{JOINED_FILE}", pack(before.row))


def is_retired(place: AnyPlace, charter: Charter, number: int) -> bool:
    """Tell whether a replica of this machine left the group and was stopped."""
    return place.read(f"{replica_folder(charter, number)}/{RETIRED_FILE}") is not None


def note_retired(place: AnyPlace, charter: Charter, number: int) -> None:
    """Keep that a replica of this machine left the group and is started no more."""
    place.write(f"{replica_folder(charter, number)}/{RETIRED_FILE}", b"")


def _read(data: bytes, path: str) -> Membership:
    try:
        row = unpack(data)
        return read_membership(row if type(row) is list else [])
    except MalformedMessage as error:
        raise BadValueError(
            f"file {path} holds no membership of a group ({error}): bring it back from a backup, "
            f"or remove it where the machine was there when the group was founded"
        ) from error


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
