"""Founding a group of replicas on the servers of a pool."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import vista
from apps.solidstate.errors import PinnedKeyError, PoolError
from apps.solidstate.objects.charter import (
    Charter,
    check_faults,
    check_pool,
    mode_of,
    read_charter,
)
from apps.solidstate.objects.classes import bring_class, full_name
from apps.solidstate.objects.identity import draw_nonce
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import AnyPlace, Place
from vista import BadValueError

POOL_SECONDS = 20.0
"""How long servers are waited for that are not there yet: about what a node takes to start and to
be linked on a busy machine."""

SPARE_SECONDS = 2.0
"""How long a further one is waited for where there are just enough: with it the founder's own node
is none of the servers."""

_LOOK_SECONDS = 0.25
_GONE = (vista.PeerLost, vista.CallTimeout, vista.NoSuchObject)

_log = logging.getLogger("vista.solidstate")


class CreateReplicasOnServers(vista.Object, namespace="SolidState"):
    """Makes an object that a group of servers executes, and founds the group if there is none.

    rc line: ``CreateReplicasOnServers carts 1 Cart cart``, once the nodes of the pool are linked;
    with all arguments
    ``CreateReplicasOnServers carts 2 Cart cart "" ReplicaClientProxy group-1 "" crash``

    ``create(...)`` without arguments does nothing; with some it does what `initialize` does with
    them, and the object that it made is the service ``state_object_name``.

    Run again it finds the group as it is. A node of the pool runs it: that of the rc file has to
    have a `ReplicaPoolMember` as well.

    The original's CreateReplicasOnServers.
    """

    def create(
        self,
        server_pool_name: str = "",
        faults_to_tolerate: int = 1,
        state_class_name: str = "",
        state_object_name: str = "",
        additional_state_var_args: list[str] | None = None,
        proxy_class_name: str = "ReplicaClientProxy",
        proxy_object_name: str = "",
        additional_proxy_args: list[str] | None = None,
        mode: str = "byzantine",
    ) -> None:
        """Do nothing yet, or all of it."""
        self.state_var: vista.Ref | None = None
        self.proxy: vista.Ref | None = None
        self.replica: list[Any] = []
        if server_pool_name:
            self.initialize(
                server_pool_name, faults_to_tolerate, state_class_name, state_object_name,
                _given(additional_state_var_args), proxy_class_name, proxy_object_name,
                _given(additional_proxy_args), mode,
            )  # fmt: skip

    def initialize(
        self,
        server_pool_name: str,
        faults_to_tolerate: int,
        state_class_name: str,
        state_object_name: str,
        additional_state_var_args: Sequence[Any] = (),
        proxy_class_name: str = "ReplicaClientProxy",
        proxy_object_name: str = "",
        additional_proxy_args: Sequence[Any] = (),
        mode: str = "byzantine",
    ) -> vista.Ref:
        """Have the servers of a pool execute an object, and return its Ref.

        ``faults_to_tolerate`` is 1 to 3. ``state_class_name`` is a `ReplicatedObject`, to whose
        ``create`` the arguments go; ``state_object_name`` its service name. ``proxy_object_name``
        is the service name of the proxies and the name of the group, by default that of the pool;
        a further object in the same group is made by the same name. ``mode`` is ``byzantine``, for
        servers that may be faulty in any way and of which there are 3f + 1, ``crash``, for 2f + 1
        that at worst stop, or ``minbft``, for 2f + 1 with trusted counters, whose place a process
        takes here that is no hardware: a stand-in.

        Raises `PoolError` when too few servers run, `PinnedKeyError` when one is not who it was,
        `NoSuchClass`, and what the class's ``create`` raises.
        """
        check_faults(faults_to_tolerate)
        if proxy_class_name not in ("ReplicaClientProxy", ""):
            raise BadValueError("proxies of the class ReplicaClientProxy are all there are")
        if additional_proxy_args:
            raise BadValueError("a ReplicaClientProxy takes no further arguments")
        needed = mode_of(mode).replicas(faults_to_tolerate)
        class_name = full_name(state_class_name)
        group = proxy_object_name or server_pool_name
        own, offers = self._find_pool(server_pool_name, needed, group)
        charter = _pinned_by(offers.values())
        if charter is None:
            # The own member only where there are no others left.
            chosen = [*(ref for ref in offers if ref != own), own]
            check_pool(mode, faults_to_tolerate, len(chosen), server_pool_name)
            place = self._make_place(server_pool_name)
            faults, chosen = faults_to_tolerate, chosen[:needed]
            charter = charter_of(group, mode, faults, chosen, offers, own, place)
        _check_same(charter, mode, faults_to_tolerate)
        _check_known(charter, offers.values())
        self._spread(charter, offers, [class_name])
        self.proxy = own.get_proxy(group)
        made: vista.Ref = self.proxy.create_state_variable(
            class_name, state_object_name, *additional_state_var_args
        )
        for ref in offers:
            ref.announce.post(group)
        self.proxy.announce_state_variables()
        self.state_var = made
        return made

    def get_state_variable(self) -> vista.Ref | None:
        """Return the Ref of the object that was made."""
        return self.state_var

    def get_proxy(self) -> vista.Ref | None:
        """Return this node's proxy of the group."""
        return self.proxy

    def get_replicas(self) -> list[Any]:
        """Return the ReplicaServers in the order of their numbers, None for one that is missing."""
        return self.replica

    def _make_place(self, pool: str) -> AnyPlace:
        """Return dice, wherever they are from."""
        return Place(".")

    def _find_pool(
        self, pool: str, needed: int, group: str
    ) -> tuple[vista.Ref, dict[vista.Ref, dict[str, Any]]]:
        """Return this node's member of a pool, and what each member offers, by their names."""
        own = self._own_member(pool)
        offers: dict[vista.Ref, dict[str, Any]] = {}
        waited = 0.0
        self._ask_offers(pool, group, offers)
        # One more than needed: then this node's own need not be one of them.
        while waited < POOL_SECONDS if len(offers) < needed else waited < SPARE_SECONDS:
            if len(offers) > needed:
                break
            vista.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
            self._ask_offers(pool, group, offers)
        return own, dict(sorted(offers.items(), key=lambda offer: str(offer[1]["node"])))

    def _ask_offers(self, pool: str, group: str, offers: dict[vista.Ref, dict[str, Any]]) -> None:
        """Ask the members that have not answered yet; one that is lost is asked again."""
        for id in sorted(self._members(pool)):
            ref = vista.ref_of(id)
            if ref in offers:
                continue
            try:
                offers[ref] = ref.offer(group)
            except vista.CallError as error:
                _log.warning("a member of pool %s does not answer: %s", pool, error)

    def _own_member(self, pool: str) -> vista.Ref:
        here = vista.id_of(vista.here()).node
        for id in self._members(pool):
            if id.node == here:
                return vista.ref_of(id)
        raise PoolError(
            f"this node is no member of pool {pool!r}: it needs a line ReplicaPoolMember {pool}"
        )

    def _members(self, pool: str) -> set[vista.Id]:
        name = pool_service(pool)
        return {row.object for row in vista.services() if row.name == name}

    def _spread(
        self, charter: Charter, offers: dict[vista.Ref, dict[str, Any]], classes: list[list[Any]]
    ) -> None:
        """Hand the charter and the classes to all members that are there."""
        text = charter.text()
        self.replica = [None] * len(charter.replicas)
        for ref, offer in offers.items():
            if not _takes_part(charter, offer):
                continue
            try:
                for class_name in classes:
                    bring_class(ref, offer["node"], offer["creator"], class_name)
                server = ref.take_charter(text)
            except _GONE as error:
                _log.warning(
                    "%s is lost while group %s is founded: %s", offer["node"], charter.name, error
                )
                continue
            if server is not None:
                number = server.get_status()["id"]
                self.replica += [None] * (number + 1 - len(self.replica))
                self.replica[number] = server
        founded = enumerate(self.replica[: len(charter.replicas)])
        missing = [str(number) for number, one in founded if one is None]
        if missing:
            _log.warning("group %s without replica %s", charter.name, ", ".join(missing))
        for ref, offer in offers.items():
            if _takes_part(charter, offer):
                vista.post(ref, "note_replica_oids", charter.name, self.replica)


