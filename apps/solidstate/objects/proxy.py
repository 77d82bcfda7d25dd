"""Who asks a group for the objects of a node, and believes what enough replicas answer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from typing import Any

import vista
from apps.solidstate.errors import RefusedOperationError
from apps.solidstate.objects.classes import full_name
from apps.solidstate.objects.correspondent import Questioner
from apps.solidstate.objects.delivering import send_out
from apps.solidstate.objects.operations import READ, read_result
from apps.solidstate.objects.portions import Answered, Portions
from apps.solidstate.objects.postings import OUTBOX_MAX
from apps.solidstate.objects.requests import check_number, check_request
from apps.solidstate.objects.server import BUNDLE_OPERATIONS_MAX
from apps.solidstate.objects.service import NAMES_AT_ONCE, VARIABLES_MAX
from apps.solidstate.objects.standing import ReplicatedVariable
from apps.solidstate.objects.users import NO_PEERS, check_user
from apps.solidstate.objects.wishes import Beliefs, Wish, Wishes, check_name
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.bundles import BUNDLE_BYTES_MAX
from apps.solidstate.pbft.effects import Send
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.events import Tick
from vista import AccessDenied, BadValueError, Overloaded

WAITING_MAX = 10_000
"""Requests that wait in one proxy; the next one is refused. At 5,000 in a second, the last one has
its answer within two seconds."""

OUTBOX_SECONDS = 30.0
"""How often messages are looked for that somebody else did not deliver."""

DELIVERIES_MAX = 100
"""State variables whose messages are being delivered at a time; others have their turn later."""

REST_ROUNDS = 2
"""Rounds of the loop in which those who were answered may ask again before a bundle leaves."""

ENOUGH_WAIT = 400
"""Requests that wait when others were answered, of which a bundle leaves at once. An agreement is a
fifth of what so many requests cost, and the servers work while this node answers its users."""

BEGINS_MAX = 1_000
"""Methods of variables of which a proxy keeps how their encoded calls begin; making that for each
call takes 1.5 us."""

BEGIN_BYTES_MAX = 500
"""Bytes of one that is kept: the names of nearly all variables and methods."""

_CALL = b"\x96\xa4call"
"""How an encoded call begins: a list of six with this text first (`service`)."""

_log = logging.getLogger("vista.solidstate")


class ReplicaClientProxy(Questioner, namespace="SolidState"):
    """Asks a group of replicas on behalf of the objects of its node.

    `ReplicaPoolMember` makes one for each group on every node of the pool; its service name is that
    of the group. Requests of many callers go together, in bundles. A result is believed when
    f + 1 replicas give the same, 2f + 1 in a group with unordered reads, or more after
    `raise_wait_limit`.

    ``create(group, directory, owner, users)``: the group is pinned in the directory. It asks for
    ``owner``, and for users of whom one of the patterns ``users`` says so, joined by commas. What
    only the founder may, and dropping variables, it asks for ``owner`` alone.

    The original's ReplicaClientProxy.
    """

    ceiling_file = "client-ceiling"

    def create(self, group: str, directory: str, owner: str = "", users: str = NO_PEERS) -> None:
        """Be ready to ask."""
        self._owner = owner or vista.current_user()
        self._users = users
        self.set_up(group, directory)
        name = self._identity.client_name
        if not self._identity.is_client(self._charter):
            raise AccessDenied(
                f"group {group!r} does not know this machine as a client: it was no member of the "
                f"pool when the group was founded, and was not added since"
            )
        self._open_client(name)
        self._reads = self._charter.unordered_reads
        self._wishes = Wishes(BUNDLE_OPERATIONS_MAX, BUNDLE_BYTES_MAX)
        self._portions = Portions(self._client, self._wishes, group)
        self._beliefs = Beliefs()
        self._begins: dict[tuple[str, str], bytes] = {}
        self._rests = False
        self._waiting = 0
        self._next_request_id: int | None = None
        self._variables: dict[str, vista.Ref] = {}
        self._look_at = self._now()
        self._delivering: set[str] = set()
        self._looks = False
        self.requests = 0
        self.unordered = 0
        vista.register_service(group, self)
        self._await_turn()

    def delete(self) -> None:
        """Ask no more; what stands for state variables here goes as well."""
        super().delete()
        for ref in list(vars(self).get("_variables", {}).values()):
            with contextlib.suppress(vista.CallError):
                ref.delete_yourself()

    def initialize(
        self, replica_list: Sequence[Any], proxy_obj_name: str = "", id: int | None = None
    ) -> None:
        """Take note of where the replicas are, in the order of their numbers, None for unknown.

        ``proxy_obj_name`` is a further service name for this proxy, ``id`` as for
        `set_next_request_id`.
        """
        self._check_user()
        self.note_replica_oids(replica_list)
        if id is not None:
            self.set_next_request_id(id)
        if proxy_obj_name:
            vista.register_service(proxy_obj_name, self)

    def note_replica_oids(self, replicas: Sequence[Any]) -> None:
        """Take note of where the replicas are, in the order of their numbers, None for unknown."""
        assert self._mail is not None
        self._mail.note_addresses(replicas)

    def _check_user(self) -> None:
        """Raise `AccessDenied` for users for whom nothing is asked here."""
        # Most calls are of the node's own user, and each pays for this.
        if vista.current_user() != self._owner:
            check_user(self._owner, self._users, f"group {self._charter.name!r} is asked here")

    # --- asking ----------------------------------------------------------------------------

    # Threads wait here in numbers, and touch nothing of the object when they go on. If they came
    # back into it in turn, each would be put off twice more, and all until a rest is over.
    @vista.preemptable
    def issue_request(
        self,
        method: str,
        args: Sequence[Any] = (),
        state_variable: str = "",
        key: str | None = None,
    ) -> Any:
        """Have all replicas call a method of a state variable, and return its proven result.

        ``key`` is a text of up to 200 characters that names the request: asked again with it, also
        by another proxy, it is not executed again and has the same result, as long as it is one of
        the last thousand of its variable. Raises what the method raises, `RefusedOperationError`
        for what the group does not know, and `CallTimeout` when too few replicas answer in the
        caller's time: then it may have been executed or not.
        """
        if key is None and self._next_request_id is not None:
            key = f"#{self._next_request_id}"
            self._next_request_id += 1
        return self.call_variable(state_variable, method, args, {}, key)

    @vista.preemptable
    def call_variable(
        self,
        state_variable: str,
        method: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        key: str | None = None,
    ) -> Any:
        """Do as `issue_request`, with keyword arguments for the method."""
        self._check_user()
        check_request(method, args, key)
        operation = ["call", state_variable, method, list(args), kwargs, key]
        # What has a key is executed, so that its answer is kept.
        value, waiting = self._ask(operation, "" if key is not None else method)
        if waiting:
            vista.self_ref(self).deliver.post(state_variable)
        return value

    @vista.preemptable
    def call_encoded(self, operation: bytes, state_variable: str, method: str) -> bytes:
        """Have a call as `ReplicatedVariable` encodes it carried out; return the encoded result.

        ``state_variable`` and ``method`` say again what is called.

        Raises `BadValueError` for bytes that are no call, or that of something else.
        """
        texts = type(state_variable) is str and type(method) is str
        begin = self._begin_of(state_variable, method) if texts else b""
        if not begin or type(operation) is not bytes or not operation.startswith(begin):
            raise BadValueError("no call of a state variable: issue_request makes one")
        self._check_user()
        return self._ask_encoded(operation, state_variable, method)

    def _begin_of(self, state_variable: str, method: str) -> bytes:
        """Return how an encoded call of a variable's method begins."""
        known = self._begins.get((state_variable, method))
        if known is None:
            known = _CALL + vista.encode_value(state_variable) + vista.encode_value(method)
            if len(known) <= BEGIN_BYTES_MAX:
                if len(self._begins) >= BEGINS_MAX:
                    self._begins.clear()
                self._begins[state_variable, method] = known
        return known

    def raise_wait_limit(self, faults_to_initially_tolerate: int) -> int:
        """Wait for one equal answer more than so many faults; return how many that are.

        At least f + 1, 2f + 1 in a group with unordered reads, and at most all replicas. A higher
        limit costs time, and one that is too high a wait in vain: after the first retransmission
        the least does.
        """
        self._check_user()
        # The core would take anything, and compare each answer with it.
        check_number(faults_to_initially_tolerate, "faults_to_initially_tolerate")
        return self._client.raise_wait_limit(faults_to_initially_tolerate)

    def set_next_request_id(self, id: int) -> int:
        """Number the requests of `issue_request` from ``id`` on, and return it.

        The number is the request's key, so whoever goes on with the same numbers, on any node, gets
        the answers of what was executed already. Without it requests have no keys.
        """
        self._check_user()
        check_number(id, "a request's number")
        self._next_request_id = id
        return id

    # --- state variables -------------------------------------------------------------------

    def create_state_variable(
        self, class_name: str | list[Any], name: str, *args: Any, **kwargs: Any
    ) -> vista.Ref:
        """Have all replicas make a state variable, unless there is one, and return its Ref here.

        ``class_name`` is a `ReplicatedObject`; the other arguments go to its ``create``. Any proxy
        may, of a class that the group has; `CreateReplicasOnServers` on the founder's node brings
        classes into it. Raises `RefusedOperationError`, and what ``create`` raises.
        """
        self.make_state_variable(class_name, name, *args, **kwargs)
        return self.get_state_variable(name)

    def make_state_variable(
        self, class_name: str | list[Any], name: str, *args: Any, **kwargs: Any
    ) -> bool:
        """Do as `create_state_variable`, and make no object here that stands for the variable.

        For those that are called by `issue_request` alone. Return whether there was none before.
        """
        self._check_user()
        # Whoever else may send messages here cannot have all replicas stop by a class.
        kind = "create" if vista.current_user() == self._owner else "make"
        made, _ = self._ask([kind, name, full_name(class_name), list(args), kwargs])
        return bool(made)

    def retire_state_variables(self) -> int:
        """Have all replicas forget the state variables that nobody uses; return how many.

        Which those are the classes say: ``idle_seconds`` and ``unused_seconds`` of
        `ReplicatedObject`. Any proxy may, again and again.
        """
        self._check_user()
        after, gone = "", 0
        for _ in range(VARIABLES_MAX // NAMES_AT_ONCE):
            (after, count), _ = self._ask(["retire", after])
            gone += count
            if not after:
                break
        return gone

    def drop_state_variable(self, name: str) -> None:
        """Have all replicas forget a state variable that this proxy had made.

        The founder's may drop any. Raises `RefusedOperationError`, and `AccessDenied` for another
        user than that of the node.
        """
        if vista.current_user() != self._owner:
            raise AccessDenied(
                f"state variables are dropped by {self._owner}, and not by {vista.current_user()}"
            )
        self._ask(["drop", name])
        ref = self._variables.pop(name, None)
        if ref is not None:
            ref.delete_yourself()

    def get_state_variable(self, name: str) -> vista.Ref:
        """Return the Ref of a state variable on this node: every message to it is a request.

        It is not asked whether there is such a variable. Raises `Overloaded` for too many.
        """
        self._check_user()
        check_name(name)
        return self._stand_in(name)

    def _stand_in(self, name: str) -> vista.Ref:
        known = self._variables.get(name)
        if known is None:
            if len(self._variables) >= VARIABLES_MAX:
                raise Overloaded(f"this node has {VARIABLES_MAX} state variables: drop some")
            known = self._variables[name] = vista.create(
                ReplicatedVariable, vista.self_ref(self), name
            )
        return known

    def list_state_variables(self) -> dict[str, list[Any]]:
        """Return the state variables of the group: the full name of the class by their names."""
        return dict(self._ask_for_all("list", lambda row: row[0]))

    def _ask_for_all(self, kind: str, name_of: Callable[[Any], str]) -> list[Any]:
        """Return what is told of all state variables, in portions."""
        rows: list[Any] = []
        for _ in range(VARIABLES_MAX // NAMES_AT_ONCE + 1):
            more, _ = self._ask([kind, name_of(rows[-1]) if rows else ""])
            # None stands where not all that were looked at fitted.
            cut = more[-1:] == [None]
            rows += more[:-1] if cut else more
            if not cut and len(more) < NAMES_AT_ONCE:
                break
        return rows

    def announce_state_variables(self) -> None:
        """Give the state variables their service names on this node.

        Those with a / in their names get none: they may be many.
        """
        for name in self.list_state_variables():
            if "/" not in name:
                with contextlib.suppress(vista.ServiceTaken):
                    vista.register_service(name, self._stand_in(name))

    def get_status(self) -> dict[str, Any]:
        """Return how the proxy is, as a dict.

        Keys: group, client, founder (whether it may bring classes), enough (replicas among whom one
        is correct), wait_limit, waiting requests, requests answered, unordered ones among them,
        letters dropped and refused, disagreed (how many answers of each replica differed from the
        proven ones, by its number).
        """
        config = self._charter.config(None)
        return {
            "group": self._charter.name,
            "client": self._identity.client_name,
            "founder": self._charter.founder == self._identity.client_name,
            "enough": config.epoch.quorums.weak,
            "wait_limit": config.reply_quorum(config.epoch.quorums, self._identity.client_name),
            "waiting": self._waiting,
            "disagreed": dict(sorted(self._client.disagreed.items())),
            "requests": self.requests,
            "unordered": self.unordered,
            "dropped": self.dropped,
            "refused": 0 if self._mail is None else self._mail.refused,
        }

    # --- messages that variables want sent -------------------------------------------------

    def deliver(self, state_variable: str) -> None:
        """Send what a state variable wants sent; the proxy posts it to itself."""
        if state_variable in self._delivering or len(self._delivering) >= DELIVERIES_MAX:
            return
        self._delivering.add(state_variable)
        try:
            after = 0
            for _ in range(OUTBOX_MAX):
                (founded, rows), _ = self._ask(["outbox", state_variable, after])
                if not rows:
                    break
                after = rows[-1][0]
                name = f"{self._charter.nonce}/{state_variable}/{founded}"
                done, refused = send_out(rows, name)
                if done or refused:
                    self._ask(["delivered", state_variable, founded, done, refused])
        finally:
            self._delivering.discard(state_variable)

    def look_for_messages(self) -> None:
        """Deliver what others did not; the proxy posts it to itself."""
        if self._looks:
            # The group does not answer yet: each look would wait for it, and they would gather.
            return
        self._looks = True
        try:
            with contextlib.suppress(vista.CallError):
                for name in self._ask_for_all("waiting", str)[:DELIVERIES_MAX]:
                    vista.self_ref(self).look_after.post(name)
        finally:
            self._looks = False

    def look_after(self, state_variable: str) -> None:
        """Deliver the messages of a variable that may be gone; the proxy posts it to itself."""
        with contextlib.suppress(vista.CallError, RefusedOperationError):
            self.deliver(state_variable)

    # --- turns -----------------------------------------------------------------------------

    def _ask(self, operation: list[Any], method: str = "") -> tuple[Any, int]:
        """Wait for the group's answer to an operation, the call of a ``method`` if one is given."""
        return read_result(self._ask_encoded(vista.encode_value(operation), operation[1], method))

    def _ask_encoded(self, data: bytes, variable: str, method: str) -> bytes:
        check_name(variable)
        if len(data) > BUNDLE_BYTES_MAX:
            raise BadValueError(f"a request of {len(data)} bytes; {BUNDLE_BYTES_MAX} are the most")
        if self._waiting >= WAITING_MAX:
            raise Overloaded(f"{WAITING_MAX} requests wait already: ask later")
        answered = asyncio.get_running_loop().create_future()
        reads = bool(method) and self._reads and self._beliefs.reads(variable, method)
        self._wishes.add(wish := Wish(answered, data, variable, method, reads))
        self._waiting += 1
        try:
            # Else a turn comes when the bundle under way is answered, or the rest is over; and who
            # asks meanwhile is not put off by a message that waits here.
            if not (self._rests or self._client.busy):
                self._await_turn()
            result: bytes = vista.wait(answered)
        finally:
            self._waiting -= 1
            if answered.cancelled():
                # Given up: it shall not wait here for a group that is away, nor be done later.
                self._wishes.discard(wish)
        self.requests += 1
        return result

    def _deadline(self) -> float:
        if self._rests:
            return math.inf
        if self._wishes and not self._client.busy:
            return self._now()
        return min(self._client.next_deadline(), self._look_at)

    def _take_turn(self) -> None:
        now = self._now()
        self._raise_ceiling(now)
        if now >= self._look_at:
            self._look_at = now + OUTBOX_SECONDS
            vista.self_ref(self).look_for_messages.post()
        effects: list[Any] = []
        for received in self._received():
            effects += self._portions.handle(received, now)
        answered = self._portions.answered(effects)
        waiting = len(self._wishes)
        if answered and len(answered) + waiting > 1 and waiting < ENOUGH_WAIT and not self._rests:
            # Where too many messages wait here it is done without; answers are not lost for that.
            with contextlib.suppress(Overloaded):
                vista.self_ref(self).rest.post()
                self._rests = True
        if not self._rests:
            if self._wishes and not self._client.busy:
                effects += self._portions.ask(now)
            if now >= self._client.next_deadline():
                effects += self._portions.handle(Tick(), now)
        self._follow()
        self._answer(answered)
        self._carry_out(effects)
        self._keep_group(now)

    @vista.exclusive
    def rest(self) -> None:
        """Let those who were answered ask again, before the next bundle leaves.

        The proxy posts it to itself. Else there would be two bundles by turns, each of half of the
        users and at the price of a whole one. Letters that come meanwhile wait in its line: were
        one ready to run, no call could run in its caller's thread before it.
        """
        try:
            # They are woken in the next round of the loop, and this thread stands behind them then;
            # who asks by a future is a round later.
            for _ in range(REST_ROUNDS):
                vista.sleep(0)
        finally:
            # Also when it is killed: those who asked meanwhile rely on the turn behind it.
            self._rests = False
            self._await_turn()

    def _answer(self, answered: Answered) -> None:
        """Tell users what was carried out for them."""
        reads, note = self._reads, self._beliefs.note
        for wish, result in answered:
            if reads and wish.method:
                self.unordered += result.startswith(READ)
                note(wish.variable, wish.method, wish.tried, result)
            if not wish.user.done():
                wish.user.set_result(result)

    def _carry_out(self, effects: list[Any]) -> None:
        outbox: dict[Principal, list[bytes]] = {}
        for effect in effects:
            if isinstance(effect, Send):
                outbox.setdefault(effect.to, []).append(encode(effect.message))
        assert self._mail is not None
        for to, messages in outbox.items():
            self._mail.send(to, messages, self._loop_time())
