"""A machine's part in a pool of servers: it keeps what the machine holds of each group."""

from __future__ import annotations

import contextlib
import logging
import re
from typing import Any

import vista
from apps.solidstate.errors import BackupError, PinnedKeyError
from apps.solidstate.objects.administrator import GroupAdministrator
from apps.solidstate.objects.backup import BACKUP_BYTES_MAX, read_backup
from apps.solidstate.objects.charter import Charter, read_charter
from apps.solidstate.objects.classes import load_class
from apps.solidstate.objects.counters import open_founding, open_offered
from apps.solidstate.objects.identity import (
    Identity,
    charter_in,
    joined,
    known_membership,
    note_joined,
    note_membership,
    note_retired,
    pin,
    pinned,
)
from apps.solidstate.objects.machines import answers_of
from apps.solidstate.objects.mail import pool_service, service_name
from apps.solidstate.objects.places import AnyPlace, Claim, Counter, Place, folder_of
from apps.solidstate.objects.proxy import ReplicaClientProxy
from apps.solidstate.objects.restoring import ORIGIN_FILE, RestoreReplicas, origin_pages
from apps.solidstate.objects.server import ReplicaServer
from apps.solidstate.objects.showing import (
    FIGURES_SERVICE,
    Row,
    read_figures,
    rows_of_proxy,
    rows_of_server,
)
from apps.solidstate.objects.twins import Twins
from apps.solidstate.objects.users import NO_PEERS, check_user
from apps.solidstate.pbft.canonical import MalformedMessage, pack
from apps.solidstate.pbft.membership import read_membership
from apps.solidstate.pbft.messages import Membership
from vista import AccessDenied, BadValueError

GROUPS_MAX = 100
"""Groups that one machine takes part in; each has a replica and a proxy, with timers of theirs."""

ANNOUNCE_SECONDS = 2.0
"""How long a member waits before it asks a group again for its state variables."""

TEND_SECONDS = 5.0
"""How often a member looks whether it came into a group, or left one and can stop serving it."""

NODE_FILE = "node"
"""The file that names the node whose folder it is: one that is copied to another node is two
machines with one secret, and each forgets what the other one promised."""

_FOLDER = re.compile(r"[^A-Za-z0-9_.-]")

_log = logging.getLogger("vista.solidstate")


