"""Forms of captains: to make a ship, to take one, to leave one, to give an order, to choose.

Three rules. A form counts only from a page of this site that its captain was shown: who sends it
proves it by the token, and by where the browser says it comes from. Who is in command of a ship the
primary says, by the number that the cookie gives: nothing that is sent can be another's. What is
refused is shown where it was typed, with what was typed.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
from typing import Any

import vista
from apps.http.browser.entrance import is_same_origin
from apps.http.content.attempts import Attempts
from apps.http.content.resources import Request, Response
from apps.starship.web import asking
from apps.starship.web.answers import (
    BRIDGE,
    LOGIN,
    SCAN,
    Outcome,
    address_of,
    page,
    see_other,
    told,
    with_field,
)
from apps.starship.web.asking import LOST
from apps.starship.web.buckets import Buckets
from apps.starship.web.captaincy import Captain, captain_of, new_captain
from apps.starship.web.given import Given, order_text
from apps.starship.web.limits import SiteLimits
from apps.starship.web.memory import Memory
from apps.starship.web.notices import trouble_page
from apps.starship.web.reading import (
    INTERVAL_MAX,
    Look,
    Posted,
    Settings,
    look_of,
    read_interval,
    read_posted,
    settings_of,
)

FORGED = Outcome(False, "E_TOKEN", "This form is not one of yours: load its page again.")
ELSEWHERE = Outcome(False, "E_TOKEN", "This form comes from another site.")
NO_SHIP = Outcome(False, "E_SHIP", "There is no such ship.")

Notice = dict[str, Any]
"""What a page says of the last form: ``notice`` and ``typed`` of `apps.starship.pages.Page`."""


class Boarding:
    """The part of a `StarshipSite` that takes forms."""

    server: vista.Ref | None
    introduces: bool
    streams: vista.Ref
    limits: SiteLimits

    def _begin_boarding(self) -> None:
        """Begin without anything posted."""
        limits = self.limits
        self._given = Given()
        self._attempts = Attempts()
        self._ships = Buckets(1 / limits.ship_seconds, limits.ships_burst, limits.addresses_max)
        self._notices = Memory[Notice](limits.notices_max, limits.notice_seconds)
        # Ships that are the captain's with the next step, by number and name.
        self._coming = Memory[bool](limits.posted_max, limits.posted_seconds)
        # Ships that somebody left, by number and name.
        self._left = Memory[bool](limits.posted_max, limits.posted_seconds)
        # Ships by the form that made them.
        self._posted = Memory[str](limits.posted_max, limits.posted_seconds)
        # Forms whose ships are being made at the moment, with what ends then.
        self._making: dict[tuple[int, str], asyncio.Future[None]] = {}

    def _login_page(
        self,
        request: Request,
        captain: Captain | None,
        outcome: Outcome | None = None,
        form: str = "",
        typed: dict[str, str] | None = None,
        left: str = "",
    ) -> Response:
        """Return the login page with what came of a form; ``left`` is a ship he has just left."""
        raise NotImplementedError

    def _now(self) -> float:
        """Return the time of the node's clock in seconds."""
        return asyncio.get_running_loop().time()

    # --- who sends -------------------------------------------------------------------------

    def _sender(self, request: Request, posted: Posted) -> Captain | Outcome:
        """Return who sent a form, or why it does not count."""
        if not _is_own_page(request):
            return ELSEWHERE
        captain = captain_of(request)
        if posted.trusted:
            return self._introduced(captain or new_captain())
        if captain is None or not captain.owns(posted.get("token")):
            return FORGED
        return self._introduced(captain)

    def _introduced(self, captain: Captain) -> Captain:
        """Show a server that has to prove it what its captains show; see `set_server`."""
        if self.introduces and self.server is not None:
            vista.post(self.server, "introduce", captain.number, captain.badge_secret)
        return captain

    # --- ships -----------------------------------------------------------------------------

    def _create_ship(self, request: Request) -> Response:
        """Make a ship: name (may be empty), race (may be empty), phrase, token."""
        posted = read_posted(request, self.limits)
        captain = self._sender(request, posted)
        if isinstance(captain, Outcome):
            return self._refused(request, posted, captain_of(request), captain)
        outcome = self._make(request, posted, captain)
        if not outcome.ok:
            return self._refused(request, posted, captain, outcome)
        return self._welcome(request, posted, captain, outcome)

    def _make(self, request: Request, posted: Posted, captain: Captain) -> Outcome:
        """Have a ship made, but one for each form: who presses twice gets the answer twice."""
        nonce = posted.get("key")
        if not nonce:
            return self._enlist(request, posted, captain)
        form = (captain.number, nonce)
        while form in self._making:
            # Shielded: a sender who gives up leaves it to the others.
            vista.wait(asyncio.shield(self._making[form]))
        made = self._posted.get(form, self._now())
        if made:
            return Outcome(True, made)
        making = self._making[form] = asyncio.get_running_loop().create_future()
        try:
            outcome = self._enlist(request, posted, captain)
            if outcome.ok:
                self._posted.put(form, outcome.code, self._now())
        finally:
            del self._making[form]
            if not making.done():  # it is cancelled with the node
                making.set_result(None)
        return outcome

    def _enlist(self, request: Request, posted: Posted, captain: Captain) -> Outcome:
        if self.server is None or self.server.is_frozen():
            return LOST
        wait = self._ships.take(request.client, self._now())
        if wait:
            words = f"Your address has made many ships: the next one in {wait:.0f} s."
            return Outcome(False, "E_BUSY", words)
        race = posted.get("race").strip() or self.server.get_lists()["fewest"]
        name = posted.get("name").strip()
        outcome = asking.enlist(name, race, captain.number, posted.get("phrase"))
        if not outcome.ok and not _was_salted(posted, outcome):
            self._ships.give_back(request.client)
        return outcome

    def _take_ship(self, request: Request) -> Response:
        """Take a ship without a captain: ship, phrase, token."""
        posted = read_posted(request, self.limits)
        captain = self._sender(request, posted)
        if isinstance(captain, Outcome):
            return self._refused(request, posted, captain_of(request), captain)
        outcome = self._take(request, posted, captain)
        if not outcome.ok:
            return self._refused(request, posted, captain, outcome)
        return self._welcome(request, posted, captain, outcome)

    def _take(self, request: Request, posted: Posted, captain: Captain) -> Outcome:
        if self.server is None or self.server.is_frozen():
            return LOST
        wait = self._attempts.begin(request.client, self._now())
        if wait:
            words = f"Too many wrong pass-phrases: the next try in {wait:.0f} s."
            return Outcome(False, "E_BUSY", words)
        outcome = asking.take(posted.get("ship").strip(), captain.number, posted.get("phrase"))
        if outcome.ok or (outcome.code != "E_PHRASE" and not _was_salted(posted, outcome)):
            self._attempts.forgive(request.client)
        return outcome

    def _leave_ship(self, request: Request) -> Response:
        """Leave a ship to the computer: ship, token."""
        posted = read_posted(request, self.limits)
        captain = self._sender(request, posted)
        if isinstance(captain, Outcome):
            return self._refused(request, posted, captain_of(request), captain)
        ship = posted.get("ship")
        outcome = asking.leave(ship, captain.number)
        left = (captain.number, ship.lower())
        if outcome.ok:
            self._left.put(left, True, self._now())
        elif outcome.code == "E_CAPTAIN" and self._left.get(left, self._now()):
            outcome = Outcome(True, "", ship)  # the form was sent twice
        self._coming.forget((captain.number, ship.lower()))
        if posted.as_json:
            return told(outcome, ship=ship)
        if not outcome.ok:
            return self._refused(request, posted, captain, outcome)
        note = Outcome(True, "", f"You have left {outcome.text}. You may take it again here.")
        self._note(captain, "", note, posted, outcome.text)
        return see_other(LOGIN)

    def _welcome(
        self, request: Request, posted: Posted, captain: Captain, outcome: Outcome
    ) -> Response:
        """Lead a captain to a bridge, which is his with the next step."""
        ship, remark = outcome.code, outcome.text
        self._coming.put((captain.number, ship.lower()), True, self._now())
        cookie = captain.cookie(request.secure)
        if posted.as_json:
            return with_field(told(Outcome(True, "", remark), ship=ship), cookie)
        if remark:
            self._note(captain, ship, Outcome(True, "", remark), posted)
        return see_other(address_of(BRIDGE, look_of({"ship": ship})), (cookie,))

    def _refused(
        self, request: Request, posted: Posted, captain: Captain | None, outcome: Outcome
    ) -> Response:
        if posted.as_json:
            return told(outcome)
        typed = {name: posted.get(name) for name in ("name", "race", "ship")}
        form = request.path.rpartition("/")[2]
        return self._login_page(request, captain, outcome, "" if form == "leave" else form, typed)

    # --- orders ----------------------------------------------------------------------------

    def _take_order(self, request: Request) -> Response:
        """Give an order: ship, token, key, command and its words."""
        posted = read_posted(request, self.limits)
        captain = self._sender(request, posted)
        if isinstance(captain, Outcome):
            return self._not_counted(posted, captain)
        key, name, ship = posted.get("key"), posted.get("command"), posted.get("ship")
        if posted.as_json:
            return told(self._order(ship, captain.number, key, name, posted.words))
        key = _form_key(posted)
        outcome = self._order(ship, captain.number, key, name, posted.words)
        if outcome.ok and posted.get("then") == "dest":
            # Who answers a call for help goes there: one button, two orders.
            outcome = self._order(ship, captain.number, key and f"{key}+", "dest", posted.words)
        look = look_of(posted.fields)
        self._note(captain, look.ship, outcome, posted)
        return see_other(address_of(BRIDGE, look))

    def _not_counted(self, posted: Posted, outcome: Outcome) -> Response:
        if posted.as_json:
            return told(outcome)
        return page(trouble_page("This form does not count", outcome.text), outcome.status)

    def _note(
        self, captain: Captain, ship: str, outcome: Outcome, posted: Posted, left: str = ""
    ) -> None:
        """Have the page that comes next say what came of a form; ``left`` is a ship he left."""
        notice = {"ok": outcome.ok, "code": outcome.code, "text": outcome.text}
        shown = {"notice": notice, "typed": {} if outcome.ok else _typed(posted), "left": left}
        self._notices.put((captain.number, ship.lower()), shown, self._now())

    def _order(
        self, ship: str, captain: int | None, key: str, name: str, words: tuple[Any, ...]
    ) -> Outcome:
        server = self.server
        if server is None or server.is_frozen():
            return LOST
        outcome = asking.order(ship, captain, key, name, words)
        if outcome.code == "E_ARG" and not is_there(server, ship):
            return outcome._replace(code=NO_SHIP.code, text=NO_SHIP.text)
        if outcome.code == "E_LIMIT" and (seconds := math.ceil(server.get_next_in())):
            outcome = outcome._replace(text=f"{outcome.text} Next step in {seconds} s.")
        if outcome.step >= 0 and captain is not None and server.get_captain(ship) == captain:
            text = order_text(name, words) if outcome.ok else ""
            self._given.note(ship, outcome.step, outcome.left, text)
            vista.post(self.streams, "note_order", ship, outcome.step, outcome.left, text)
        return outcome

    # --- settings --------------------------------------------------------------------------

    def _choose(self, request: Request) -> Response:
        """Keep how somebody likes his pages: interval, keys; ship, target and radius lead back.

        Nothing of the game changes, so spectators choose as well.
        """
        posted = read_posted(request, self.limits)
        if not _is_own_page(request):
            return self._not_counted(posted, ELSEWHERE)
        known, look = settings_of(request), look_of(posted.fields)
        typed = posted.get("interval").strip()
        interval = read_interval(typed) if typed else known.interval
        outcome = Outcome(True, "", "Changed.")
        if typed and interval is None:
            words = f"An update interval is 0 to {INTERVAL_MAX} seconds."
            outcome = Outcome(False, "E_ARG", words)
        captain = captain_of(request)
        if posted.as_json:
            answer = told(outcome)
        elif captain is None and not outcome.ok:
            answer = page(trouble_page("This cannot be", outcome.text), outcome.status)
        else:
            answer = see_other(address_of(self._view_of(look, captain), look))
        if captain is not None and not posted.as_json:
            self._note(captain, look.ship, outcome, posted)
        if not outcome.ok:
            return answer
        keys = posted.get("keys") != "off" if "keys" in posted.fields else known.single_keys
        return with_field(answer, Settings(interval, keys).cookie(request.secure))

    def _view_of(self, look: Look, captain: Captain | None) -> str:
        """Return where somebody sees a ship: from its bridge, or from outside."""
        if self.server is None or captain is None or look.scan:
            return SCAN
        return BRIDGE if self.server.get_captain(look.ship) == captain.number else SCAN


