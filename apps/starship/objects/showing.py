"""What a server tells those who show the game: screens, lists, the map, frames of past steps.

Two rules. Everything is read off the state this server has: to show the game asks no other node,
so a link that is lost freezes displays and breaks none. Who watches is told that there is another
step, and asks for what it shows.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import vista
from apps.starship.display.galaxy import Frames, fallen, keep_lost, map_of, table_of
from apps.starship.display.lists import lists_of
from apps.starship.display.screen import Showing, look_of
from apps.starship.objects.configuration import Terms
from apps.starship.pages.page import Page
from apps.starship.rules.state import State

_NO_TABLE = {
    "step": -1, "epoch": 0, "servers": [], "computed": {}, "reports": [], "refused": [],
    "saving": "",
}  # fmt: skip

WATCHERS_MAX = 1_000
"""Objects that are told of each step: a site has one or two."""
LOOKS_MAX = 2_000
"""Screens that are asked for in one message."""


def _dumps(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


class ScreenSource:
    """The part of a `StarshipSecondary` that those who show the game send messages to.

    A *look* is a dict with the fields of `apps.starship.display.screen.Look` that are not as usual;
    in mode ``scan`` it sees the galaxy ``scan_delay`` steps late, and nothing as long as the server
    has no state that old: see `get_scan_wait`.
    """

    frozen: bool
    refusal: str

    def _begin_showing(self) -> None:
        """Begin without a state."""
        self._terms = Terms()
        self._watchers: list[vista.Ref] = []
        self._shown: State | None = None
        self._showing: Showing | None = None
        self._past: deque[Showing] = deque()
        self._frames = Frames()
        self._unframed: State | None = None
        self._lost_rows: list[dict[str, Any]] = []
        self._map_text = ""
        self._table: dict[str, Any] = dict(_NO_TABLE)
        self._left_over: list[dict[str, str]] = []
        self._due = math.inf
        self._go_to = ""

    # --- what the server notes -------------------------------------------------------------

    def _note_game(self, state: State, terms: Terms, lost_rows: Sequence[dict[str, Any]]) -> None:
        """Begin with a state that is not the step after the last one.

        Its number may be the next one all the same, in another game: nothing goes on from before.
        """
        self._terms = terms
        self._showing, self._unframed = None, None
        self._past.clear()
        self._frames.clear()
        self._lost_rows = keep_lost(lost_rows)
        self._note_state(state)

    def _note_commit(self, before: State, after: State) -> None:
        """Go on with the next state."""
        found = fallen(before, after)
        if found:
            self._lost_rows = keep_lost([*self._lost_rows, *found])
        self._note_state(after)

    def _note_state(self, state: State) -> None:
        if self._showing is not None and self._terms.scan_delay:
            self._past.append(self._showing)
            while len(self._past) > self._terms.scan_delay:
                self._past.popleft()
        self._shown = state
        self._showing = Showing(state)
        self.keep_frame()
        self._unframed = state
        self._map_text = ""

    def keep_frame(self) -> None:
        """Keep the frame of the state that is shown: when those who watch have been told of it."""
        state, self._unframed = self._unframed, None
        if state is not None:
            self._frames.add(state)

    def _note_news(self, news: Mapping[str, Any]) -> None:
        """Take what the primary says besides the step: the next one's time, and the servers."""
        next_in = news.get("next_in")
        self._due = math.inf if next_in is None else self._time() + float(next_in)
        self._table = dict(news.get("table", self._table))
        self._left_over = list(news.get("kept", self._left_over))

    def _time(self) -> float:
        """Return the time of the node's clock in seconds."""
        raise NotImplementedError

    def _own_id(self) -> str:
        """Return the Id of the server as a text."""
        return str(vista.id_of(self))

    def _note_leaving(self) -> None:
        """Tell the players where they can go on."""
        self._go_to = self.get_other_url().rstrip("/")
        if self._go_to:
            self._tell_watchers()

    def _tell_watchers(self) -> None:
        step = self.get_step()
        for watcher in self._watchers:
            vista.post(watcher, "step_committed", step)

    # --- who watches -----------------------------------------------------------------------

    def add_watcher(self, watcher: vista.Ref) -> None:
        """Have an object told ``step_committed(step)`` after each step.

        It is told as well when the display freezes or goes on, with the step that is shown.
        Raises `Overloaded` when there are 1,000 already.
        """
        if watcher not in self._watchers:
            if len(self._watchers) >= WATCHERS_MAX:
                raise vista.Overloaded(f"a server tells {WATCHERS_MAX} watchers at most")
            self._watchers.append(watcher)

    def remove_watcher(self, watcher: vista.Ref) -> None:
        """Tell an object no more; see `add_watcher`."""
        if watcher in self._watchers:
            self._watchers.remove(watcher)

    # --- one ship --------------------------------------------------------------------------

    def get_screens(self, looks: Sequence[tuple[str, Mapping[str, Any]]]) -> list[str]:
        """Return what the screens of ships show, as JSON texts; ``""`` where there is no such ship.

        ``looks`` are pairs of a ship's name and a look. At the end ``frozen``, ``interval``,
        ``next_in`` (seconds) and ``warning`` are added.
        """
        found = [self._screen(ship, look) for ship, look in _few(looks)]
        return ["" if screen is None else _dumps(screen) for screen in found]

    def get_panels(
        self, asked: Sequence[tuple[str, Mapping[str, Any], Mapping[str, Any]]]
    ) -> list[dict[str, str]]:
        """Return the parts of bridge pages as HTML by id; ``{}`` where there is no such ship.

        ``asked`` are a ship's name, a look, and the fields of `apps.starship.pages.Page`.
        """
        from apps.starship.pages.bridge import panels_of

        found = []
        for ship, look, page in _few(asked):
            screen = self._screen(ship, look)
            found.append({} if screen is None else panels_of(screen, self._page(page)))
        return found

    def get_bridge(self, ship: str, look: Mapping[str, Any], page: Mapping[str, Any]) -> str:
        """Return a whole bridge page as HTML, ``""`` if there is no such ship."""
        from apps.starship.pages.bridge import bridge_page

        screen = self._screen(ship, look)
        return "" if screen is None else bridge_page(screen, self._page(page))

    def _page(self, page: Mapping[str, Any]) -> Page:
        return Page.of({"frozen": self.frozen, "next_in": self.get_next_in(), **page})

    def _screen(self, ship: str, look: Mapping[str, Any]) -> dict[str, Any] | None:
        made = look_of(look)
        showing = self._showing
        if made.mode == "scan":
            showing = self._delayed()
        screen = None if showing is None else showing.screen(ship, made)
        if screen is not None:
            screen["frozen"] = self.frozen
            screen["interval"] = self.get_interval()
            screen["next_in"] = self.get_next_in()
            screen["warning"] = self.get_warning()
        return screen

    def _delayed(self) -> Showing | None:
        """What spectators see, None as long as no state is old enough."""
        if not self._terms.scan_delay:
            return self._showing
        return None if self.get_scan_wait() else self._past[0]

    def get_scan_wait(self) -> int:
        """Return after how many steps spectators see something; 0 when they do.

        A server that has just joined has no state yet that is ``scan_delay`` steps old.
        """
        return max(0, self._terms.scan_delay - len(self._past))

    def get_captain(self, ship: str) -> int | None:
        """Return the number of the captain of a ship, None without one or without such a ship."""
        if self._showing is None:
            return None
        found = self._showing.view.find(ship)
        return None if found is None or not found.alive else found.meta.captain

    # --- the whole game --------------------------------------------------------------------

    def get_lists(self) -> dict[str, Any]:
        """Return what the login page offers; ``{}`` before the first state.

        Under ``take`` are also the ships of owners that are left over from earlier games.
        """
        if self._shown is None:
            return {}
        lists = lists_of(self._shown)
        lists["take"] = [*lists["take"], *self._left_over]
        return lists

    def get_map(self) -> str:
        """Return the whole galaxy as JSON, as late as spectators are; ``""`` without a state."""
        showing = self._delayed()
        if showing is None:
            return ""
        if not self._map_text:
            self._map_text = _dumps(map_of(showing.state))
        return self._map_text

    def get_table(self) -> str:
        """Return the leaderboard as JSON: the ships there are, and those that are lost."""
        return "[]" if self._shown is None else _dumps(table_of(self._shown, self._lost_rows))

    def get_lost_rows(self) -> list[dict[str, Any]]:
        """Return the leaderboard's rows of ships that are lost."""
        return self._lost_rows

    def get_frames(self, first: int = -1, last: int = -1) -> str:
        """Return the frames of past steps for a replay, as JSON; see `Frames.text`.

        Spectators that are late see no frame of the steps they may not know yet.
        """
        self.keep_frame()
        newest = self.get_step() - self._terms.scan_delay
        late = self._terms.scan_delay > 0
        if late and newest < 0:
            return Frames().text()
        return self._frames.text(first, newest if late and not 0 <= last <= newest else last)

    def get_servers_table(self) -> str:
        """Return what the primary says of the servers, as JSON; see `StarshipPrimary.get_servers`.

        ``computed`` says of each object which servers computed its three units in the last step, as
        places in ``servers``: -1 is the primary itself, None nobody.
        """
        return _dumps({**self._table, "frozen": self.frozen})

    def get_step(self) -> int:
        """Return the number of the step that was committed last, -1 before the first snapshot."""
        return -1 if self._shown is None else self._shown.step

    def is_frozen(self) -> bool:
        """Tell whether the primary cannot be reached, so that nothing goes on."""
        return self.frozen

    def get_warning(self) -> str:
        """Return a sentence that captains should read, such as that the game is not saved."""
        if self._go_to:
            return f"This server leaves the game. Go on at {self._go_to}/starshipLogin.html"
        if self.refusal:
            return f"This server is not in the game: {self.refusal}."
        trouble = self._table.get("saving", "")
        return f"This game is not saved at the moment: {trouble}" if trouble else ""

    def get_other_url(self) -> str:
        """Return where players of this server may go when it leaves the game, ``""`` if nowhere.

        It is the site of another server that is ready, the primary's own first.
        """
        me = self._own_id()
        rows = [
            row
            for row in self._table["servers"]
            if row["url"] and row["id"] != me and row["state"] == "ready"
        ]
        rows.sort(key=lambda row: (not row["own"], row["id"]))
        return str(rows[0]["url"]) if rows else ""

    def is_leaving(self) -> bool:
        """Tell whether this server leaves the game, and its players may go on at another."""
        return bool(self._go_to)

    def get_interval(self) -> float:
        """Return the seconds between two steps, 0 where they are made by hand."""
        return self._terms.interval

    def get_update_interval(self) -> int:
        """Return after how many seconds a page without script is loaded anew, as configured."""
        return self._terms.update_interval

    def get_next_in(self) -> float:
        """Return the seconds until the next step begins; 0 where nobody knows."""
        if self.frozen or not math.isfinite(self._due):
            return 0.0
        return round(max(0.0, self._due - self._time()), 3)


def _few(asked: Sequence[Any]) -> Sequence[Any]:
    if len(asked) > LOOKS_MAX:
        raise vista.BadValueError(f"ask for at most {LOOKS_MAX} screens in one message")
    return asked
