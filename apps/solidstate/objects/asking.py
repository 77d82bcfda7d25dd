"""One client of a group that asks for one thing after the other: the administrator's side of it."""

from __future__ import annotations

import asyncio
from typing import Any

import vista
from apps.solidstate.objects.correspondent import Questioner
from apps.solidstate.pbft.canonical import unpack
from apps.solidstate.pbft.effects import Answer, Send
from apps.solidstate.pbft.encoding import encode
from apps.solidstate.pbft.events import Ask, Tick
from vista import AccessDenied, Overloaded


class Asking(Questioner, namespace="SolidState", abstract=True):
    """An object that asks a group for what its administrator may ask for; see the module."""

    ceiling_file = "administrator-ceiling"

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
        self._answered: asyncio.Future[bytes] | None = None
        self._wish = b""
        self._open_client(name)

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
            # Given up before the group was asked: nobody expects it to be done later.
            self._wish = b""
        return list(unpack(result))

    def _deadline(self) -> float:
        return self._now() if self._wish else self._client.next_deadline()

    def _take_turn(self) -> None:
        now = self._now()
        effects: list[Any] = []
        for received in self._received():
            effects += self._client.handle(received, now)
        # Before the next wish is asked for: an answer to the last one is none to it.
        self._carry_out(effects)
        effects = []
        if self._wish and not self._client.busy:
            wish, self._wish = self._wish, b""
            self._raise_ceiling(now)
            effects += self._client.handle(Ask(wish), now)
        if now >= self._client.next_deadline():
            effects += self._client.handle(Tick(), now)
        self._follow()
        self._carry_out(effects)
        self._keep_group(now)

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
