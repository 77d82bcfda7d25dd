"""Servers of a game that lie about what they computed, or what there is, or that save nothing."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import replace
from typing import Any

import vista
from apps.solidstate.objects.places import AnyPlace
from apps.starship.replicated.realm import Collecting, order_entry, write_realm
from apps.starship.replicated.server import StarshipServer
from tests.solidstate.objects.pool import SimulatedPlace
from tests.starship.replicated.fleet import SimulatedStarshipServer


class WrongStarshipServer(SimulatedStarshipServer, namespace="StarShip"):
    """Tells another hash than that of what it computed if it conducts after step 3."""

    def _told(self, heard: dict[int, float]) -> dict[str, Any]:
        told, news = super()._told(heard), self._news
        lies = told["step"] == 3 and news.get("me", "") == news.get("conductor")
        return {**told, "hash": "0" * 64} if lies else told


class SlowStarshipServer(SimulatedStarshipServer, namespace="StarShip"):
    """Closes no step when it is its turn."""

    def _patience(self) -> float:
        return super()._patience() or 1_000.0


class FullPlace(SimulatedPlace):
    """A place without room."""

    def write(self, path: str, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class FullStarshipServer(SimulatedStarshipServer, namespace="StarShip"):
    """One that finds no room for its galaxy."""

    def _make_place(self, directory: str) -> AnyPlace:
        return FullPlace(vista.here().get_name())


class Rowdy(StarshipServer, namespace="StarShip"):
    """Votes wrong, closes early, orders in the names of nobody, gives away a galaxy of its own."""

    def _look_once(self) -> None:
        judge = self._judge
        assert judge is not None
        said = ["", "[]", "{", '["order"]', '["leave", "Bob", 2.5]', '["enlist", 1, 2, 3, 4, 5]']
        for entry in [*said, order_entry("Vulcan", 5, "speed", ["9.0"]), "x" * 5_000]:
            with contextlib.suppress(vista.VistaError):
                judge.submit(entry, "", 5, [], 0, 0)
        with contextlib.suppress(vista.VistaError):
            judge.close(self._news.get("step", 1), 0, 0, {})
        for other in self._others():
            vista.post(other, "step_closed", 10**6)
        super()._look_once()

    def _told(self, heard: dict[int, float]) -> dict[str, Any]:
        return {**super()._told(heard), "hash": "f" * 64, "saved": 10**9}

    def get_galaxy(self) -> tuple[int, int]:
        return self._realm.state.step, 1

    def get_galaxy_piece(self, step: int, number: int) -> str:
        return write_realm(self._realm).replace('"energy', '"enerqy', 1)


class RowdyStarshipServer(Rowdy, SimulatedStarshipServer, namespace="StarShip"):
    """One of a simulated world."""


class SpoiltStarshipServer(SimulatedStarshipServer, namespace="StarShip"):
    """One whose memory goes wrong when it is told so."""

    def spoil(self) -> None:
        """Let an object be somewhere else."""
        state = self._realm.state
        name, thing = min(state.objects.items())
        moved = thing._replace(nav=thing.nav.changed({"x": (thing.nav.x + 1_000) % 4_000_000}))
        objects = {**state.objects, name: moved}
        self._realm = self._realm._replace(state=replace(state, objects=objects))
        self._collecting = Collecting(self._realm)
        self._outcomes[self._collecting.step] = self._collecting.outcomes