def _given(words: list[str] | None) -> list[str]:
    """Return the arguments of an rc line, where an empty text stands for none."""
    return [] if words in (None, [""]) else list(words or ())


def _takes_part(charter: Charter, offer: dict[str, Any]) -> bool:
    mine = charter.clients.get(offer["client"]) == offer["client_key"]
    # Or it came later: then it has the charter pinned.
    return mine or offer["replica_key"] in charter.replicas or bool(offer["charter"])


def _pinned_by(offers: Any) -> Charter | None:
    """Return the charter that members have pinned, None where none has one."""
    found: Charter | None = None
    for offer in offers:
        if offer["charter"]:
            charter = read_charter(offer["charter"])
            if found is not None and charter != found:
                raise PinnedKeyError(
                    f"group {charter.name!r} was founded twice: {offer['node']} has it with other "
                    f"members than others; remove its folder on the servers where it is to be gone"
                )
            found = charter
    return found


def charter_of(
    group: str,
    mode: str,
    faults: int,
    chosen: Sequence[vista.Ref],
    offers: dict[vista.Ref, dict[str, Any]],
    own: vista.Ref,
    place: AnyPlace,
) -> Charter:
    """Return the charter of a new group, whose clients are all members of the pool."""
    return Charter(
        group,
        draw_nonce(place),
        mode,
        faults,
        tuple(offers[ref]["replica_key"] for ref in chosen),
        {offer["client"]: offer["client_key"] for offer in offers.values()},
        offers[own]["client"],
        {offers[own]["administrator"]: offers[own]["administrator_key"]},
        tuple(offers[ref]["client"] for ref in chosen),
        counters=_counters(group, chosen) if mode == "minbft" else (),
    )


def _check_same(charter: Charter, mode: str, faults: int) -> None:
    if (charter.mode, charter.faults) != (mode, faults):
        raise PoolError(
            f"group {charter.name!r} was founded as {charter.mode} for {charter.faults}, and "
            f"{mode} for {faults} is asked for: give another proxy_object_name"
        )


def _check_known(charter: Charter, offers: Any) -> None:
    """Raise `PinnedKeyError` for a machine that comes under a name it had with another key."""
    names = {offer["client"]: offer for offer in offers}
    for name, key in charter.clients.items():
        offer = names.get(name)
        if offer is not None and offer["client_key"] != key:
            raise PinnedKeyError(
                f"{offer['node']} shows key {offer['client_key'].hex()[:16]} for group "
                f"{charter.name!r}, and {key.hex()[:16]} is pinned: bring its folder back"
            )


def _counters(group: str, chosen: Sequence[vista.Ref]) -> tuple[tuple[int, bytes], ...]:
    """Return the trusted counters of the machines that are chosen."""
    _log.warning(
        "group %s trusts counters that are processes and no hardware, a stand-in: who is the user "
        "of one, or puts back its files, can break the group",
        group,
    )
    return tuple((epoch, key) for epoch, key in (ref.offer_counter(group) for ref in chosen))
