"""Founding a group of replicas on the servers of a pool."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import vista
from apps.solidstate.errors import PinnedKeyError, PoolError
from apps.solidstate.objects.charter import (
    Charter,
    check_faults,
    check_pool,
    mode_of,
    read_charter,
    reads_of,
)
from apps.solidstate.objects.classes import bring_class, full_name
from apps.solidstate.objects.identity import draw_nonce
from apps.solidstate.objects.machines import answers_of, is_offer
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import AnyPlace, Place
from apps.solidstate.objects.showing import read_figures
from vista import BadValueError

POOL_SECONDS = 20.0
"""How long servers are waited for that are not there yet: about what a node takes to start and to
be linked on a busy machine."""

SPARE_SECONDS = 2.0
"""How long a further one is waited for where there are just enough: with it the founder's own node
is none of the servers."""

SPREAD_SECONDS = 30.0
"""How long one machine may take to have the classes and start its part; then it is left out, as one
that is down, and starts when the group is founded again."""

NUMBERS_MAX = 1_000
"""Numbers of replicas that machines are believed: more than come into a group in its life."""

_LOOK_SECONDS = 0.25
_GONE = (vista.PeerLost, vista.CallTimeout, vista.NoSuchObject)

Offers = dict[vista.Ref, dict[str, Any]]
"""What the members of a pool offer; any of them may be faulty."""

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
        reads: str = "",
    ) -> None:
        """Do nothing yet, or all of it."""
        self.state_var: vista.Ref | None = None
        self.proxy: vista.Ref | None = None
        self.replica: list[Any] = []
        if server_pool_name:
            self.initialize(
                server_pool_name, faults_to_tolerate, state_class_name, state_object_name,
                _given(additional_state_var_args), proxy_class_name, proxy_object_name,
                _given(additional_proxy_args), mode, reads,
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
        reads: str = "",
    ) -> vista.Ref:
        """Have the servers of a pool execute an object, and return its Ref.

        ``faults_to_tolerate`` is 1 to 3. ``state_class_name`` is a `ReplicatedObject`, to whose
        ``create`` the arguments go; ``state_object_name`` its service name. ``proxy_object_name``
        is the service name of the proxies and the name of the group, by default that of the pool;
        a further object in the same group is made by the same name. ``mode`` is ``byzantine``, for
        servers that may be faulty in any way and of which there are 3f + 1, ``crash``, for 2f + 1
        that at worst stop, or ``minbft``, for 2f + 1 with trusted counters, whose place a process
        takes here that is no hardware: a stand-in. ``reads`` says whether methods that are declared
        `read_only` are ``ordered`` as all others, or ``unordered``: answered at once by 2f + 1
        servers (f + 1 where they only crash), for which all other calls wait for as many answers.
        By default it is as the mode has it, and of a group that is there as it was founded.

        Raises `PoolError` when too few servers run, `PinnedKeyError` when one is not who it was,
        `NoSuchClass`, and what the class's ``create`` raises.
        """
        check_faults(faults_to_tolerate)
        _check_proxy(proxy_class_name, additional_proxy_args)
        needed = mode_of(mode).replicas(faults_to_tolerate)
        unordered = reads_of(mode, reads) == "unordered"
        class_name = full_name(state_class_name)
        group = proxy_object_name or server_pool_name
        own, offers = self._find_pool(server_pool_name, needed, group)
        charter = known_charter(own, offers)
        is_there = charter is not None
        if charter is None:
            chosen = chosen_members(server_pool_name, mode, faults_to_tolerate, own, offers)
            place = self._make_place(server_pool_name)
            made = charter_of(group, mode, faults_to_tolerate, chosen, offers, own, place)
            charter = replace(made, unordered_reads=unordered)
        _check_same(charter, mode, faults_to_tolerate, reads)
        offers = _members_of(charter, offers)
        self._spread(charter, own, offers, [class_name], is_there)
        self.proxy = own.get_proxy(group)
        variable: vista.Ref = self.proxy.create_state_variable(
            class_name, state_object_name, *additional_state_var_args
        )
        for ref in offers:
            ref.announce.post(group)
        self.proxy.announce_state_variables()
        self.state_var = variable
        return variable

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

    def _find_pool(self, pool: str, needed: int, group: str) -> tuple[vista.Ref, Offers]:
        """Return this node's member of a pool, and what each member offers, by their names."""
        own = self._own_member(pool)
        offers: Offers = {}
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

    def _ask_offers(self, pool: str, group: str, offers: Offers) -> None:
        """Ask the members that have not answered yet; one that is lost is asked again."""
        ids = sorted(self._members(pool))
        asked = [ref for ref in map(vista.ref_of, ids) if ref not in offers]
        for ref, offer in answers_of([(ref, ref) for ref in asked], "offer", group):
            if is_offer(offer):
                offers[ref] = offer
            else:
                _log.warning("member %s of pool %s does not say who it is", ref, pool)

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
        self,
        charter: Charter,
        own: vista.Ref,
        offers: Offers,
        classes: list[list[Any]],
        is_there: bool = False,
    ) -> None:
        """Hand the charter and the classes to all members that are there, this node's own first.

        Cut off behind it, this node knows the group: it believes nobody else's word for it. Of a
        group that ``is_there`` one member that refuses keeps the others from nothing.
        """
        self.replica = [None] * len(charter.replicas)
        for ref in sorted(offers, key=lambda ref: ref != own):
            offer = offers[ref]
            if not _takes_part(charter, offer):
                continue
            told = (charter.text(), ref, offer, classes)
            with vista.timeout(SPREAD_SECONDS):
                error = vista.future(vista.self_ref(self), "hand_over", *told).exception()
            if error is not None and not (is_there or isinstance(error, _GONE)):
                raise error
            if error is not None:
                _log.warning(
                    "%s takes no part while group %s is founded: %r",
                    offer["node"], charter.name, error,
                )  # fmt: skip
        founded = enumerate(self.replica[: len(charter.replicas)])
        missing = [str(number) for number, one in founded if one is None]
        if missing:
            _log.warning("group %s without replica %s", charter.name, ", ".join(missing))
        for ref, offer in offers.items():
            if _takes_part(charter, offer):
                vista.post(ref, "note_replica_oids", charter.name, self.replica)

    @vista.preemptable
    def hand_over(
        self, text: str, ref: vista.Ref, offer: dict[str, Any], classes: list[list[Any]]
    ) -> None:
        """Hand a charter and the classes to one member; the object sends it to itself."""
        for class_name in classes:
            bring_class(ref, offer["node"], offer["creator"], class_name)
        server = ref.take_charter(text)
        if isinstance(server, vista.Ref):
            number = read_figures(server.get_status()).get("id", -1)
            if 0 <= number < NUMBERS_MAX:
                self.replica += [None] * (number + 1 - len(self.replica))
                self.replica[number] = server


