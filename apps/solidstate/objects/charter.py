"""The charter of a group: who its replicas and clients are, by their keys, and how it agrees.

One text, the same at all members and pinned by each in a file. Every signature and every MAC is
bound to it, so nothing said in one group is worth anything in another.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from apps.solidstate.errors import PoolError
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.membership import founders
from apps.solidstate.pbft.messages import Membership
from apps.solidstate.pbft.quorums import Quorums
from vista import BadValueError

FORMAT = 3
FORMATS = (1, 2, 3)
"""Those that are read; a charter of the first has no administrator, one of the first two no reads
that are not ordered."""

READS = ("ordered", "unordered")
"""How a group answers calls that only read."""

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
    """What may be wrong with a replica: a group has ``per_fault`` f + 1 of them.

    ``reads`` is how it answers reads unless it is founded otherwise.
    """

    per_fault: int
    words: str
    settings: dict[str, Any]
    reads: str = "ordered"

    def replicas(self, faults: int) -> int:
        """Return how many replicas tolerate so many faults."""
        return self.per_fault * faults + 1


MODES = {
    "byzantine": Mode(3, "faulty in any way", {}, "unordered"),
    "crash": Mode(2, "crashed", {"crash_only": True}),
    "minbft": Mode(2, "faulty in any way but its trusted counter", {"minbft": True}),
}
"""The modes by name: what the configuration of a replica then says besides."""


def mode_of(name: str) -> Mode:
    """Return a mode. Raises `BadValueError` that names those there are."""
    if name not in MODES:
        raise BadValueError(f"a mode is {' or '.join(MODES)}, not {name!r}")
    return MODES[name]


def reads_of(mode: str, reads: str = "") -> str:
    """Return how a group of a mode is to answer reads, as its mode has it where that is not said.

    Raises `BadValueError` for what there is not, or is not safe.
    """
    found = reads or mode_of(mode).reads
    if found not in READS:
        raise BadValueError(f"reads are {' or '.join(READS)}, not {reads!r}")
    if mode == "minbft" and found == "unordered":
        raise BadValueError(
            "with minbft reads are ordered: of the f + 1 servers that answer a read, all but the "
            "faulty ones may not know yet what was acknowledged before; found the group with "
            "byzantine for unordered reads"
        )
    return found


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
    ``founder`` is the client that may make state variables. ``administrators`` are the public keys
    by name of those who may change the group; ``machines`` has the client of the machine on which
    each replica was founded; ``origin`` is the digest of the state the group began with, empty
    where it began with none; ``counters`` are the epochs and public keys of the replicas' trusted
    counters, in the mode that has them. With ``unordered_reads`` reads are answered without being
    ordered, and every other call waits for 2f + 1 answers, or f + 1 where servers only crash.
    """

    name: str
    nonce: str
    mode: str
    faults: int
    replicas: tuple[bytes, ...]
    clients: dict[str, bytes]
    founder: str
    administrators: dict[str, bytes] = field(default_factory=dict)
    machines: tuple[str, ...] = ()
    origin: str = ""
    counters: tuple[tuple[int, bytes], ...] = ()
    unordered_reads: bool = False

    @property
    def digest(self) -> bytes:
        """What signatures and MACs of the group are bound to."""
        return digest_of(self.text().encode())

    def config(self, replica: int | None, membership: Membership | None = None) -> Config:
        """Return the configuration of a replica, None for a client.

        ``membership`` is the group as this member first knows it, None for the founders. Raises
        `BadValueError` for a membership that is none of this mode.
        """
        config = Config(
            replicas=len(self.replicas),
            replica=replica,
            clients=frozenset(self.clients),
            administrators=frozenset(self.administrators),
            retransmit_seconds_max=RETRANSMIT_SECONDS_MAX,
            # The founders are what the number of replicas says.
            membership=membership if membership is not None and membership.epoch else None,
            joining=replica is not None and replica >= len(self.replicas),
            fast_reads=self.unordered_reads,
            **mode_of(self.mode).settings,
        )
        config.validate()
        return config

    def quorums(self, replicas: int) -> Quorums:
        """Return the quorums of so many replicas. Raises `BadValueError` for too few."""
        settings = mode_of(self.mode).settings
        return Quorums(replicas, settings.get("crash_only", False), settings.get("minbft", False))

    def founders(self) -> Membership:
        """Return the membership with which the group began."""
        return founders(len(self.replicas))

    def public(self) -> dict[Principal, bytes]:
        """Return the public keys of everybody who was there when the group was founded."""
        keys: dict[Principal, bytes] = dict(enumerate(self.replicas))
        return keys | dict(self.clients.items()) | dict(self.administrators.items())

    def text(self) -> str:
        """Return the charter as text, which `read_charter` reads."""
        more: dict[str, Any] = {}
        if self.administrators:
            names = sorted(self.administrators)
            more["administrators"] = {name: self.administrators[name].hex() for name in names}
            more["machines"] = list(self.machines)
        if self.origin:
            more["origin"] = self.origin
        if self.counters:
            more["counters"] = [[epoch, key.hex()] for epoch, key in self.counters]
        format = 2 if more else 1
        if self.unordered_reads:
            more["reads"] = "unordered"
            format = FORMAT
        told = {
            "format": format,
            "name": self.name,
            "nonce": self.nonce,
            "mode": self.mode,
            "faults": self.faults,
            "replicas": [key.hex() for key in self.replicas],
            "clients": {name: self.clients[name].hex() for name in sorted(self.clients)},
            "founder": self.founder,
            **more,
        }
        return json.dumps(told, indent=1) + "\n"

    def with_client(self, name: str, key: bytes) -> Charter:
        """Return this charter with one client more."""
        return replace(self, clients={**self.clients, name: key})


