"""A replica as an object of a node: it drives the core, keeps its disk and sends its letters."""

from __future__ import annotations

import collections
import hmac
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import vista
from apps.solidstate.errors import BackupError
from apps.solidstate.objects.backup import PIECE_BYTES, may_read, piece_nonce, take_backup
from apps.solidstate.objects.bounded import LINES_MAX
from apps.solidstate.objects.challenges import Challenges
from apps.solidstate.objects.classes import ReplicatedClass, load_class
from apps.solidstate.objects.correspondent import TURN_SECONDS, Correspondent
from apps.solidstate.objects.counters import known_device
from apps.solidstate.objects.divided import Division
from apps.solidstate.objects.identity import joined, note_membership, replica_folder
from apps.solidstate.objects.mail import service_name
from apps.solidstate.objects.places import Counter, ReplicaDisk
from apps.solidstate.objects.reading import ReadService
from apps.solidstate.objects.restoring import read_origin
from apps.solidstate.objects.service import MissingClassError, ObjectService
from apps.solidstate.objects.showing import told_variables, variables_of_server
from apps.solidstate.objects.twins import is_copied, note_abstaining
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.bundles import OPERATIONS_MAX
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import (
    Append,
    Broadcast,
    Certify,
    Compact,
    Effect,
    Entered,
    Executed,
    Forget,
    Renew,
    Report,
    Send,
    Store,
)
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.events import Certified, Received, Tick
from apps.solidstate.pbft.messages import Blobs, Membership
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.trusted_counter import DeviceKeys, device_name
from vista import AccessDenied, BadValueError

BUNDLE_OPERATIONS_MAX = OPERATIONS_MAX
"""Operations that one client asks for at once; their results are one reply of it."""

RETRY_SECONDS = 2.0
"""How long a replica that could not go on waits before it starts again from its disk."""

REPORTS_MAX = 100
"""Reports kept for whoever asks how the replica is; the oldest go."""

STARTED_FILE = "started"
"""The file that says that this replica has written something: one that finds its log empty though
the file is there has lost it, and may have promised what it does not know."""

OWNER_FILE = "replica/owner"
"""The file beside the log of a replica that says, by its public key, whose log it is."""

_log = logging.getLogger("vista.solidstate")

_WRITES = (Append, Store, Compact)
_QUIET = (*_WRITES, Executed)
"""Effects of which nobody else hears; asked for first, as they are the most."""

_LEVELS = dict.fromkeys(("diverged", "divided", "damaged", "faulty"), logging.ERROR)
_WARNINGS = frozenset({"suspect", "rolled-back", "retired"})


