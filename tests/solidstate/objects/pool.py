"""Pools of servers in a simulated world: their folders are on simulated disks."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

import vista
from apps.solidstate.counter_device import GROUP
from apps.solidstate.objects.administrator import GroupAdministrator
from apps.solidstate.objects.creating import CreateReplicasOnServers
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.places import AnyPlace, Claim, Write
from apps.solidstate.objects.proxy import ReplicaClientProxy
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.objects.restoring import RestoreReplicas
from apps.solidstate.objects.server import ReplicaServer
from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.durable import Recovered, frame, frames, read_frames
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.effects import Append, Compact, Store
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.messages import FetchHandovers
from apps.solidstate.pbft.usig import certify
from apps.solidstate.simulator.keys import SimulatedUsig
from tests.peers.system import PROMPT, add_node
from vista.testing import Medium, SimulatedDisk, SimulatedNode, World

POOL = "carts"
STARTED = 1_700_000_000.0
"""What the machines' clocks show when a world begins."""


class Tin:
    """What the machines of one world keep: small files, which are safe at once, and their disks."""

    world: World | None = None
    files: dict[str, dict[str, bytes]]

    counters: dict[tuple[str, str], SimulatedDevice]


TIN = Tin()


def use(world: World) -> None:
    """Have members of pools keep their things in this world."""
    TIN.world = world
    TIN.files = {}
    TIN.counters = {}


class SimulatedReplicaDisk:
    """The log and the blobs of a replica on a simulated disk."""

    def __init__(self, disk: SimulatedDisk, folder: str) -> None:
        self._disk = disk
        self._folder = folder
        self._log = f"{folder}/log"
        self._count = 0

    async def recover(self) -> Recovered | None:
        names = self._disk.names(self._folder)
        data = self._disk.read(self._log) if "log" in names else b""
        records, damaged = read_frames(data)
        blobs = {}
        for name in names:
            if name.startswith("blob-"):
                blob = self._disk.read(f"{self._folder}/{name}")
                if digest_of(blob) == bytes.fromhex(name[5:]):
                    blobs[digest_of(blob)] = blob
        if not records and not damaged:
            return None
        self._count = len(records)
        await self._replace(frames(records))
        return Recovered(tuple(records), blobs, damaged)

    async def commit(self, effects: Sequence[Write]) -> None:
        blobs: set[str] = set()
        for effect in effects:
            if isinstance(effect, Append):
                self._disk.append(self._log, frame(self._count, effect.record))
                self._count += 1
            elif isinstance(effect, Store):
                for digest, blob in effect.blobs.items():
                    blobs.add(f"{self._folder}/blob-{digest.hex()}")
                    self._disk.write(f"{self._folder}/blob-{digest.hex()}", blob)
            else:
                await self._sync(blobs)
                await self._compact(effect)
        await self._sync(blobs)
        if "log" in self._disk.names(self._folder):
            await self._disk.sync(self._log)
        await self._disk.sync(self._folder)

    async def _sync(self, paths: set[str]) -> None:
        """Sync files at the same time, as a replica's blobs are in one file of a real disk."""
        await asyncio.gather(*map(self._disk.sync, sorted(paths)))
        paths.clear()

    async def _compact(self, effect: Compact) -> None:
        # The names of the blobs, before the log that rests on them.
        await self._disk.sync(self._folder)
        await self._replace(frames(effect.records))
        self._count = len(effect.records)
        for name in self._disk.names(self._folder):
            if name.startswith("blob-") and bytes.fromhex(name[5:]) not in effect.blobs:
                self._disk.remove(f"{self._folder}/{name}")

    async def _replace(self, data: bytes) -> None:
        self._disk.write(f"{self._folder}/next", data)
        await self._disk.sync(f"{self._folder}/next")
        self._disk.rename(f"{self._folder}/next", self._log)
        await self._disk.sync(self._folder)

    def close(self) -> None:
        """Nothing is held."""


class SimulatedDevice(SimulatedUsig):
    """A trusted counter that no crash of its machine reaches, with keys that anybody can check."""

    def __init__(self, entropy: Random) -> None:
        self.epoch = entropy.getrandbits(62)
        secret = entropy.randbytes(32)
        super().__init__(secret)
        self._keyring = Ed25519Keyring(GROUP, secret, {})
        self.public_key = self._keyring.public_key

    def _sign(self, body: bytes) -> bytes:
        return self._keyring.sign(body)