class ReplicaPoolMember(vista.Object, namespace="SolidState"):
    """Makes a node a member of a pool of servers, on which groups of replicas are founded.

    rc line: ``ReplicaPoolMember carts``, or ``ReplicaPoolMember carts /var/lib/vista``

    ``create(pool, directory="solidstate-data", users="")``: the member keeps all that outlives it
    in a folder of the directory that is called after the node, so processes of one machine can have
    one directory. It holds the machine's secret key and the groups that it is in; when the node
    starts again so do their replicas, with what their disks hold. Never start a server with the
    folder of another one, nor with a copy.

    ``users`` are those, besides the node's own, who may found groups on this machine and have its
    proxies ask: names or patterns, joined by commas. By default it is everybody but peers with keys
    of their own (`vista.is_peers_user`): visitors of web pages, and nodes that have the same key.
    Where servers have keys of their own it names the founder's user and those of web pages, and not
    the other servers'.

    `CreateReplicasOnServers` finds the members of a pool among the peers.
    """

    server_class: type[ReplicaServer] = ReplicaServer
    proxy_class: type[ReplicaClientProxy] = ReplicaClientProxy
    administrator_class: type[GroupAdministrator] = GroupAdministrator
    restorer_class: type[RestoreReplicas] = RestoreReplicas

    def create(self, pool: str, directory: str = "solidstate-data", users: str = NO_PEERS) -> None:
        """Join the pool, and start what the folder holds."""
        self.pool = pool
        self._users = users
        self.node_name = vista.here().get_name()
        self._directory = f"{directory}/{_FOLDER.sub('_', self.node_name) or 'node'}"
        self._servers: dict[str, vista.Ref] = {}
        self._proxies: dict[str, vista.Ref] = {}
        self._administrators: dict[str, vista.Ref] = {}
        self._timers: dict[str, vista.Ref] = {}
        self._deleted = False
        self._claim = self._make_claim()
        try:
            self._begin()
        except BaseException:
            # An object that was never made is not deleted either.
            self.delete()
            raise

    def _begin(self) -> None:
        self._place = self._make_place()
        self._check_owner()
        self._identity = Identity(self._place)
        self._announcing: dict[str, bool] = {}
        self._origin: tuple[str, bytearray] = ("", bytearray())
        self._user = vista.current_user()
        self._twins = Twins(self.pool, vista.self_ref(self), self._identity, self._place)
        vista.register_service(pool_service(self.pool), self)
        vista.register_service(f"{FIGURES_SERVICE}/{self.pool}/{self.node_name}", self)
        for folder in self._place.folders():
            charter = charter_in(self._place, folder)
            if charter is not None:
                self._start(charter)

    def _make_claim(self) -> Claim | None:
        return Claim(self._directory)

    def _make_place(self) -> AnyPlace:
        return Place(self._directory)

    def _check_owner(self) -> None:
        known = self._place.read(NODE_FILE)
        if known is None:
            self._place.write(NODE_FILE, self.node_name.encode())
        elif known != self.node_name.encode():
            raise BadValueError(
                f"folder {self._directory} is that of node {known.decode(errors='replace')!r}, and "
                f"this is {self.node_name!r}: bring back its own, or replace this machine in its "
                f"groups. If it is the same machine under another name, remove the file "
                f"{NODE_FILE!r} in it, and never start the node of the former name again"
            )

    def delete(self) -> None:
        """Stop its replicas and proxies; they start again from the folder."""
        self._deleted = True
        parts = (self._timers, self._servers, self._proxies, self._administrators)
        for made in [one for part in parts for one in part.values()]:
            # One that is gone already keeps no other one running, nor the folder claimed.
            with contextlib.suppress(vista.CallError):
                made.delete_yourself()
        if self._claim is not None:
            self._claim.release()

    # --- founding --------------------------------------------------------------------------

    def offer(self, group: str) -> dict[str, Any]:
        """Return who this machine would be in a group, and the charter it has pinned, if any.

        Keys: node, creator (its ObjectCreator), client (its name), replica_key, client_key,
        administrator (the name under which it would change the group), administrator_key, charter
        (a text, empty for none), live (the number of the replica it runs, or None).
        """
        replica_key, client_key = self._identity.keys(group)
        known = pinned(self._place, group)
        return {
            "node": self.node_name,
            "creator": vista.here(),
            "client": self._identity.client_name,
            "replica_key": replica_key,
            "client_key": client_key,
            "administrator": self._identity.administrator_name,
            "administrator_key": self._identity.administrator_key(group),
            "charter": "" if known is None else known.text(),
            "live": None if known is None else self._identity.live_number(known),
        }

    def offer_counter(self, group: str) -> tuple[int, bytes]:
        """Return the epoch and public key of this machine's trusted counter in a group.

        Raises `vista.StoreError` when it cannot be started, `PinnedKeyError` for a group that is
        here: its counter is in use. `BadValueError` where too many were offered for nothing.
        """
        self._check_founder()
        return _identity(open_founding(self._place, group))

    def offer_replica_counter(self, text: str, number: int) -> tuple[int, bytes]:
        """Return the trusted counter with which this machine would come into a group later.

        Raises as `offer_counter`, and `BadValueError` where it came under that number already.
        """
        self._check_founder()
        charter = read_charter(text)
        self._check_groups(charter)
        return _identity(open_offered(self._place, charter, number))

    def has_class(self, class_name: list[Any]) -> bool:
        """Tell whether a class of replicated objects is loaded here, or can be."""
        return load_class(class_name) is not None

    def take_charter(self, text: str) -> vista.Ref | None:
        """Pin a group and start this machine's part in it; return its ReplicaServer, if it has one.

        Raises `PinnedKeyError` when another one is pinned under its name, `AccessDenied` for users
        for whom nothing is founded here.
        """
        self._check_founder()
        charter = read_charter(text)
        self._check_groups(charter)
        stranger = self._identity.number(charter) is None and not joined(self._place, charter)
        if stranger and not self._identity.is_client(charter):
            raise BadValueError(f"group {charter.name!r} does not know this machine's keys")
        if charter.origin and self._identity.number(charter) is not None:
            self._keep_origin(charter)
        pin(self._place, charter)
        self._start(charter)
        return self._servers.get(charter.name)

    def _check_groups(self, charter: Charter) -> None:
        if len(self._timers) >= GROUPS_MAX and charter.name not in self._timers:
            raise BadValueError(
                f"this machine is in {GROUPS_MAX} groups already: remove the folder of one that "
                f"is gone, and start the node again"
            )

    def take_origin(self, group: str, at: int, piece: bytes) -> None:
        """Take a piece of the state that a group is to begin with, before its charter comes.

        Of one group at a time. Raises `PinnedKeyError` for a group that is here, `BackupError` for
        pieces that do not follow each other, or are too much, and `AccessDenied`.
        """
        self._check_founder()
        if pinned(self._place, group) is not None:
            raise PinnedKeyError(f"{self.node_name} has a group {group!r} already")
        if at == 0:
            self._origin = (group, bytearray())
        known, data = self._origin
        if known != group or at != len(data) or at + len(piece) > BACKUP_BYTES_MAX:
            raise BackupError(f"a piece at {at}, behind {len(data)} bytes: send all from 0 on")
        data += piece

    def _keep_origin(self, charter: Charter) -> None:
        """Keep the state that a group begins with, once it is the one the charter names."""
        path = f"{folder_of(charter.name)}/{ORIGIN_FILE}"
        # One that is there without a charter is of a restore that was cut off.
        if self._place.read(path) is None or pinned(self._place, charter.name) is None:
            known, data = self._origin
            origin_pages(charter, bytes(data) if known == charter.name else None)
            self._place.write(path, bytes(data))
        self._origin = ("", bytearray())

    def restore(self, group: str, digest: str) -> dict[str, Any]:
        """Found a group from the backup that was taken by `take_origin`; the operator sends it.

        ``digest`` is that of the backup (`Backup.digest`, hexadecimal): others can send pieces as
        well. Raises as `RestoreReplicas.restore`, and `AccessDenied` for others.
        """
        self._check_user()
        known, data = self._origin
        self._origin = ("", bytearray())
        sent = bytes(data) if known == group else b""
        if read_backup(sent).digest.hex() != digest:
            raise BackupError("another backup came than the one that was sent: restore it again")
        restorer = vista.create(self.restorer_class)
        try:
            told: dict[str, Any] = restorer.restore(self.pool, group, sent)
        finally:
            restorer.delete_yourself()
        return told

    def note_replica_oids(self, group: str, replicas: list[Any]) -> None:
        """Tell this machine's part in a group where the replicas are, None for unknown."""
        for parts in (self._servers, self._proxies):
            part = parts.get(group)
            if part is not None:
                part.note_replica_oids(replicas)

    def _start(self, charter: Charter) -> None:
        group = charter.name
        number = self._identity.live_number(charter)
        if number is not None and group not in self._servers and not self._twins.found:
            self._servers[group] = vista.create(
                self.server_class, number, charter.faults, group, self._directory
            )
        self._start_proxy(charter)
        if group not in self._timers:
            # No thread that sleeps: a node that stops would wait for it.
            me = vista.self_ref(self)
            self._timers[group] = vista.create("RepeatingTimerEvent", me, TEND_SECONDS, group)

    def _start_proxy(self, charter: Charter) -> None:
        group = charter.name
        if self._identity.is_client(charter) and group not in self._proxies:
            self._proxies[group] = vista.create(
                self.proxy_class, group, self._directory, self._user, self._users
            )
            vista.self_ref(self).announce.post(group)

    # --- coming and leaving ----------------------------------------------------------------

    def replica_key(self, text: str, number: int) -> bytes:
        """Return the key this machine would have as the replica of that number in a group."""
        return self._identity.replica_key(read_charter(text), number)

    def take_membership(self, text: str, row: list[Any], signature: bytes) -> None:
        """Pin a group that was founded before this machine came, and take part as its client.

        ``row`` is the group of the day, which its administrator signed. Raises `PinnedKeyError`
        when another group is pinned under its name, `AccessDenied` for another signature, and for
        users for whom nothing is founded here where the group is not pinned yet.
        """
        charter = read_charter(text)
        self._check_groups(charter)
        membership = self._signed(charter, "membership", [row], row, signature)
        pin(self._place, charter)
        note_membership(self._place, charter, membership)
        self._start(charter)

    def join(self, text: str, number: int, row: list[Any], signature: bytes) -> None:
        """Start a replica that came into a group; ``row`` is what the group was before.

        Its administrator signed that, and the key under which this machine comes: what it signed
        for one machine starts a replica on no other. Raises as `take_membership`.
        """
        charter = read_charter(text)
        self._check_groups(charter)
        key = self._identity.replica_key(charter, number)
        before = self._signed(charter, "join", [number, key, row], row, signature)
        pin(self._place, charter)
        if number < len(charter.replicas):
            raise BadValueError(f"replica {number} was there when the group was founded")
        if number not in joined(self._place, charter):
            note_joined(self._place, charter, number, before)
        if self._identity.live_number(charter) == number:
            former = self._servers.get(charter.name)
            if former is not None and former.get_status()["id"] != number:
                self._servers.pop(charter.name, None)
                former.delete_yourself()
        self._start(charter)

    def _signed(
        self, charter: Charter, tag: str, said: list[Any], row: list[Any], signature: bytes
    ) -> Membership:
        """Return the membership in a row that the administrator of a group signed."""
        known = pinned(self._place, charter.name)
        if known is not None and known != charter:
            raise PinnedKeyError(f"another group is pinned under the name {charter.name!r}")
        if known is None:
            # Whoever makes up a group is its administrator.
            self._check_founder()
        keyring = self._identity.keyring(charter, self._identity.client_name)
        body = pack([tag, *said])
        if not any(keyring.verify(one, body, signature) for one in charter.administrators):
            raise AccessDenied(f"no administrator of group {charter.name!r} signed that")
        try:
            return read_membership(row)
        except MalformedMessage as error:
            raise BadValueError(f"no membership of a group: {error}") from error

    def get_administrator(self, group: str) -> vista.Ref:
        """Return the object by which a group is changed that was founded here.

        Raises `AccessDenied` on other machines, and for others than the user of this node.
        """
        self._check_user()
        self.get_proxy(group)
        if group not in self._administrators:
            self._administrators[group] = vista.create(
                self.administrator_class, group, self._directory, self.pool
            )
        return self._administrators[group]

    def _check_user(self) -> None:
        user = vista.current_user()
        if user != self._user:
            raise AccessDenied(f"a group is changed by {self._user}, and not by {user}")

    def _check_founder(self) -> None:
        """Raise `AccessDenied` for users who may not found groups on this machine."""
        check_user(self._user, self._users, "groups are founded here")

    def timer_expired(self, timer: vista.Ref, group: str) -> None:
        """See to it that what runs here is what a group knows; the timer of the group sends it."""
        if self._timers.get(group) != timer:
            return
        try:
            self._twins.look(self._servers, self._directory)
            charter = pinned(self._place, group)
            if charter is not None and not self._deleted:
                self._tend(charter)
        except (vista.VistaError, OSError) as error:
            _log.warning("group %s is looked after again later: %s", group, error)

    def _tend(self, charter: Charter) -> None:
        group = charter.name
        if self._identity.is_client(charter):
            self._start_proxy(charter)
        elif group in self._proxies:
            _log.warning("this machine may no longer ask group %s", group)
            self._proxies.pop(group).delete_yourself()
        server = self._servers.get(group)
        if server is None:
            return
        told = server.get_status()
        succeeded = told.get("retired") and self._is_succeeded(charter)
        if succeeded and self._servers.get(group) == server:
            _log.warning("replica %d of %s left the group, and is stopped", told["id"], group)
            note_retired(self._place, charter, told["id"])
            del self._servers[group]
            server.delete_yourself()

    def answer_challenge(self, challenge: bytes) -> bytes:
        """Return what only this machine, or one with a copy of its folder, can answer."""
        return self._twins.answer(challenge)

    def _is_succeeded(self, charter: Charter) -> bool:
        """Tell whether all members of the group of the day say that they have its state."""
        membership = known_membership(self._place, charter)
        names = {service_name(charter.name, one.number) for one in membership.members}
        asked = {row.name: row.object for row in vista.services() if row.name in names}
        told = [read_figures(one) for _, one in answers_of([*asked.items()], "get_status")]
        there = [
            row
            for row in told
            if row.get("epoch", -1) >= membership.epoch
            and row.get("executed", -1) >= membership.start
        ]
        return len(there) == len(names)

    def announce(self, group: str) -> None:
        """Give the state variables of a group their service names here; it posts it to itself."""
        proxy = self._proxies.get(group)
        if group in self._announcing:
            # One thread is enough, and tells what came meanwhile as well.
            self._announcing[group] = True
            return
        self._announcing[group] = True
        try:
            while proxy is not None and not self._deleted and self._announcing[group]:
                self._announcing[group] = False
                try:
                    proxy.announce_state_variables()
                except vista.CallError as error:
                    _log.debug("group %s does not answer yet: %s", group, error)
                    self._announcing[group] = True
                    vista.sleep(ANNOUNCE_SECONDS)
        finally:
            del self._announcing[group]

    # --- looking ---------------------------------------------------------------------------

    def get_proxy(self, group: str) -> vista.Ref:
        """Return this machine's proxy of a group. Raises `BadValueError` when it has none."""
        if group not in self._proxies:
            known = ", ".join(sorted(self._proxies)) or "none"
            raise BadValueError(f"no group {group!r} here; there are {known}")
        return self._proxies[group]

    def get_figures(self) -> list[Row]:
        """Return the figures of this machine's parts for a page of metrics; see `HTTPmetrics`."""
        rows: list[Row] = []
        for server in list(self._servers.values()):
            rows += rows_of_server(server.get_status())
        for proxy in list(self._proxies.values()):
            rows += rows_of_proxy(proxy.get_status())
        return rows

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


def _identity(counter: Counter) -> tuple[int, bytes]:
    """Return the epoch and public key of a counter that nobody uses yet, and let go of it."""
    try:
        told: tuple[int, bytes] = vista.wait(counter.identity())
    finally:
        vista.wait(counter.end())
    return told
