"""The pages of the game at their addresses: who asks for which gets what."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable
from typing import Any, Final

import vista
from apps.http.content.resources import Request, Response, error_response
from apps.http.errors import RequestRejected
from apps.starship.web import spectating
from apps.starship.web.activity import Activity, tell_primary
from apps.starship.web.answers import (
    BRIDGE,
    LOGIN,
    SCAN,
    Outcome,
    address_of,
    json_answer,
    page,
    see_other,
    told,
    too_many,
)
from apps.starship.web.audience import View
from apps.starship.web.boarding import Boarding
from apps.starship.web.buckets import Buckets
from apps.starship.web.captaincy import Captain, captain_of, new_captain, new_nonce
from apps.starship.web.drawing import commands, look_and_page
from apps.starship.web.limits import SiteLimits
from apps.starship.web.login import Visit, create_fragment, draw_login, list_fragment
from apps.starship.web.notices import (
    building_page,
    lost_page,
    not_yours_page,
    starting_page,
    too_early_page,
    trouble_page,
)
from apps.starship.web.reading import Look, look_of, settings_of, wants_json
from apps.starship.web.streams import StarshipStreams

_log = logging.getLogger("vista.starship")

ROOT: Final = "/starship"
GONE: Final = (vista.NoSuchObject, vista.ObjectDeleted)
"""How a server answers that was deleted, such as one that left the game."""
STARTING = Outcome(False, "E_LINK", "This server has not joined the game yet.")
TOO_EARLY = Outcome(False, "E_LINK", "Spectators see this game some steps later.")


class StarshipSite(Boarding, vista.Object, namespace="StarShip"):
    """The web site of a game on one server; `StarshipHTTPsetup` makes it.

    ``create(url_directory, limits, setup)``: ``url_directory`` is that of the site, ``limits`` its
    `SiteLimits`, ``setup`` who finds the server whose state is shown and tells it by `set_server`.
    Pages are made of that server's state alone; orders go to the primary.
    """

    def create(self, url_directory: vista.Ref, limits: SiteLimits, setup: vista.Ref) -> None:
        """Register for the addresses."""
        self.limits = limits
        self.setup = setup
        self.server: vista.Ref | None = None
        self.introduces = False
        self.url_directory = url_directory
        self._requests = Buckets(
            limits.requests_per_second, limits.requests_burst, limits.addresses_max
        )
        self._activity = Activity(limits.activity_seconds)
        self._begin_boarding()
        me = vista.self_ref(self)
        self.streams = vista.create(StarshipStreams, me, limits)
        url_directory.register_directory_handler(f"{ROOT}/", me)
        for path in (LOGIN, ROOT, *_GETS, *_POSTS):
            url_directory.register_object(path, me)

    def delete(self) -> None:
        """Leave the directory, and end the streams."""
        me = vista.self_ref(self)
        # In flight and not waited for: they may be gone, which is nobody's mistake.
        vista.future(self.streams, "delete_yourself")
        vista.future(self.url_directory, "unregister_directory_handler", f"{ROOT}/", me)
        for path in (LOGIN, ROOT, *_GETS, *_POSTS):
            vista.future(self.url_directory, "unregister_object", path, me)

    def set_server(self, server: vista.Ref, introduces: bool = False) -> None:
        """Show the state of a server from here on.

        With ``introduces`` it is told of its captains what others do not know, by which it proves
        that they are here: see `StarshipServer`.
        """
        self.server, self.introduces = server, introduces
        self.streams.set_server(server)

    def get_streams(self) -> vista.Ref:
        """Return the object that has the open streams."""
        return self.streams

    def load_object(self, path: str) -> vista.Ref:
        """Answer every address below that of the game that nobody else has."""
        return vista.self_ref(self)

    def handler_replaced(self, path: str) -> None:
        """Take note that somebody else answers at the address."""
        _log.warning("the game does not answer at %s any longer", path)

    # --- requests --------------------------------------------------------------------------

    def get_request(self, request: Request) -> Response:
        """Return a page."""
        wait = self._requests.take(request.client, self._now())
        if wait:
            return too_many(wait, "Your address asks too often.")
        return self._answer(request, _GETS.get(request.path))

    def post_request(self, request: Request) -> Response:
        """Take a form."""
        wait = self._requests.take(request.client, self._now())
        if wait:
            return too_many(wait, "Your address asks too often.", wants_json(request))
        return self._answer(request, _POSTS.get(request.path))

    def _answer(
        self, request: Request, answer: Callable[[Any, Request], Response] | None
    ) -> Response:
        if answer is None:
            if request.path in (ROOT, f"{ROOT}/") and request.method in ("GET", "HEAD"):
                return see_other(LOGIN)
            return _no_such(request.path)
        # A page takes a millisecond or two, and a connection may ask for a hundred in one go.
        vista.sleep(0)
        try:
            if not self._has_state():
                return self._starting(request)
            return answer(self, request)
        except GONE:
            self._lose_server()
            return self._starting(request)
        except RequestRejected as error:
            return _unread(request, error)

    def _has_state(self) -> bool:
        """Tell whether there is anything to show: a server that joins gets its state later."""
        return self.server is not None and self.server.get_step() >= 0

    def _lose_server(self) -> None:
        """Look for another server: the one that was shown is gone."""
        server = self.server
        if server is not None and vista.future(server, "get_step").exception() is not None:
            self.server = None
            vista.post(self.setup, "look")

    def _starting(self, request: Request) -> Response:
        if wants_json(request):
            return told(STARTING)
        # What was posted is not asked for again: its address takes no GET.
        where = f"; url={LOGIN}" if request.method == "POST" else ""
        again = (("Retry-After", "2"), ("Refresh", f"2{where}"))
        return page(starting_page(self._refusal()), 503, again)

    def _refusal(self) -> str:
        """Return why the primary does not take the server of this site, if it said so."""
        server = self.server
        if server is None:
            return ""
        try:
            return str(server.get_refusal())
        except (*GONE, vista.NoSuchMethod):
            return ""

    @property
    def _shown(self) -> vista.Ref:
        assert self.server is not None, "no page is made without a server"
        return self.server

    # --- coming in -------------------------------------------------------------------------

    def _login(self, request: Request) -> Response:
        captain = captain_of(request)
        known = None if captain is None else self._notices.take((captain.number, ""), self._now())
        outcome = None if known is None else Outcome(**known["notice"])
        left = "" if known is None else known["left"]
        return self._login_page(request, captain or new_captain(), outcome, left=left)

    def _login_page(
        self,
        request: Request,
        captain: Captain | None,
        outcome: Outcome | None = None,
        form: str = "",
        typed: dict[str, str] | None = None,
        left: str = "",
    ) -> Response:
        """Return the login page with what came of a form; ``left`` is a ship he has just left.

        Who has no cookie gets none here: to a form that another site has sent browsers add no
        cookie, and one in the answer would take the place of the captain's.
        """
        server = self._shown
        token = "" if captain is None else captain.token
        text = draw_login(server, Visit(token, form, typed, outcome, left))
        cookie = () if captain is None else (captain.cookie(request.secure),)
        return page(text, 200 if outcome is None else outcome.status, cookie)

    def _list(self, request: Request) -> Response:
        return page(list_fragment(self._shown, request.query))

    def _create(self, request: Request) -> Response:
        return page(create_fragment(self._shown, request.query))

    # --- ships -----------------------------------------------------------------------------

    def _bridge(self, request: Request) -> Response:
        view = self._view(request)
        captain = captain_of(request)
        if not view.look.ship:
            return see_other(LOGIN)
        if not commands(self._shown, view):
            return self._outside(request, view, captain)
        assert captain is not None, "somebody is in command"
        self._note_active(view)
        ship = view.look.ship.lower()
        self._coming.forget((captain.number, ship))
        shown = self._notices.take((captain.number, ship), self._now()) or {}
        return self._drawn(view, {"key": new_nonce(), **shown})

    def _scan(self, request: Request) -> Response:
        view = self._view(request, scan=True)
        if not view.look.ship:
            return see_other(LOGIN)
        if self._shown.get_scan_wait():
            return self._too_early()
        captain = captain_of(request)
        shown = (
            None
            if captain is None
            else self._notices.take((captain.number, view.look.ship.lower()), self._now())
        )
        return self._drawn(view, shown or {})

    def _drawn(self, view: View, shown: dict[str, Any]) -> Response:
        server, look = self._shown, view.look
        how, how_page = look_and_page(server, view, self._given, server.get_step())
        text = server.get_bridge(look.ship, how, {**how_page, **shown})
        return page(text) if text else self._gone(look.ship)

    def _outside(self, request: Request, view: View, captain: Captain | None) -> Response:
        """Answer somebody who is not in command of a ship, or not yet."""
        server, ship = self._shown, view.look.ship
        if self._is_coming(captain, ship):
            next_in = server.get_next_in()
            refresh = (("Refresh", str(max(1, math.ceil(next_in + 0.2)))),)
            return page(building_page(ship, next_in), 200, refresh)
        screen = server.get_screens([(ship, {})])[0]
        if not screen:
            return self._gone(ship)
        found = json.loads(screen)["ship"]
        if not found["alive"]:
            return see_other(address_of(SCAN, view.look))
        captain = captain or new_captain()
        captained = server.get_captain(ship) is not None
        text = not_yours_page(found["name"], found["full_name"], captained, captain.token)
        return page(text, 403, (captain.cookie(request.secure),))

    def _is_coming(self, captain: Captain | None, ship: str) -> bool:
        if captain is None:
            return False
        return bool(self._coming.get((captain.number, ship.lower()), self._now()))

    def _gone(self, ship: str) -> Response:
        server = self._shown
        rows = json.loads(server.get_table())
        same = (row for row in rows if row["lost"] and row["name"].lower() == ship.lower())
        row = max(same, key=lambda row: int(row["step"] or 0), default=None)
        return page(lost_page(ship, row), 404)

    def _state(self, request: Request) -> Response:
        view = self._view(request)
        server, look, captain = self._shown, view.look, captain_of(request)
        how, _ = look_and_page(server, view, self._given, server.get_step())
        text = server.get_screens([(look.ship, how)])[0]
        if how["mode"] == "captain" and captain is not None:
            self._note_active(view)
            self._coming.forget((captain.number, look.ship.lower()))
            text = f'{text[:-1]},"token":"{captain.token}"}}'
        elif self._is_coming(captain, look.ship):
            return json_answer(
                {"coming": look.ship, "next_in": server.get_next_in()}, 202, (("Retry-After", "1"),)
            )
        if not text and how["mode"] == "scan" and server.get_scan_wait():
            return told(TOO_EARLY)
        if not text:
            return told(Outcome(False, "E_SHIP", "There is no such ship."))
        return json_answer(text)

    def _view(self, request: Request, scan: bool = False) -> View:
        captain = captain_of(request)
        look = look_of(request.parameters(), scan)
        settings = settings_of(request)
        if captain is None:
            return View(look, settings=settings)
        return View(look, captain.number, captain.token, settings)

    def _note_active(self, view: View) -> None:
        if view.captain is not None and self._activity.is_due(view.captain, self._now()):
            tell_primary(view.captain, view.settings.interval)

    # --- streams ---------------------------------------------------------------------------

    def _events(self, request: Request) -> Response:
        joined: Response = self.streams.join(request, self._streamed(request))
        return joined

    def _streamed(self, request: Request) -> View:
        """Return what a stream shows: a ship, or with ``watch`` the steps alone."""
        if "watch" in request.parameters():
            return View(Look(scan=True))
        view = self._view(request)
        # Spectators of a ship share their updates, so nothing of theirs may be in them.
        return View(view.look, settings=view.settings) if view.look.scan else view

    def websocket_request(self, request: Request, socket: vista.Ref) -> Response | None:
        """Have a client get the updates, and give orders, by WebSocket."""
        wait = self._requests.take(request.client, self._now())
        if wait:
            return too_many(wait, "Your address asks too often.")
        if request.path != f"{ROOT}/ws":
            return error_response(404, "Nothing is here.")
        try:
            if not self._has_state():
                return self._starting(request)
        except GONE:
            self._lose_server()
            return self._starting(request)
        refused: Response | None = self.streams.join_socket(
            self._streamed(request), request.client, socket
        )
        return refused

    def order(
        self, address: str, ship: str, captain: int | None, key: str, name: str, words: Any
    ) -> tuple[bool, str, str, int, int]:
        """Give an order that came by WebSocket; return what an `Outcome` has."""
        wait = self._requests.take(address, self._now())
        if wait:
            return Outcome(False, "E_BUSY", "Your address asks too often.")
        try:
            return self._order(ship, captain, key, name, tuple(words))
        except GONE:
            self._lose_server()
            return STARTING

    # --- spectators ------------------------------------------------------------------------

    def _spectators_page(self, request: Request) -> Response:
        server = self._shown
        name = request.path.removeprefix(f"{ROOT}/")
        if name == "map" and server.get_scan_wait():
            return self._too_early()
        return page(spectating.PAGES[name](server, request.parameters()))

    def _too_early(self) -> Response:
        """Answer a spectator while there is no state that is as old as what he may see."""
        seconds = max(2, math.ceil(self._shown.get_next_in()))
        again = (("Retry-After", str(seconds)), ("Refresh", str(seconds)))
        return page(too_early_page(self._shown.get_scan_wait()), 503, again)

    def _spectators_data(self, request: Request) -> Response:
        server = self._shown
        name = request.path.removeprefix(f"{ROOT}/").removesuffix(".json")
        if name == "map" and server.get_scan_wait():
            return told(TOO_EARLY)
        return json_answer(spectating.data(server, name, request.parameters()))


def _unread(request: Request, error: RequestRejected) -> Response:
    """Answer what was posted and cannot be read: in JSON for a program, else by a page."""
    text = f"{error.explain[:1].upper()}{error.explain[1:].rstrip('.')}."
    if wants_json(request):
        return json_answer(Outcome(False, "E_ARG", text)._asdict(), error.status)
    return page(trouble_page("This form cannot be read", text), error.status)


def _no_such(path: str) -> Response:
    """Return the answer for an address that nobody has, or not for this method."""
    methods = "GET, HEAD" if path in _GETS else "POST" if path in _POSTS else ""
    if not methods:
        return error_response(404, "Nothing is here.")
    return error_response(405, "This address takes no such request.", (("Allow", methods),))


_Answer = Callable[[Any, Request], Response]

_GETS: Final[dict[str, _Answer]] = {
    LOGIN: StarshipSite._login,
    BRIDGE: StarshipSite._bridge,
    SCAN: StarshipSite._scan,
    f"{ROOT}/list.html": StarshipSite._list,
    f"{ROOT}/create.html": StarshipSite._create,
    f"{ROOT}/state.json": StarshipSite._state,
    f"{ROOT}/events": StarshipSite._events,
    **{f"{ROOT}/{name}": StarshipSite._spectators_page for name in spectating.PAGES},
    **{f"{ROOT}/{name}.json": StarshipSite._spectators_data for name in spectating.PAGES},
}
"""Who answers GET at which address."""

_POSTS: Final[dict[str, _Answer]] = {
    f"{ROOT}/create": StarshipSite._create_ship,
    f"{ROOT}/take": StarshipSite._take_ship,
    f"{ROOT}/leave": StarshipSite._leave_ship,
    f"{ROOT}/order": StarshipSite._take_order,
    f"{ROOT}/settings": StarshipSite._choose,
}
"""Who answers POST at which address."""