def _given(words: list[str] | None) -> list[str]:
    """Return the arguments of an rc line, where an empty text stands for none."""
    return [] if words in (None, [""]) else list(words or ())


def _check_proxy(class_name: str, arguments: Sequence[Any]) -> None:
    if class_name not in ("ReplicaClientProxy", ""):
        raise BadValueError("proxies of the class ReplicaClientProxy are all there are")
    if arguments:
        raise BadValueError("a ReplicaClientProxy takes no further arguments")


def chosen_members(
    pool: str, mode: str, faults: int, own: vista.Ref, offers: Offers
) -> Sequence[vista.Ref]:
    """Return the members of a pool that become replicas, as many as the mode needs.

    Raises `PoolError` where there are too few.
    """
    # The own member only where there are no others left.
    members = [*(ref for ref in offers if ref != own), own]
    check_pool(mode, faults, len(members), pool)
    return members[: mode_of(mode).replicas(faults)]


def _takes_part(charter: Charter, offer: dict[str, Any]) -> bool:
    mine = charter.clients.get(offer["client"]) == offer["client_key"]
    # Or it came later: then it has the charter pinned.
    return mine or offer["replica_key"] in charter.replicas or bool(offer["charter"])


def known_charter(own: vista.Ref, offers: Offers) -> Charter | None:
    """Return the charter that this node's own member has pinned, None where no machine has any.

    What others show is believed by nobody: who founds a group, or was there or came later, has it
    pinned. Raises `PinnedKeyError` where others show one and this node has none.
    """
    mine = offers[own]["charter"] if own in offers else ""
    others = sorted({offer["node"] for offer in offers.values() if offer["charter"] != mine})
    if mine:
        for offer in offers.values():
            if offer["charter"] not in ("", mine):
                _log.warning("%s shows another charter, and is left out", offer["node"])
        return read_charter(mine)
    if others:
        raise PinnedKeyError(
            f"{', '.join(others)} has such a group, and this node, which was never told of it, "
            f"believes no other one: give the line on the node that founded the group, add this "
            f"one to it there (vista solidstate add --client), or, if there is no such group, "
            f"remove its folder on those machines, and look at who put it there"
        )
    return None