class ReplicaServer(Correspondent, namespace="SolidState"):
    """One replica of a group of servers that agree on every call to their state variables.

    `ReplicaPoolMember` makes it when `CreateReplicasOnServers` asks for it, and again when its node
    starts again; no rc line does.

    ``create(id, faults_to_tolerate, group, directory)``: ``id`` is its number from 0 on; the group
    is pinned in the directory already, and the other two are compared with that. One of it drives
    any number of state variables.

    A replica whose disk fails, or that lacks a class, ends and starts again from its disk after
    some seconds; the others go on. Service name: ``SolidState/GROUP/ID``.

    The original's ReplicaServer.
    """

    def create(
        self, id: int, faults_to_tolerate: int = 1, group: str = "", directory: str = ""
    ) -> None:
        """Start the replica."""
        self.set_up(group, directory)
        charter = self._charter
        if self._identity.live_number(charter) != id or charter.faults != faults_to_tolerate:
            raise BadValueError(
                f"group {group!r} tolerates {charter.faults}, and replica {id} of it is not here"
            )
        self._number = id
        self._folder = replica_folder(charter, id)
        self._reports: deque[list[Any]] = deque(maxlen=REPORTS_MAX)
        self._replica: Replica | None = None
        self._disk: ReplicaDisk | None = None
        self._service: ObjectService | None = None
        self._division = Division()
        self._others: tuple[int, ...] = ()
        self._retry_at = 0.0
        self._ails = ""
        self._starts = 0
        self._started = False
        self._copied = False
        self._fresh = True
        self._renewal = False
        self._backup = b""
        self._reader: tuple[Principal, bytes] = ("", b"")
        self._challenges = Challenges(self._place.entropy().randbytes(32))
        self._counts: collections.Counter[str] = collections.Counter()
        self._counter: Counter | None = None
        self._open_mail(id)
        vista.register_service(service_name(group, id), self)
        self._await_turn()

    def delete(self) -> None:
        """Stop the replica; it can start again from its disk."""
        super().delete()
        self._leave()
        self._end_counter()

    def note_replica_oids(self, replicas: Sequence[Any]) -> None:
        """Take note of where the replicas are, in the order of their numbers, None for unknown."""
        assert self._mail is not None
        self._mail.note_addresses(replicas)

    def get_current_view_id(self) -> int:
        """Return the number of the view, -1 while the replica does not run."""
        return -1 if self._replica is None else self._replica.views.view

    def get_status(self) -> dict[str, Any]:
        """Return how the replica is, as a dict.

        Keys: group, id, mode, faults; runs; ails, why it does not; epoch, members, tolerates (as
        many faults), retired (whether it left the group); view, primary; executed, stable
        and checkpoint, numbers of batches; voting; pending requests; starts; letters dropped and
        refused; variables, how many; state_bytes; reports, the last ones, each as [seconds since
        1970, kind, words, member]; counts, how many of each kind there were;
        differences, what the last repair found, or what another one holds where no state is proven;
        divided, whether that is so, and has been reported.
        """
        replica, service, charter = self._replica, self._service, self._charter
        told: dict[str, Any] = {
            "group": charter.name, "id": self._number, "mode": charter.mode,
            "faults": charter.faults, "runs": replica is not None, "ails": self._ails,
            "starts": self._starts, "dropped": self.dropped,
            "refused": 0 if self._mail is None else self._mail.refused,
            "reports": list(self._reports), "counts": dict(self._counts),
        }  # fmt: skip
        if replica is not None and service is not None:
            told |= {
                "view": replica.views.view, "primary": replica.primary, "voting": replica.voting,
                "epoch": replica.epoch.number, "members": list(replica.epoch.numbers),
                "tolerates": replica.quorums.faults, "retired": replica.epochs.retired,
                "executed": replica.state.executed, "stable": replica.checkpoints.proven.sequence,
                "checkpoint": max(replica.checkpoints.trees, default=0),
                "pending": len(replica.requests.pending), "variables": len(service.variables),
                "state_bytes": sum(one.weight for one in service.variables.values()),
                "differences": service.differences, "divided": self._division.told,
            }  # fmt: skip
        return told

    @vista.preemptable
    def describe_instance_variables(self) -> dict[str, str]:
        """Return the names and types of what is shown as the variables: how the replica is."""
        shown = variables_of_server(self.get_status())
        return {name: type(value).__name__ for name, value in shown.items()}

    @vista.preemptable
    def extract_instance_variables(
        self, *names: str, outline_characters_max: int | None = None
    ) -> dict[str, Any]:
        """Return how the replica is, as its variables; for those who look at the object."""
        shown = variables_of_server(self.get_status())
        return told_variables(shown, names, outline_characters_max)

    def draw_challenge(self) -> bytes:
        """Return what the administrator signs to have a backup made, within 30 seconds and once."""
        return self._challenges.draw(self._loop_time(), self._place.entropy().randbytes(16))

    def make_backup(self, least: int, challenge: bytes, signature: bytes) -> int:
        """Make a backup of the proven state, which holds batch ``least``; return its bytes.

        `read_backup` hands it out; the administrator signed what `draw_challenge` returned. Raises
        `BackupError` where there is none, `AccessDenied` for another signature.
        """
        said = may_read(self._number, least, challenge)
        signers = [
            one
            for one in self._charter.administrators
            if self._keyring.verify(one, said, signature)
        ]
        if not signers:
            raise AccessDenied(f"no administrator of group {self._charter.name!r} signed that")
        if not self._challenges.use(challenge, self._loop_time()):
            raise AccessDenied("what was signed is old, or was used: draw another challenge")
        if self._replica is None:
            raise BackupError(f"replica {self._number} does not run")
        self._backup = take_backup(self._charter, self._replica, least).data
        self._reader = (signers[0], signature)
        return len(self._backup)

    def read_backup(self, at: int, signature: bytes) -> bytes:
        """Return a piece of the backup that was made last, which its administrator can read.

        To whoever shows the signature it was made for.
        """
        reader, known = self._reader
        if not self._backup or not hmac.compare_digest(signature, known):
            raise AccessDenied(f"no backup was made for that: call make_backup of {self._number}")
        piece = self._backup[at : at + PIECE_BYTES]
        if at + PIECE_BYTES >= len(self._backup):
            self._backup = b""
        return self._keyring.encrypt(reader, piece, piece_nonce(signature, at))

    # --- starting and ending ---------------------------------------------------------------

    def _start(self) -> None:
        """Bring the replica to where its disk says it was."""
        self._starts += 1
        self._fresh = True
        started = f"{self._folder}/{STARTED_FILE}"
        self._disk = self._place.disk(self._folder)
        found: Recovered | None = vista.wait(self._disk.recover())
        self._check_owner()
        self._started = self._place.read(started) is not None
        if found is None and self._started:
            found = Recovered(damaged=True)
        self._copied = is_copied(self._place, self._folder)
        if self._copied:
            # What it said at the other place it does not know, also where it said nothing here.
            found = replace(found or Recovered(), damaged=True)
        self._service = service = self._make_service()
        config = self._make_config()
        bundled = ReadService(
            service, BUNDLE_OPERATIONS_MAX, work=service.meter.read, work_max=LINES_MAX
        )
        if origin := read_origin(self._place, self._charter, self._number):
            bundled.restore(origin)
        usigs = self._start_counter()
        self._replica = Replica(config, self._place.entropy(), self._keyring, bundled, found, usigs)
        self._follow(config.epoch.membership)
        self._ails = ""

    def _make_service(self) -> ObjectService:
        charter = self._charter
        liars = 0 if charter.mode == "crash" else charter.faults
        return ObjectService(
            self._find, charter.founder, faults=liars, reads=charter.unordered_reads
        )

    def _check_owner(self) -> None:
        """Raise `StoreError` for the log of another replica, which promised what this did not."""
        path, key = f"{self._folder}/{OWNER_FILE}", self._keyring.public_key
        known = self._place.read(path)
        if known is None:
            self._place.write(path, key)
        elif known != key:
            raise vista.StoreError(
                f"folder {self._folder}/replica is that of another replica: bring back its own, or "
                f"remove it, and the others give this replica what it needs"
            )

    def _start_counter(self) -> DeviceKeys | None:
        """Start the trusted counter, in the mode that has them, and return the keys of all."""
        counters = dict(enumerate(self._charter.counters))
        if not counters:
            return None
        if self._counter is None:
            self._counter = self._place.counter(self._folder)
        known = known_device(self._place, self._charter, self._number)
        # One that came and left again has none that counts.
        if device_name(*vista.wait(self._counter.identity())) != known and known is not None:
            raise vista.StoreError(
                "its trusted counter lost its count, and is another one to the group: this replica "
                "is one of those that may be faulty, for good"
            )
        return DeviceKeys(counters)

    def _make_config(self) -> Config:
        before = joined(self._place, self._charter).get(self._number)
        return self._charter.config(self._number, before)

    def _find(self, name: list[Any]) -> ReplicatedClass | None:
        return load_class(name)

    def _leave(self) -> None:
        self._replica = None
        disk, self._disk = self._disk, None
        if disk is not None:
            disk.close()

    def _fail(self, error: Exception) -> None:
        """End, and start again from the disk in a while."""
        words = str(error)
        if isinstance(error, MissingClassError):
            words += ": load it with LoadClassFile, or link this node with one that has it"
        elif isinstance(error, OSError):
            words = f"its disk fails: {error}"
        if words != self._ails:
            _log.error(
                "replica %d of %s cannot go on: %s; it is tried again each %g s",
                self._number, self._charter.name, words, RETRY_SECONDS,
            )  # fmt: skip
        self._ails = words
        self._leave()
        self._end_counter()
        self._retry_at = self._now() + RETRY_SECONDS

    def _end_counter(self) -> None:
        counter, self._counter = self._counter, None
        if counter is not None:
            # Whoever starts it again too early is told so, and tries again.
            counter.close()

    # --- turns -----------------------------------------------------------------------------

    def _deadline(self) -> float:
        return self._retry_at if self._replica is None else self._replica.next_deadline()

    def _take_turn(self) -> None:
        whole = False
        try:
            if self._replica is None:
                if self._now() < self._retry_at:
                    self._forget_letters()
                    whole = True
                    return
                self._start()
            self._handle()
            whole = True
            if self._renewal:
                # Half of nothing: what it had said and done is on its disk, and it starts from it.
                self._renewal = False
                self._leave()
                self._retry_at = self._now()
        except (OSError, MissingClassError, BackupError, vista.StoreError) as error:
            self._fail(error)
            whole = True
        finally:
            if not whole:
                # Half of an event was handled: what is on disk is whole.
                self._leave()
                self._retry_at = self._now() + RETRY_SECONDS

    def _handle(self) -> None:
        replica, mail = self._replica, self._mail
        assert replica is not None and mail is not None
        effects: list[Effect] = []
        now = self._now()
        until = self._loop_time() + TURN_SECONDS
        while (letter := self._next_letter()) is not None:
            # Of one turn they come at one time, which is the less asked for.
            for message in mail.read(*letter):
                effects += replica.handle(Received(letter[0], message), now)
                if type(message) is Blobs:
                    self._division.take(letter[0], message)
            if self._loop_time() >= until:
                break
        if self._fresh or self._now() >= replica.next_deadline():
            self._fresh = False
            effects += replica.handle(Tick(), self._now())
        if replica.checkpoints.votes or self._division.open:
            effects += self._division.look(replica, self._now())
        self._carry_out(effects)
        while self._counter is not None and (effects := self._count(effects)):
            self._carry_out(effects)

    def _count(self, effects: list[Effect]) -> list[Effect]:
        """Have the trusted counter do its part of effects, and return what comes of it."""
        found: list[Effect] = []
        for effect in effects:
            counter, replica = self._counter, self._replica
            if counter is None or replica is None:
                break
            if isinstance(effect, Forget):
                vista.wait(counter.forget(effect.counter))
            elif isinstance(effect, Certify):
                ui = vista.wait(counter.certify(effect.counter, effect.body))
                found += replica.handle(Certified(effect.counter, ui), self._now())
        return found

    def _carry_out(self, effects: list[Effect]) -> None:
        writes = [one for one in effects if isinstance(one, _WRITES)]
        disk = self._disk
        if writes and disk is not None:
            if (waiting := disk.commit(writes)) is not None:
                vista.wait(waiting)
            if not self._started:
                self._place.write(f"{self._folder}/{STARTED_FILE}", b"")
                self._started = True
            if self._copied and not self._closed:
                note_abstaining(self._place, self._folder)
                self._copied = False
        if not self._closed:
            self._send(effects)

    def _send(self, effects: list[Effect]) -> None:
        outbox: dict[Principal, list[bytes]] = {}
        entered: Membership | None = None
        for effect in effects:
            if isinstance(effect, _QUIET):
                continue
            if isinstance(effect, Send):
                outbox.setdefault(effect.to, []).append(encode(effect.message))
            elif isinstance(effect, Broadcast):
                encoded = encode(effect.message)
                for other in self._others:
                    outbox.setdefault(other, []).append(encoded)
            elif isinstance(effect, Entered):
                self._follow(effect.membership)
                entered = effect.membership
            elif isinstance(effect, Renew):
                self._renewal = True
            elif isinstance(effect, Report):
                self._report(effect)
        for to, messages in outbox.items():
            self._post(to, messages)
        if entered is not None:
            # Last: on a disk that is full the replica ends here, and starts from what it holds.
            note_membership(self._place, self._charter, entered)

    def _follow(self, membership: Membership) -> None:
        """Take note of who the others are from here on."""
        assert self._mail is not None
        self._mail.follow(membership)
        numbers = [member.number for member in membership.members]
        self._others = tuple(number for number in numbers if number != self._number)

    def _post(self, to: Principal, messages: list[bytes]) -> None:
        assert self._mail is not None
        self._mail.send(to, messages, self._loop_time())

    def _report(self, report: Report) -> None:
        member = -1 if report.member is None else report.member
        self._counts[report.kind] += 1
        self._reports.append([round(self._place.wall(), 3), report.kind, report.words, member])
        level = _LEVELS.get(report.kind, logging.INFO)
        if report.kind in _WARNINGS:
            level = logging.WARNING
        meant = "" if report.member is None else f" (replica {report.member})"
        _log.log(
            level, "replica %d of %s: %s: %s%s",
            self._number, self._charter.name, report.kind, report.words, meant,
        )  # fmt: skip
        self._note_repair(report.kind)

    def _note_repair(self, kind: str) -> None:
        """Say what differed, once a state that was wrong is the group's again."""
        service = self._service
        if service is None:
            return
        if kind == "divided":
            service.differences = [one.words for one in self._division.differences]
        elif kind == "diverged":
            service.suspected = True
        elif kind == "transfer" and service.suspected:
            service.suspected = False
            for words in service.differences:
                _log.error("replica %d of %s: %s", self._number, self._charter.name, words)