def read_charter(text: str) -> Charter:
    """Return the charter in a text. Raises `BadValueError` where it is none."""
    try:
        told = json.loads(text)
        if told["format"] not in FORMATS:
            raise BadValueError(f"a charter of format {told['format']}; this is {FORMAT}")
        charter = Charter(
            str(told["name"]),
            str(told["nonce"]),
            str(told["mode"]),
            int(told["faults"]),
            tuple(bytes.fromhex(key) for key in told["replicas"]),
            _read_keys(told["clients"]),
            str(told["founder"]),
            _read_keys(told.get("administrators", {})),
            tuple(str(name) for name in told.get("machines", ())),
            str(told.get("origin", "")),
            tuple((int(epoch), bytes.fromhex(key)) for epoch, key in told.get("counters", ())),
            reads_of(str(told["mode"]), str(told.get("reads", "ordered"))) == "unordered",
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, BadValueError):
            raise
        raise BadValueError(f"no charter of a group: {error!r}") from error
    _check(charter)
    return charter


def _read_keys(told: dict[str, str]) -> dict[str, bytes]:
    return {str(name): bytes.fromhex(key) for name, key in told.items()}


def _check(charter: Charter) -> None:
    check_faults(charter.faults)
    check_pool(charter.mode, charter.faults, len(charter.replicas), charter.name)
    if len(charter.replicas) != mode_of(charter.mode).replicas(charter.faults):
        raise BadValueError(f"a charter with {len(charter.replicas)} replicas is not of its mode")
    keys = [*charter.replicas, *charter.clients.values(), *charter.administrators.values()]
    if len(charter.clients) > CLIENTS_MAX or any(len(key) != KEY_BYTES for key in keys):
        raise BadValueError(f"a charter has {CLIENTS_MAX} clients at most, and keys of 32 bytes")
    counted = len(charter.replicas) if charter.mode == "minbft" else 0
    devices = [key for _, key in charter.counters]
    if len(devices) != counted or len(set(devices)) != counted:
        raise BadValueError(f"a charter of {counted} trusted counters is expected")
    if any(len(key) != KEY_BYTES for key in devices):
        raise BadValueError("the key of a trusted counter has 32 bytes")
    if len(set(keys)) != len(keys):
        raise BadValueError("a charter in which two members have one key")
    if charter.founder not in charter.clients:
        raise BadValueError("a charter whose founder is none of its clients")
    if len(charter.administrators) > 1 or set(charter.administrators) & set(charter.clients):
        raise BadValueError("a charter has one administrator at most, who is none of its clients")
    names = [charter.name, *charter.clients, *charter.administrators, *charter.machines]
    if not all(0 < len(name) <= _NAME_CHARACTERS_MAX for name in names):
        raise BadValueError(f"a name has 1 to {_NAME_CHARACTERS_MAX} characters")