def _members_of(charter: Charter, offers: Offers) -> Offers:
    """Return the offers of those who are who they were, or come newly."""
    found: Offers = {}
    for ref, offer in offers.items():
        key = charter.clients.get(offer["client"])
        if offer["charter"] not in ("", charter.text()):
            continue
        if key is not None and offer["client_key"] != key:
            _log.error(
                "%s is left out of group %r: it shows key %s, and %s is pinned; bring its folder "
                "back", offer["node"], charter.name, offer["client_key"].hex()[:16], key.hex()[:16],
            )  # fmt: skip
            continue
        found[ref] = offer
    return found


def charter_of(
    group: str,
    mode: str,
    faults: int,
    chosen: Sequence[vista.Ref],
    offers: Offers,
    own: vista.Ref,
    place: AnyPlace,
) -> Charter:
    """Return the charter of a new group, whose clients are all members of the pool.

    Raises `PinnedKeyError` where two of them say that they are the same.
    """
    _check_apart(offers)
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


def _check_apart(offers: Offers) -> None:
    """Raise `PinnedKeyError` for machines of which one takes the place of another."""
    for kind in ("client", "client_key", "replica_key"):
        seen: dict[Any, vista.Ref] = {}
        for ref, offer in offers.items():
            other = seen.setdefault(offer[kind], ref)
            if other != ref:
                raise PinnedKeyError(
                    f"{offers[other]['node']} and {offer['node']} show the same "
                    f"{kind.replace('_', ' ')}: one has a copy of the other's folder, or lies; "
                    f"stop it"
                )


def _check_same(charter: Charter, mode: str, faults: int, reads: str) -> None:
    """Raise `PoolError` where a group is not as it is asked for; ``reads`` may be left open."""
    if (charter.mode, charter.faults) != (mode, faults):
        raise PoolError(
            f"group {charter.name!r} was founded as {charter.mode} for {charter.faults}, and "
            f"{mode} for {faults} is asked for: give another proxy_object_name"
        )
    if reads and charter.unordered_reads != (reads_of(mode, reads) == "unordered"):
        raise PoolError(
            f"group {charter.name!r} was founded with reads that are not {reads}, which stays so: "
            f"give another proxy_object_name"
        )


def _counters(group: str, chosen: Sequence[vista.Ref]) -> tuple[tuple[int, bytes], ...]:
    """Return the trusted counters of the machines that are chosen."""
    _log.warning(
        "group %s trusts counters that are processes and no hardware, a stand-in: who is the user "
        "of one, or puts back its files, can break the group",
        group,
    )
    return tuple((epoch, key) for epoch, key in (ref.offer_counter(group) for ref in chosen))
