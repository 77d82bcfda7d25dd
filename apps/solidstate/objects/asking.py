"""One client of a group that asks for one thing after the other: the administrator's side of it."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import vista
from apps.solidstate.objects.correspondent import Correspondent
from apps.solidstate.objects.identity import known_membership, note_membership
from apps.solidstate.pbft.canonical import unpack
from apps.solidstate.pbft.client import Client
from apps.solidstate.pbft.effects import Answer, Send
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.events import Ask, Received, Tick
from vista import AccessDenied, BadValueError, Overloaded

CEILING_FILE = "administrator-ceiling"
CEILING_SECONDS = 60.0
"""How far above its clock the numbers of an administrator's requests are kept free on disk: after a
restart, also with a clock that was set back, they go on above that."""


class Asking(Correspondent, namespace="SolidState", abstract=True):
    """An object that asks a group for what its administrator may ask for; see the module."""

    def begin(self, group: str, directory: str) -> None:
        """Be ready to ask.

        Raises `AccessDenied` where the group was founded on another machine.
        """
        self.set_up(group, directory)
        name = self._identity.administrator_name
        if name not in self._charter.administrators:
            raise AccessDenied(
                f"group {group!r} is changed on the machine that founded it, and this is another "
                f"one" + ("" if self._charter.administrators else "; it was founded without any")
            )
        self._open_mail(name)
        known = known_membership(self._place, self._charter)
        config = self._charter.config(None, known)
        self._client = Client(config, name, self._place.entropy(), self._keyring)
        self._epoch = -1
        self._answered: asyncio.Future[bytes] | None = None
        self._wish = b""
        self._ceiling = 0.0
        self._ahead = 0.0
        self._ahead = max(0.0, self._read_ceiling() - self._now())
        self._follow()

    def _ask(self, operation: bytes) -> list[Any]:
        """Wait for the group's answer. Raises `Overloaded` while another one is waited for."""
        if self._answered is not None:
            raise Overloaded("the administrator is busy with what was asked before: ask later")
        answered = self._answered = asyncio.get_running_loop().create_future()
        self._wish = operation
        try:
            self._await_turn()
            result: bytes = vista.wait(answered)
        finally:
            self._answered = None
        return list(unpack(result))

    def _now(self) -> float:
        return super()._now() + self._ahead

    def _read_ceiling(self) -> float:
        found = self._place.read(CEILING_FILE)
        try:
            ceiling = 0.0 if found is None else float(found)
        except ValueError:
            ceiling = math.nan
        if not math.isfinite(ceiling):
            raise BadValueError(f"file {CEILING_FILE} holds no number: remove it")
        return ceiling

    def _deadline(self) -> float:
        return self._now() if self._wish else self._client.next_deadline()

    def _take_turn(self) -> None:
        now, mail = self._now(), self._mail
        assert mail is not None
        effects: list[Any] = []
        while (letter := self._next_letter()) is not None:
            for message in mail.read(*letter):
                effects += self._client.handle(Received(letter[0], message), now)
        # Before the next wish is asked for: an answer to the last one is none to it.
        self._carry_out(effects)
        effects = []
        if self._wish and not self._client.busy:
            wish, self._wish = self._wish, b""
            if now >= self._ceiling - CEILING_SECONDS / 2:
                self._ceiling = now + CEILING_SECONDS
                self._place.write(CEILING_FILE, f"{self._ceiling:.0f}".encode())
            effects += self._client.handle(Ask(wish), now)
        if now >= self._client.next_deadline():
            effects += self._client.handle(Tick(), now)
        self._follow()
        self._carry_out(effects)

    def _carry_out(self, effects: list[Any]) -> None:
        assert self._mail is not None
        for effect in effects:
            if isinstance(effect, Send):
                self._mail.send(effect.to, [encode(effect.message)], self._loop_time())
            elif isinstance(effect, Answer):
                answered = self._answered
                # Of an earlier wish whose caller gave up, if there is none.
                if answered is not None and not answered.done() and not self._wish:
                    answered.set_result(effect.result)

    def _follow(self) -> None:
        """Take note of the group of the day, where it is another one than before."""
        membership = self._client.membership
        if membership.epoch != self._epoch:
            self._epoch = membership.epoch
            assert self._mail is not None
            self._mail.follow(membership)
            note_membership(self._place, self._charter, membership)
