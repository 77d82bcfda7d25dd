"""A machine's part in a pool of servers: it keeps what the machine holds of each group."""

from __future__ import annotations

import logging
import re
from typing import Any

import vista
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.classes import load_class
from apps.solidstate.objects.identity import CHARTER_FILE, Identity, pin, pinned
from apps.solidstate.objects.places import AnyPlace, Claim, Place
from apps.solidstate.objects.proxy import ReplicaClientProxy
from apps.solidstate.objects.server import ReplicaServer
from vista import BadValueError

GROUPS_MAX = 100
"""Groups that one machine takes part in; each has a replica and a proxy, with timers of theirs."""

ANNOUNCE_SECONDS = 2.0
"""How long a member waits before it asks a group again for its state variables."""

_FOLDER = re.compile(r"[^A-Za-z0-9_.-]")

_log = logging.getLogger("vista.solidstate")


def pool_service(pool: str) -> str:
    """Return the service name that every member of a pool has on its node."""
    return f"SolidState/pool/{pool}"


class ReplicaPoolMember(vista.Object, namespace="SolidState"):
    """Makes a node a member of a pool of servers, on which groups of replicas are founded.

    rc line: ``ReplicaPoolMember carts``, or ``ReplicaPoolMember carts /var/lib/vista``

    ``create(pool, directory="solidstate-data")``: the member keeps all that outlives it in a folder
    of the directory that is called after the node, so processes of one machine can have one
    directory. It holds the machine's secret key and the groups that it is in; when the node starts
    again so do their replicas, with what their disks hold. Never start a server with the folder of
    another one, nor with a copy.

    `CreateReplicasOnServers` finds the members of a pool among the peers.
    """

    server_class: type[ReplicaServer] = ReplicaServer
    proxy_class: type[ReplicaClientProxy] = ReplicaClientProxy

    def create(self, pool: str, directory: str = "solidstate-data") -> None:
        """Join the pool, and start what the folder holds."""
        self.pool = pool
        self.node_name = vista.here().get_name()
        self._directory = f"{directory}/{_FOLDER.sub('_', self.node_name) or 'node'}"
        self._claim = self._make_claim()
        self._place = self._make_place()
        self._identity = Identity(self._place)
        self._servers: dict[str, vista.Ref] = {}
        self._proxies: dict[str, vista.Ref] = {}
        self._deleted = False
        vista.register_service(pool_service(pool), self)
        for folder in self._place.folders():
            text = self._place.read(f"{folder}/{CHARTER_FILE}")
            if text is not None:
                self._start(read_charter(text.decode("utf-8", "replace")))

    def _make_claim(self) -> Claim | None:
        return Claim(self._directory)

    def _make_place(self) -> AnyPlace:
        return Place(self._directory)

    def delete(self) -> None:
        """Stop its replicas and proxies; they start again from the folder."""
        self._deleted = True
        for made in (*self._servers.values(), *self._proxies.values()):
            made.delete_yourself()
        if self._claim is not None:
            self._claim.release()

    # --- founding --------------------------------------------------------------------------

    def offer(self, group: str) -> dict[str, Any]:
        """Return who this machine would be in a group, and the charter it has pinned, if any.

        Keys: node, creator (its ObjectCreator), client (its name), replica_key, client_key,
        charter (a text, empty for none).
        """
        replica_key, client_key = self._identity.keys(group)
        known = pinned(self._place, group)
        return {
            "node": self.node_name,
            "creator": vista.here(),
            "client": self._identity.client_name,
            "replica_key": replica_key,
            "client_key": client_key,
            "charter": "" if known is None else known.text(),
        }

    def has_class(self, class_name: list[Any]) -> bool:
        """Tell whether a class of replicated objects is loaded here, or can be."""
        return load_class(class_name) is not None

    def take_charter(self, text: str) -> vista.Ref | None:
        """Pin a group and start this machine's part in it; return its ReplicaServer, if it has one.

        Raises `PinnedKeyError` when another one is pinned under its name.
        """
        charter = read_charter(text)
        if len(self._proxies) >= GROUPS_MAX and charter.name not in self._proxies:
            raise BadValueError(f"this machine is in {GROUPS_MAX} groups already")
        if self._identity.number(charter) is None and not self._identity.is_client(charter):
            raise BadValueError(f"group {charter.name!r} does not know this machine's keys")
        pin(self._place, charter)
        self._start(charter)
        return self._servers.get(charter.name)

    def note_replica_oids(self, group: str, replicas: list[Any]) -> None:
        """Tell this machine's part in a group where the replicas are, None for unknown."""
        for parts in (self._servers, self._proxies):
            part = parts.get(group)
            if part is not None:
                method = "note_replica_oids" if parts is self._servers else "initialize"
                vista.send(part, method, replicas)

    def _start(self, charter: Charter) -> None:
        group = charter.name
        number = self._identity.number(charter)
        if number is not None and group not in self._servers:
            self._servers[group] = vista.create(
                self.server_class, number, charter.faults, group, self._directory
            )
        if self._identity.is_client(charter) and group not in self._proxies:
            self._proxies[group] = vista.create(self.proxy_class, group, self._directory)
            vista.self_ref(self).announce.post(group)

    def announce(self, group: str) -> None:
        """Give the state variables of a group their service names here; it posts it to itself."""
        proxy = self._proxies.get(group)
        while proxy is not None and not self._deleted:
            try:
                proxy.announce_state_variables()
                break
            except vista.CallError as error:
                _log.debug("group %s does not answer yet: %s", group, error)
                vista.sleep(ANNOUNCE_SECONDS)

    # --- looking ---------------------------------------------------------------------------

    def get_proxy(self, group: str) -> vista.Ref:
        """Return this machine's proxy of a group. Raises `BadValueError` when it has none."""
        if group not in self._proxies:
            known = ", ".join(sorted(self._proxies)) or "none"
            raise BadValueError(f"no group {group!r} here; there are {known}")
        return self._proxies[group]

    def get_status(self) -> dict[str, Any]:
        """Return how this machine's parts are, as a dict.

        Keys: node, pool; servers, by group, as `ReplicaServer.get_status` has them; proxies, by
        group, as `ReplicaClientProxy.get_status` has them.
        """
        return {
            "node": self.node_name,
            "pool": self.pool,
            "servers": {name: ref.get_status() for name, ref in sorted(self._servers.items())},
            "proxies": {name: ref.get_status() for name, ref in sorted(self._proxies.items())},
        }
