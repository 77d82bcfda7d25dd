"""Who changes a group: it asks for what only the founder's machine may ask for.

Three rules. What is asked for is ordered by the group itself, signed with the administrator's key
that stands in the charter: no link, and no server, can have it done. It is done only where the
group tolerates as many faults afterwards as before, unless somebody says otherwise. Replicas start
anew one at a time, and never while another one is not well.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import vista
from apps.solidstate.errors import PinnedKeyError, PoolError
from apps.solidstate.objects.asking import Asking
from apps.solidstate.objects.backup import may_read, signed_body
from apps.solidstate.objects.charter import KEY_BYTES
from apps.solidstate.objects.classes import bring_class
from apps.solidstate.objects.counters import key_of_newcomer, public_key
from apps.solidstate.objects.machines import (
    Machine,
    answers_of,
    find_machines,
    live_number,
    only_one,
)
from apps.solidstate.objects.mail import service_name
from apps.solidstate.objects.newcomers import Newcomers
from apps.solidstate.objects.places import folder_of
from apps.solidstate.objects.showing import read_figures
from apps.solidstate.pbft.administering import PASS, HandOver, Renewal
from apps.solidstate.pbft.membership import read_membership, reconfiguration
from apps.solidstate.pbft.messages import Membership, Stable
from vista import AccessDenied, BadValueError

WELL_SECONDS = 60.0
"""How long a replica that was started anew has to be well again: some times what fetching a state
of the largest size takes. Beyond, no other one is started anew."""

LOOK_SECONDS = 0.1
"""How often it is looked whether a replica is as it shall be."""

NEWCOMER_SECONDS = 1.0
"""How often it is looked, while a group does not answer, whether a machine that came knows it."""

PASSES_MAX = 10_000
"""Requests that do nothing, one after the other, until a checkpoint is proven."""


def administrator_service(group: str) -> str:
    """Return the service name of a group's administrator on the founder's node."""
    return f"SolidState/{group}/administrator"


class GroupAdministrator(Asking, namespace="SolidState"):
    """Changes a group on behalf of its operator: on the founder's machine, and on no other.

    `ReplicaPoolMember` makes it when it is asked for; ``vista solidstate`` sends its messages. Only
    the user whose node it is may.

    ``create(group, directory, pool)``: the group is pinned in the directory.
    """

    def create(self, group: str, directory: str, pool: str) -> None:
        """Be ready to ask."""
        self._user = vista.current_user()
        self._pool = pool
        self._changing = False
        self._tellings = 0
        self.begin(group, directory)
        self._newcomers = Newcomers(self._place, self._charter, self._keyring)
        vista.register_service(administrator_service(group), self)

    # --- who is in the group -----------------------------------------------------------------

    def add(self, node: str, client_only: bool = False) -> dict[str, Any]:
        """Have a machine of the pool come into the group, as replica and client or client alone.

        ``node`` is its name. Returns the dict of `describe`, with ``words`` that say what was done.
        Raises `PoolError`, `PinnedKeyError`.
        """
        return self._change(node, None, None, client_only)

    def remove(self, who: str, faults: int | None = None) -> dict[str, Any]:
        """Have a replica leave the group, and its machine with it.

        ``who`` is its number or the name of its node, ``faults`` how many are to be tolerated
        afterwards, by default as many as before. Raises `PoolError`.
        """
        return self._change(None, who, faults, False)

    def replace(self, who: str, node: str) -> dict[str, Any]:
        """Have one machine take the place of another, which may be lost; see `add`, `remove`."""
        return self._change(node, who, None, False)

    def describe_group(self) -> dict[str, Any]:
        """Return the group as it is proven to be.

        Keys: group, epoch, members (numbers), tolerates, sequence (the number of the last batch).
        """
        self._check_user()
        sequence, membership = self._pass()
        return {**self._told(membership), "sequence": sequence}

    def _told(self, membership: Membership) -> dict[str, Any]:
        numbers = [member.number for member in membership.members]
        return {
            "group": self._charter.name,
            "epoch": membership.epoch,
            "members": numbers,
            "tolerates": self._charter.quorums(len(numbers)).faults,
        }

    def _change(
        self, node: str | None, who: str | None, faults: int | None, client_only: bool
    ) -> dict[str, Any]:
        self._check_user()
        with self._alone():
            return self._change_alone(node, who, faults, client_only)

    def _wake(self) -> Membership:
        """Return the group, once it answers; it may wait for machines that were not told."""
        self._newcomers.woken.clear()
        with self._telling():
            return self._pass()[1]

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Tell machines meanwhile that they came: the group may not answer without them."""
        self._tellings += 1
        vista.self_ref(self).start_newcomers.post(self._tellings)
        try:
            yield
        finally:
            self._tellings += 1

    def start_newcomers(self, telling: int) -> None:
        """Have machines start that came, until the group answers; the object posts it to itself."""
        self._check_user()
        while telling == self._tellings and not self._closed:
            self._newcomers.start_missing(self._client.membership, self._pool)
            vista.sleep(NEWCOMER_SECONDS)

    def _change_alone(
        self, node: str | None, who: str | None, faults: int | None, client_only: bool
    ) -> dict[str, Any]:
        before = self._wake()
        machines = self._machines()
        comes = None if node is None else self._newcomer(node, machines)
        number, key, clients = -1, b"", dict[str, bytes]()
        if comes is not None:
            ref, offer = comes
            self._bring_classes(ref, offer)
            stranger = self._is_stranger(before, offer)
            number, key = self._place_of(ref, offer, before)
            if stranger:
                clients[offer["client"]] = offer["client_key"]
        # A change that was cut off: the newcomer is a member, and the other one may have left.
        goes_on = 0 <= number < before.fresh
        leaves = None
        if who is not None:
            find = self._find_number if goes_on else self._number
            leaves = find(who, before, machines)
        if goes_on and comes is not None and (who is None or leaves is not None):
            self._check_not_there(comes[1], number)
        is_new = comes is not None and not client_only and not goes_on
        if leaves is not None:
            clients |= self._leaving_client(leaves)
        self._check_faults(before, int(is_new), leaves, faults)
        add = {}
        if comes is not None and is_new:
            told = (comes[0], comes[1]["node"], number, key)
            add[number] = key_of_newcomer(self._charter, before, *told)
            self._newcomers.note(number, comes[1], before)
        after = before
        if add or clients or leaves is not None:
            after = self._reconfigure(before, add, leaves, clients)
        if comes is not None:
            known = None if client_only else number
            self._newcomers.welcome(comes[0], known, key, before, after)
        words = _words(comes and comes[1]["node"], None if client_only else number, leaves)
        return {**self._told(after), "words": words}

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Change one thing at a time: a change rests on what was found out before."""
        if self._changing:
            raise PoolError(
                f"group {self._charter.name!r} is being changed, or a replica of it started anew: "
                f"they do it one at a time; ask again when that is done"
            )
        self._changing = True
        try:
            yield
        finally:
            self._changing = False

    def _reconfigure(
        self,
        before: Membership,
        add: Mapping[int, bytes],
        leaves: int | None,
        clients: Mapping[str, bytes],
    ) -> Membership:
        gone = [] if leaves is None else [leaves]
        # Who leaves answers nobody any more: with another one faulty the answer needs the newcomer.
        with self._telling():
            said, *rest = self._ask(reconfiguration(before, add, gone, clients))
        if said != "ok":
            raise PoolError(f"group {self._charter.name!r} refuses: {rest[0]}")
        return read_membership(rest[-1])

    def _check_faults(
        self, before: Membership, more: int, leaves: int | None, faults: int | None
    ) -> None:
        count = len(before.members) + more - (leaves is not None)
        tolerated = self._charter.quorums(len(before.members)).faults
        wanted = tolerated if faults is None else faults
        try:
            left = self._charter.quorums(count).faults
        except BadValueError:
            left = 0
        if left < max(wanted, 1):
            some = "no fault" if not left else "1 fault" if left == 1 else f"{left} faults"
            raise PoolError(
                f"{count} servers tolerate {some}, and group {self._charter.name!r} is to tolerate "
                f"{max(wanted, 1)}: add a server first, or replace this one"
            )

    # --- machines ----------------------------------------------------------------------------

    def _machines(self) -> dict[str, list[Machine]]:
        return find_machines(self._pool, self._charter.name)

    def _number(
        self, who: str, before: Membership, machines: Mapping[str, Sequence[Machine]]
    ) -> int:
        """Return the number of the replica that is meant."""
        number = self._find_number(who, before, machines)
        if number is None:
            raise PoolError(
                f"group {self._charter.name!r} has no replica {who!r}; its replicas are "
                f"{', '.join(str(member.number) for member in before.members)}. One whose machine "
                f"does not answer is named by its number"
            )
        return number

    def _find_number(
        self, who: str, before: Membership, machines: Mapping[str, Sequence[Machine]]
    ) -> int | None:
        numbers = [member.number for member in before.members]
        if who.isdecimal() and int(who) in numbers:
            return int(who)
        return live_number(who, numbers, machines)

    def _newcomer(self, node: str, machines: Mapping[str, Sequence[Machine]]) -> Machine:
        if node not in machines:
            raise PoolError(
                f"no machine {node!r} in pool {self._pool!r}; there are "
                f"{', '.join(sorted(machines)) or 'none'}: it needs a line ReplicaPoolMember "
                f"{self._pool}, and links to the others"
            )
        ref, offer = only_one(node, machines)
        if offer["charter"] not in ("", self._charter.text()):
            raise PinnedKeyError(
                f"{node} has another group pinned under the name {self._charter.name!r}, in "
                f"{folder_of(self._charter.name)}: remove that folder there, if it is to be gone"
            )
        return ref, offer

    def _place_of(
        self, ref: vista.Ref, offer: dict[str, Any], before: Membership
    ) -> tuple[int, bytes]:
        """Return the number and key a machine comes under, or came under as the group changed."""
        for member in before.members:
            if member.number >= len(self._charter.replicas):
                known = public_key(self._charter, member)
                if ref.replica_key(self._charter.text(), member.number) == known:
                    return member.number, known
            elif offer["live"] == member.number:
                raise PoolError(f"{offer['node']} is replica {member.number} already")
        key = ref.replica_key(self._charter.text(), before.fresh)
        if type(key) is not bytes or len(key) != KEY_BYTES:
            raise PinnedKeyError(f"{offer['node']} shows no key as replica {before.fresh}")
        return before.fresh, key

    def _check_not_there(self, offer: dict[str, Any], number: int) -> None:
        """Raise `PoolError` for a machine that was a replica before this change began."""
        if offer["live"] == number and number not in self._newcomers.woken:
            raise PoolError(f"{offer['node']} is replica {number} already")

    def _is_stranger(self, before: Membership, offer: dict[str, Any]) -> bool:
        """Tell whether a machine is to be admitted as a client.

        Raises `PinnedKeyError` where it calls itself what somebody else is called.
        """
        client, key = offer["client"], offer["client_key"]
        later = {one.client: one.key for one in before.clients}
        # An empty one is of a client that left.
        known = [found for found in (self._charter.clients.get(client), later.get(client)) if found]
        if client in self._charter.administrators or any(found != key for found in known):
            raise PinnedKeyError(
                f"{offer['node']} shows key {key.hex()[:16]} for {client}, who has another one: "
                f"bring its folder back, or give it an empty one"
            )
        return bool(later.get(client, self._charter.clients.get(client)) != key)

    def _leaving_client(self, number: int) -> dict[str, bytes]:
        """Return the client of a replica's machine, as one that leaves; never the founder's."""
        if number < len(self._charter.machines):
            client = self._charter.machines[number]
        else:
            client = self._newcomers.client_of(number)
        return {client: b""} if client and client != self._charter.founder else {}

    def _bring_classes(self, ref: vista.Ref, offer: dict[str, Any]) -> None:
        """See to it that a machine has all classes of the group: without one it cannot execute."""
        proxy = vista.service(self._charter.name)
        classes = proxy.list_state_variables().values()
        for name in sorted({tuple(name) for name in classes}):
            bring_class(ref, offer["node"], offer["creator"], list(name))

    # --- who leads, and who starts anew --------------------------------------------------------

    def hand_over(self, who: str | None = None) -> dict[str, Any]:
        """Have another replica lead: ``who`` by its number or node, or else the next that is well.

        Returns a dict with the keys group, view, primary and before (the numbers), words. Raises
        `PoolError` when the one that is named is not well.
        """
        self._check_user()
        _, membership = self._pass()
        told = self._statuses(membership)
        view, primary = _leading(told, self._charter.name)
        numbers = [member.number for member in membership.members]
        place = numbers.index(primary) + 1
        order = [*numbers[place:], *numbers[:place]]
        if who is None:
            well = [number for number in order[:-1] if is_well(told[number])]
            if not well:
                raise PoolError("no other replica is well: look at vista solidstate status")
            chosen = well[0]
        else:
            chosen = self._number(who, membership, self._machines())
            if not is_well(told[chosen]):
                raise PoolError(f"replica {chosen} is not well: it cannot lead")
        self._ask(HandOver(view, chosen).operation)
        self._await(lambda: self._is_led(membership, chosen), f"replica {chosen} does not lead")
        words = f"replica {chosen} leads, after replica {primary}"
        return {
            "group": self._charter.name, "view": view, "primary": chosen, "before": primary,
            "words": words,
        }  # fmt: skip

    def renew(self, who: str) -> dict[str, Any]:
        """Have one replica start again from its disk, and wait until it is well.

        All others have to be well; one that leads hands over before. Raises `PoolError`.
        """
        self._check_user()
        with self._alone():
            return self._renew(who)

    def _renew(self, who: str) -> dict[str, Any]:
        _, membership = self._pass()
        number = self._number(who, membership, self._machines())
        told = self._statuses(membership)
        ill = [str(one) for one, row in told.items() if not is_well(row)]
        if ill:
            raise PoolError(
                f"replica {', '.join(ill)} is not well: while one is missing none is started anew"
            )
        if _leading(told, self._charter.name)[1] == number:
            self.hand_over()
        starts = told[number]["starts"]
        self._ask(Renewal(number).operation)
        until = f"replica {number} is not well again: none is started anew before it is"
        self._await(lambda: self._is_renewed(membership, number, starts), until)
        words = f"replica {number} started again from its disk"
        return {"group": self._charter.name, "replica": number, "words": words}

    def _is_led(self, membership: Membership, number: int) -> bool:
        told = self._statuses(membership)
        leads = [one for one, row in told.items() if row.get("primary") == number]
        enough: int = self._charter.quorums(len(told)).certificate
        return number in leads and len(leads) >= enough

    def _is_renewed(self, membership: Membership, number: int, starts: int) -> bool:
        told = self._statuses(membership)
        # As far as f + 1 of them say they are: one of those is correct.
        weak = self._charter.quorums(len(told)).weak
        furthest = sorted(row.get("executed", 0) for row in told.values())[-weak]
        row = told[number]
        return is_well(row) and bool(row["starts"] > starts and row["executed"] + 1 >= furthest)

    def _await(self, condition: Callable[[], bool], words: str) -> None:
        for _ in range(round(WELL_SECONDS / LOOK_SECONDS)):
            if condition():
                return
            vista.sleep(LOOK_SECONDS)
        raise PoolError(words)

    def _statuses(self, membership: Membership) -> dict[int, dict[str, Any]]:
        """Return how each replica says it is; an empty dict for one that does not answer."""
        names = {service_name(self._charter.name, one.number): one for one in membership.members}
        told: dict[int, dict[str, Any]] = {one.number: {} for one in membership.members}
        asked = [
            (names[row.name].number, row.object) for row in vista.services() if row.name in names
        ]
        for number, answer in answers_of(asked, "get_status"):
            found = read_figures(answer)
            if found.get("id") == number:
                told[number] = found
        return told

    # --- checkpoints -------------------------------------------------------------------------

    def make_checkpoint(self) -> int:
        """Have the group go on to its next checkpoint; return the number of what is in it at least.

        All that was answered before is. Raises `PoolError` when none comes to be proven.
        """
        self._check_user()
        begin, membership = self._pass()
        for _ in range(PASSES_MAX):
            told = self._statuses(membership)
            stable = sorted(row.get("stable", -1) for row in told.values())
            # The highest that f + 1 of them reach: one of those is correct.
            weak = self._charter.quorums(len(told)).weak
            if stable[-weak] >= begin:
                return begin
            self._pass()
        raise PoolError("no checkpoint is proven: look at vista solidstate status")

    def get_charter(self) -> str:
        """Return the charter of the group as a text."""
        return self._charter.text()

    def sign_reading(self, number: int, least: int, challenge: bytes) -> bytes:
        """Return the signature on which replica ``number`` makes a backup, once."""
        self._check_user()
        return self._keyring.sign(may_read(number, least, challenge))

    def open_piece(self, number: int, piece: bytes) -> bytes:
        """Return what is in a piece of the backup that replica ``number`` made.

        Raises `BadValueError` for what is none.
        """
        self._check_user()
        return self._keyring.decrypt(number, piece)

    def sign_backup(self, sequence: int, root: bytes) -> bytes:
        """Return the signature of a backup: who the replicas are, and that it is theirs to prove.

        Whether enough of them did is for whoever reads the backup to check.
        """
        self._check_user()
        stable = Stable(sequence, root, ())
        return self._keyring.sign(signed_body(self._client.membership, stable))

    # --- asking ------------------------------------------------------------------------------

    def _check_user(self) -> None:
        user = vista.current_user()
        if user != self._user:
            raise AccessDenied(
                f"a group is changed by {self._user}, whose node founded it, and not by {user}"
            )

    def _pass(self) -> tuple[int, Membership]:
        """Return the number of the last batch, and the group, as enough replicas say."""
        _, sequence, row = self._ask(PASS.operation)
        return sequence, read_membership(row)


def is_well(row: Mapping[str, Any]) -> bool:
    """Tell whether a replica that told this runs and its word counts."""
    return bool(row.get("runs") and row.get("voting"))


def _leading(told: Mapping[int, Mapping[str, Any]], group: str) -> tuple[int, int]:
    """Return the view and the primary that most replicas tell."""
    said = [(row["view"], row["primary"]) for row in told.values() if is_well(row)]
    if not said:
        raise PoolError(f"no replica of group {group!r} is well")
    return max(sorted(set(said)), key=said.count)


def _words(node: str | None, number: int | None, leaves: int | None) -> str:
    came = node if number is None else f"{node} as replica {number}"
    if node is None:
        return f"replica {leaves} left"
    return f"{came} came" if leaves is None else f"{came} took the place of replica {leaves}"
