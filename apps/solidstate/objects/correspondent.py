"""What drives a core: letters come, turns handle what came together, a timer brings the next turn.

A turn is a message that the object posts to itself, so it stands behind all letters that came
before it: what they want written is written together, and what they want sent goes together.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import Iterator
from typing import ClassVar

import vista
from apps.solidstate.objects.charter import Charter
from apps.solidstate.objects.identity import Identity, known_membership, note_membership, pinned
from apps.solidstate.objects.mail import Mail
from apps.solidstate.objects.places import AnyPlace, Place
from apps.solidstate.objects.steady import SteadyClock
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.events import Received
from vista import BadValueError

LETTERS_MAX = 512
"""Letters of one member that wait to be handled; see `mail.REPLICA_BYTES_MAX`."""

PAUSE_SECONDS = 1.0
"""How long after a turn that failed the next one comes at the earliest, unless a letter does."""

TURN_SECONDS = 0.01
"""How long letters are handled before the node sees to everything else."""

CEILING_SECONDS = 60.0
"""How far above its clock a client keeps on disk what the numbers of its requests stay below: after
a restart, also with a clock that was set back, they go on above that."""

KEEP_SECONDS = 5.0
"""How long a client waits before it tries a disk again that did not take who is in the group."""

_log = logging.getLogger("vista.solidstate")


class Correspondent(vista.Object, namespace="SolidState", abstract=True):
    """An object that drives a member of a group; see the module."""

    def set_up(self, group: str, directory: str) -> None:
        """Read what is pinned for a group in a directory, and be silent yet.

        Raises `BadValueError` when nothing is.
        """
        self._check_unset()
        self._place = self._make_place(directory)
        self._identity = Identity(self._place)
        charter = pinned(self._place, group)
        if charter is None:
            raise BadValueError(f"no group {group!r} is pinned in {directory}")
        self._charter: Charter = charter
        self._clock = SteadyClock()
        # Asked for some four times in each turn.
        self._loop_time = asyncio.get_running_loop().time
        self._letters: dict[Principal, deque[bytes]] = {}
        self._waiting_bytes: dict[Principal, int] = {}
        self._mail: Mail | None = None
        self._awaited = False
        self._in_turn = False
        self._closed = False
        self._alarm = math.inf
        self._alarms = 0
        self._timer: vista.Ref | None = None
        self.dropped = 0

    def _check_unset(self) -> None:
        if "_place" in vars(self):
            raise BadValueError("it was set up when it was made")

    def _make_place(self, directory: str) -> AnyPlace:
        return Place(directory)

    def _open_mail(self, me: Principal) -> None:
        keyring = self._identity.keyring(self._charter, me)
        self._keyring = keyring
        self._mail = Mail(self._charter, me, keyring, vista.id_of(vista.self_ref(self)))

    def _now(self) -> float:
        return self._clock.read(self._loop_time(), self._place.wall())

    # --- letters ---------------------------------------------------------------------------

    def take_mail(self, sender: int | str, sealed: bytes) -> None:
        """Take a letter; members of the group post it."""
        mail = self._mail
        data = None if mail is None else mail.unseal(sender, sealed)
        if mail is None or data is None:
            return
        letters = self._letters.get(sender)
        waiting = len(data)
        if letters is None:
            letters = self._letters[sender] = deque()
        else:
            waiting += self._waiting_bytes[sender]
            if len(letters) >= LETTERS_MAX or waiting > mail.allowance(sender):
                self.dropped += 1
                return
        letters.append(data)
        self._waiting_bytes[sender] = waiting
        self._await_turn()

    def _next_letter(self) -> tuple[Principal, bytes] | None:
        """Return the next letter and who sent it: those who wrote take turns."""
        if not self._letters:
            return None
        sender = next(iter(self._letters))
        letters = self._letters.pop(sender)
        data = letters.popleft()
        if letters:
            self._letters[sender] = letters
            self._waiting_bytes[sender] -= len(data)
        else:
            del self._waiting_bytes[sender]
        return sender, data

    def _received(self) -> Iterator[Received]:
        """Yield what came, letter by letter, until the turn is over."""
        until = self._loop_time() + TURN_SECONDS
        mail = self._mail
        assert mail is not None
        while self._loop_time() < until and (letter := self._next_letter()) is not None:
            for message in mail.read(*letter):
                yield Received(letter[0], message)

    def _forget_letters(self) -> None:
        self._letters.clear()
        self._waiting_bytes.clear()

    # --- turns -----------------------------------------------------------------------------

    def _await_turn(self) -> None:
        if not self._awaited and not self._in_turn and not self._closed:
            try:
                vista.self_ref(self).turn.post()
            except vista.Overloaded:
                # As much as may waits for this object, and its turn is not among it.
                self._set_alarm(PAUSE_SECONDS)
            else:
                self._awaited = True

    def turn(self) -> None:
        """Handle what came; the object posts it to itself, and its timer does."""
        self._awaited = False
        if self._in_turn or self._closed:
            return
        self._in_turn = True
        try:
            self._take_turn()
        except BaseException:
            # Without an alarm nobody would bring the next turn; at once, this could go on for ever.
            self._in_turn = False
            self._set_alarm(PAUSE_SECONDS)
            raise
        self._in_turn = False
        if self._letters:
            self._await_turn()
        self._set_alarm()

    def _take_turn(self) -> None:
        raise NotImplementedError

    def _deadline(self) -> float:
        raise NotImplementedError

    def timer_expired(self, timer: vista.Ref, number: int) -> None:
        """See what is due; the timer sends it."""
        if number == self._alarms:
            self._alarm, self._timer = math.inf, None
            self._await_turn()

    def _set_alarm(self, pause: float = 0.0) -> None:
        due = self._now() + pause if pause else self._deadline()
        if due < self._alarm and not self._closed:
            self._cancel_alarm()
            self._alarms += 1
            wait = max(0.0, due - self._now())
            self._timer = vista.create("TimerEvent", vista.self_ref(self), wait, self._alarms)
            self._alarm = due

    def _cancel_alarm(self) -> None:
        timer, self._timer = self._timer, None
        self._alarm = math.inf
        if timer is not None:
            with contextlib.suppress(vista.CallError):
                timer.delete_yourself()

    def delete(self) -> None:
        """Be silent from here on."""
        self._closed = True
        if "_timer" in vars(self):
            self._cancel_alarm()


class Questioner(Correspondent, namespace="SolidState", abstract=True):
    """An object that drives a client of a group: the numbers of what it asks for only grow.

    ``ceiling_file`` holds what they stay below.
    """

    ceiling_file: ClassVar[str]

    def _open_client(self, name: str) -> None:
        """Be the client of this name. Raises `BadValueError` for a file that holds no number."""
        self._open_mail(name)
        known = known_membership(self._place, self._charter)
        config = self._charter.config(None, known)
        self._client = Client(config, name, self._place.entropy(), self._keyring)
        self._epoch = self._kept = -1
        self._keep_at = -math.inf
        self._ceiling = 0.0
        self._ahead = 0.0
        self._ahead = max(0.0, self._read_ceiling() - self._now())
        self._follow()

    def _now(self) -> float:
        return super()._now() + self._ahead

    def _read_ceiling(self) -> float:
        found = self._place.read(self.ceiling_file)
        try:
            ceiling = 0.0 if found is None else float(found)
        except ValueError:
            ceiling = math.nan
        if not math.isfinite(ceiling):
            raise BadValueError(f"file {self.ceiling_file} holds no number: remove it")
        return ceiling

    def _raise_ceiling(self, now: float) -> None:
        """See to it that the file is ahead of what is asked for at this time."""
        if now >= self._ceiling - CEILING_SECONDS / 2:
            self._ceiling = now + CEILING_SECONDS
            self._place.write(self.ceiling_file, f"{self._ceiling:.0f}".encode())

    def _follow(self) -> None:
        """Take note of the group of the day, where it is another one than before."""
        membership = self._client.membership
        if membership.epoch != self._epoch:
            self._epoch = membership.epoch
            assert self._mail is not None
            self._mail.follow(membership)

    def _keep_group(self, now: float) -> None:
        """Keep the group of the day for the next start.

        It comes when a turn's effects are carried out: a disk that is full loses none of them.
        """
        if self._kept != self._epoch and now >= self._keep_at:
            try:
                note_membership(self._place, self._charter, self._client.membership)
                self._kept = self._epoch
            except OSError as error:
                self._keep_at = now + KEEP_SECONDS
                _log.warning(
                    "who is in group %s is not kept for the next start, which is tried again: %s",
                    self._charter.name, error,
                )  # fmt: skip
