"""The server on the primary's own node: it shows the primary's own state.

A value that a message carries is copied, and a state is too large for that. So the primary keeps
the screens beside its state, and the object that everybody on the node asks passes questions on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final

import vista
from apps.starship.objects.configuration import Terms
from apps.starship.objects.showing import ScreenSource
from apps.starship.rules.state import State

SHOWN: Final = (
    "add_watcher", "remove_watcher", "get_screens", "get_panels", "get_bridge", "get_captain",
    "get_lists", "get_map", "get_table", "get_lost_rows", "get_frames", "get_servers_table",
    "get_step", "is_frozen", "get_warning", "get_other_url", "is_leaving",
    "get_interval", "get_update_interval", "get_next_in", "get_scan_wait",
)  # fmt: skip
"""What may be asked of the screens: everything those who show a game send a server."""


class OwnScreens(ScreenSource):
    """What the primary's node shows; ``id`` is that of its server, ``now`` the node's clock."""

    frozen = False
    refusal = ""

    def __init__(self, id: str, now: Callable[[], float]) -> None:
        self._id = id
        self._now = now
        self._begin_showing()

    def _own_id(self) -> str:
        return self._id

    def _time(self) -> float:
        return self._now()

    def begin(
        self, state: State, terms: Terms, lost: Sequence[dict[str, Any]], news: Mapping[str, Any]
    ) -> None:
        """Show a state that is not the step after the last one."""
        self._note_game(state, terms, lost)
        self._note_news(news)
        self._tell_watchers()

    def go_on(self, before: State, after: State, news: Mapping[str, Any]) -> None:
        """Show the next state."""
        self._note_commit(before, after)
        self._note_news(news)
        self._tell_watchers()

    def answer(self, name: str, words: Sequence[Any]) -> Any:
        """Return what one of `SHOWN` returns."""
        if name not in SHOWN:
            raise vista.BadValueError(f"a server shows {', '.join(SHOWN)}; not {name!r}")
        return getattr(self, name)(*words)


def _passed_on(name: str) -> Any:
    @wraps(getattr(ScreenSource, name))
    def ask(self: Any, *words: Any) -> Any:
        return vista.send(self._primary, "ask_screens", name, words)

    return ask


class StarshipOwnSecondary(vista.Object, namespace="StarShip"):
    """The server on a primary's own node; the primary makes it.

    ``create(primary)``. It answers all that a `StarshipSecondary` is asked by those who show the
    game. What it computes the primary computes, and its state is the primary's.
    """

    def create(self, primary: vista.Ref) -> None:
        """Belong to a primary."""
        self._primary = primary
        self.url = ""

    def set_url(self, url: str) -> None:
        """Say where the site of this node is, for the page of the servers and for its players."""
        self.url = url
        self._primary.set_own_url.post(url)

    def get_refusal(self) -> str:
        """Return why the primary does not take this server: it always does."""
        return ""

    def get_hash(self) -> str:
        """Return the hash of the state."""
        found: str = self._primary.get_hash()
        return found

    def get_things(self) -> dict[str, vista.Ref]:
        """Return the objects of the galaxy by short name."""
        found: dict[str, vista.Ref] = self._primary.get_things()
        return found

    add_watcher = _passed_on("add_watcher")
    remove_watcher = _passed_on("remove_watcher")
    get_screens = _passed_on("get_screens")
    get_panels = _passed_on("get_panels")
    get_bridge = _passed_on("get_bridge")
    get_captain = _passed_on("get_captain")
    get_lists = _passed_on("get_lists")
    get_map = _passed_on("get_map")
    get_table = _passed_on("get_table")
    get_lost_rows = _passed_on("get_lost_rows")
    get_frames = _passed_on("get_frames")
    get_servers_table = _passed_on("get_servers_table")
    get_step = _passed_on("get_step")
    is_frozen = _passed_on("is_frozen")
    get_warning = _passed_on("get_warning")
    get_other_url = _passed_on("get_other_url")
    is_leaving = _passed_on("is_leaving")
    get_interval = _passed_on("get_interval")
    get_update_interval = _passed_on("get_update_interval")
    get_next_in = _passed_on("get_next_in")
    get_scan_wait = _passed_on("get_scan_wait")