class SimulatedCounter:
    """The way to a simulated device."""

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device

    async def identity(self) -> tuple[int, bytes]:
        return self._device.epoch, self._device.public_key

    async def certify(self, counter: int, body: bytes) -> bytes:
        await asyncio.sleep(0)
        return certify(self._device, counter, body)

    async def forget(self, counter: int) -> None:
        self._device.forget(counter)

    async def end(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class SimulatedPlace:
    """The place of a node of the world."""

    def __init__(self, node: str) -> None:
        assert TIN.world is not None
        self._node = node
        self._world = TIN.world
        self._files = TIN.files.setdefault(node, {})
        current = [one for one in self._world.nodes if one.name == node]
        self._disk = current[-1].disk

    def wall(self) -> float:
        return STARTED + self._world.hub.now

    def entropy(self) -> Random:
        return Random(self._world.hub.random.getrandbits(64))

    def read(self, path: str) -> bytes | None:
        return self._files.get(path)

    def write(self, path: str, data: bytes) -> None:
        self._files[path] = data

    def folders(self) -> list[str]:
        return sorted({path.partition("/")[0] for path in self._files if "/" in path})

    def disk(self, folder: str) -> SimulatedReplicaDisk:
        return SimulatedReplicaDisk(self._disk, folder)

    @property
    def medium(self) -> Medium:
        """The disk of the machine itself."""
        return self._disk.medium

    def forget(self, folder: str, *files: str) -> None:
        """Let a folder of the disk be empty, and small files of it be gone."""
        for name in self._disk.names(folder):
            self._disk.remove(f"{folder}/{name}")
        for file in files:
            self._files.pop(f"{folder}/{file}", None)

    def counter(self, folder: str) -> SimulatedCounter:
        device = TIN.counters.get((self._node, folder))
        if device is None:
            device = TIN.counters[self._node, folder] = SimulatedDevice(self.entropy())
        return SimulatedCounter(device)


class SimulatedReplicaServer(ReplicaServer, namespace="SolidState"):
    """A replica on a simulated disk."""

    def get_variables(self, name: str) -> dict[str, Any]:
        """Return what this replica holds of a state variable."""
        assert self._service is not None
        return self._service.variables[name].variables()

    def get_used(self, name: str) -> int:
        """Return when a state variable was last called by what may change it."""
        assert self._service is not None
        return self._service.variables[name].used

    def spoil(self, name: str, variables: dict[str, Any]) -> None:
        """Let this replica's memory be wrong."""
        assert self._service is not None
        self._service.variables[name].set_variables(variables)

    def _make_place(self, directory: str) -> AnyPlace:
        return SimulatedPlace(vista.here().get_name())

    def _make_config(self) -> Config:
        # So that checkpoints and fetched states occur in runs of some seconds.
        return replace(super()._make_config(), checkpoint_batches=4, window_batches=16)


class SimulatedClientProxy(ReplicaClientProxy, namespace="SolidState"):
    """A proxy of a simulated machine."""

    def count_wishes(self) -> int:
        """Return how many requests wait that the group was not asked for yet."""
        return len(self._wishes)

    def seal_noise(self, to: int, count: int) -> list[bytes]:
        """Return many letters that this client may send."""
        assert self._mail is not None
        return self._mail.seal(to, [encode(FetchHandovers(0))]) * count

    def _make_place(self, directory: str) -> AnyPlace:
        return SimulatedPlace(vista.here().get_name())


class SimulatedAdministrator(GroupAdministrator, namespace="SolidState"):
    """Who changes a group, on a simulated machine."""

    def _make_place(self, directory: str) -> AnyPlace:
        return SimulatedPlace(vista.here().get_name())


class SimulatedRestorer(RestoreReplicas, namespace="SolidState"):
    """Founds groups of simulated machines from backups."""

    def _make_place(self, pool: str) -> AnyPlace:
        return SimulatedPlace(vista.here().get_name())


class SimulatedPoolMember(ReplicaPoolMember, namespace="SolidState"):
    """A simulated machine of a pool."""

    server_class = SimulatedReplicaServer
    proxy_class = SimulatedClientProxy
    administrator_class = SimulatedAdministrator
    restorer_class = SimulatedRestorer

    def _make_claim(self) -> Claim | None:
        return None

    def _make_place(self) -> AnyPlace:
        return SimulatedPlace(self.node_name)


class SimulatedCreateReplicas(CreateReplicasOnServers, namespace="SolidState"):
    """Founds groups of simulated machines."""

    def _make_place(self, pool: str) -> AnyPlace:
        return SimulatedPlace(vista.here().get_name())


class PoolCart(ReplicatedObject):
    """What somebody wants to buy."""

    def create(self, owner: str = "nobody") -> None:
        self.owner = owner
        self.items: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> int:
        if count < 1:
            raise ValueError(f"{count} pieces of {name}")
        self.items[name] = self.items.get(name, 0) + count
        return self.items[name]

    @read_only
    def list_items(self) -> dict[str, int]:
        return self.items

    def announce_to(self, target: str, word: str) -> None:
        self.outbox.post(target, "hear", word)

    def process_request(self, form: dict[str, str]) -> str:
        return f"{self.owner}: {self.add(form['item'])}"


class PoolTray(ReplicatedObject):
    """Another class, which no group has."""


class PoolBell(vista.Object):
    """Somebody to whom replicated objects send."""

    def create(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def hear(self, word: str, key: str) -> None:
        self.heard.append((word, key))

    def list_heard(self) -> list[tuple[str, str]]:
        return self.heard


class Pool:
    """A front end and servers, linked with one another, all of them members of one pool.

    ``servers`` is how many; ``members`` makes a machine another member than the usual one.
    """

    def __init__(
        self,
        world: World,
        servers: int = 4,
        members: dict[str, type[ReplicaPoolMember]] | None = None,
    ) -> None:
        use(world)
        self.world = world
        self.names = ["front", *(f"server-{number}" for number in range(servers))]
        self._members = members or {}
        for name in self.names:
            add_node(world, name, boot=self._boot)
        world.pass_time(3.0)

    def _boot(self, node: SimulatedNode) -> None:
        """What the rc file of a machine does."""
        vista.create("PeerRegistry")
        vista.create("AnnounceServices")
        vista.create("AcceptPeerConnections", f"ipc:{node.name}")
        for other in self.names:
            if other != node.name:
                vista.create("ConnectToPeer", f"ipc:{other}")
        vista.create(self._members.get(node.name, SimulatedPoolMember), POOL)

    def grow(self, *names: str) -> None:
        """Have machines join the pool that were not there before."""
        self.names += names
        for name in names:
            add_node(self.world, name, boot=self._boot)
        self.world.pass_time(3.0)

    def node(self, name: str) -> SimulatedNode:
        """The machine of this name as it is at present."""
        return next(node for node in self.world.nodes if node.name == name)

    @property
    def front(self) -> SimulatedNode:
        """The machine that founds groups."""
        return self.node("front")

    def found(self, *args: Any, cls: type[ReplicatedObject] = PoolCart, **kwargs: Any) -> vista.Ref:
        """Found a group and return the Ref of its cart on the front end."""
        given = args or (POOL, 1, cls.__name__, "cart")
        maker = self.front.call(lambda: vista.create(SimulatedCreateReplicas, *given, **kwargs))
        made: vista.Ref = self.front.call(maker.get_state_variable)
        return made

    def call(self, ref: vista.Ref, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method from the front end."""
        return self.front.call(lambda: vista.send(ref, method, *args, **kwargs))

    def status(self, name: str, group: str = POOL) -> dict[str, Any]:
        """How a server says it is."""
        service = pool_service(POOL)
        told = self.node(name).call(lambda: vista.service(service).get_status())
        found: dict[str, Any] = told["servers"][group]
        return found

    def proxy(self, name: str, group: str = POOL) -> vista.Ref:
        """The proxy of a machine."""
        service = pool_service(POOL)
        made: vista.Ref = self.node(name).call(lambda: vista.service(service).get_proxy(group))
        return made


def make_world(seed: int) -> World:
    """A world whose network tells of losses at once."""
    world = World(seed)
    world.network.conditions = PROMPT
    return world