def is_there(server: vista.Ref, ship: str) -> bool:
    """Tell whether a server knows a ship or its wreck."""
    found: list[str] = server.get_screens([(ship, {})])
    return found != [""]


def _was_salted(posted: Posted, outcome: Outcome) -> bool:
    """Tell whether the primary may have worked on a pass-phrase: that is not to be had for free."""
    return bool(posted.get("phrase")) and outcome.code not in ("E_BUSY", "E_LINK")


def _is_own_page(request: Request) -> bool:
    """Tell whether a form comes from a page of this site, as the browser says it."""
    if request.field("Sec-Fetch-Site") not in ("", "same-origin", "none"):
        return False
    return is_same_origin(request.field("Origin"), request.field("Host"))


def _form_key(posted: Posted) -> str:
    """Return what tells an order of a form from another one, "" if the form has no key.

    All forms of a page have one key, and who goes back in his browser may send it again with other
    words: only the same order with the same words is the same submission.
    """
    key = posted.get("key")
    said = "\n".join((key, posted.get("command"), *map(str, posted.words)))
    return hashlib.sha256(said.encode()).hexdigest()[:32] if key else ""


def _typed(posted: Posted) -> dict[str, str]:
    """Return what was typed into a form, for its page to show it again."""
    hidden = ("token", "key", "phrase", "ship", "target", "radius", "filter")
    return {name: value for name, value in posted.fields.items() if name not in hidden}
