"""The charter of a group: who its replicas and clients are, by their keys, and how it agrees.

One text, the same at all members and pinned by each in a file. Every signature and every MAC is
bound to it, so nothing said in one group is worth anything in another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

from apps.solidstate.errors import PoolError
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.configuration import Config
from vista import BadValueError

FORMAT = 1

FAULTS_MAX = 3
"""Faults that a group may be made for. What its members say to each other grows with the square of
their number."""

RETRANSMIT_SECONDS_MAX = 2.0
"""How long a proxy waits at most before it asks all replicas again: a group that comes back has to
be asked anew, and is found as soon as its services are looked for."""

CLIENTS_MAX = 1_000
KEY_BYTES = 32
_NAME_CHARACTERS_MAX = 200


@dataclass(frozen=True)
class Mode:
    """What may be wrong with a replica: a group has ``per_fault`` f + 1 of them."""

    per_fault: int
    words: str
    settings: dict[str, Any]

    def replicas(self, faults: int) -> int:
        """Return how many replicas tolerate so many faults."""
        return self.per_fault * faults + 1


MODES = {
    "byzantine": Mode(3, "faulty in any way", {}),
    "crash": Mode(2, "crashed", {"crash_only": True}),
}
"""The modes by name: what the configuration of a replica then says besides."""


def mode_of(name: str) -> Mode:
    """Return a mode. Raises `BadValueError` that names those there are."""
    if name not in MODES:
        raise BadValueError(f"a mode is {' or '.join(MODES)}, not {name!r}")
    return MODES[name]


def check_faults(faults: int) -> None:
    """Raise `BadValueError` for a number of faults no group is made for."""
    if not 1 <= faults <= FAULTS_MAX:
        raise BadValueError(f"faults_to_tolerate is 1 to {FAULTS_MAX}, not {faults}")


def check_pool(mode: str, faults: int, running: int, pool: str) -> None:
    """Raise `PoolError` when fewer servers run than tolerate so many faults."""
    needed = mode_of(mode).replicas(faults)
    if running < needed:
        some = f"{faults} fault" if faults == 1 else f"{faults} faults"
        are = "1 is" if running == 1 else f"{running} are"
        raise PoolError(
            f"{needed} servers tolerate {some}; {are} running: start more nodes with the line "
            f"ReplicaPoolMember {pool}, linked with this one"
        )


@dataclass(frozen=True)
class Charter:
    """A group: ``replicas`` are the public keys by number, ``clients`` those by name.

    ``name`` is that of the group, ``nonce`` 32 hexadecimal digits that no other one has;
    ``founder`` is the client that may make state variables.
    """

    name: str
    nonce: str
    mode: str
    faults: int
    replicas: tuple[bytes, ...]
    clients: dict[str, bytes]
    founder: str

    @property
    def digest(self) -> bytes:
        """What signatures and MACs of the group are bound to."""
        return digest_of(self.text().encode())

    def config(self, replica: int | None) -> Config:
        """Return the configuration of a replica, None for a client."""
        return Config(
            replicas=len(self.replicas),
            replica=replica,
            clients=frozenset(self.clients),
            retransmit_seconds_max=RETRANSMIT_SECONDS_MAX,
            **mode_of(self.mode).settings,
        )

    def public(self) -> dict[Principal, bytes]:
        """Return everybody's public key."""
        keys: dict[Principal, bytes] = dict(enumerate(self.replicas))
        return keys | dict(self.clients.items())

    def text(self) -> str:
        """Return the charter as text, which `read_charter` reads."""
        told = {
            "format": FORMAT,
            "name": self.name,
            "nonce": self.nonce,
            "mode": self.mode,
            "faults": self.faults,
            "replicas": [key.hex() for key in self.replicas],
            "clients": {name: self.clients[name].hex() for name in sorted(self.clients)},
            "founder": self.founder,
        }
        return json.dumps(told, indent=1) + "\n"

    def with_client(self, name: str, key: bytes) -> Charter:
        """Return this charter with one client more."""
        return replace(self, clients={**self.clients, name: key})


def read_charter(text: str) -> Charter:
    """Return the charter in a text. Raises `BadValueError` where it is none."""
    try:
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise BadValueError(f"a charter of format {told['format']}; this is {FORMAT}")
        charter = Charter(
            str(told["name"]),
            str(told["nonce"]),
            str(told["mode"]),
            int(told["faults"]),
            tuple(bytes.fromhex(key) for key in told["replicas"]),
            {str(name): bytes.fromhex(key) for name, key in told["clients"].items()},
            str(told["founder"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, BadValueError):
            raise
        raise BadValueError(f"no charter of a group: {error!r}") from error
    _check(charter)
    return charter


def _check(charter: Charter) -> None:
    check_faults(charter.faults)
    check_pool(charter.mode, charter.faults, len(charter.replicas), charter.name)
    if len(charter.replicas) != mode_of(charter.mode).replicas(charter.faults):
        raise BadValueError(f"a charter with {len(charter.replicas)} replicas is not of its mode")
    keys = [*charter.replicas, *charter.clients.values()]
    if len(charter.clients) > CLIENTS_MAX or any(len(key) != KEY_BYTES for key in keys):
        raise BadValueError(f"a charter has {CLIENTS_MAX} clients at most, and keys of 32 bytes")
    if len(set(keys)) != len(keys):
        raise BadValueError("a charter in which two members have one key")
    if charter.founder not in charter.clients:
        raise BadValueError("a charter whose founder is none of its clients")
    if not all(0 < len(name) <= _NAME_CHARACTERS_MAX for name in [charter.name, *charter.clients]):
        raise BadValueError(f"a name has 1 to {_NAME_CHARACTERS_MAX} characters")
