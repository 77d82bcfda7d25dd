"""A server of a game without a primary: it computes all of it, and conducts when it is its turn.

Three rules. All that comes from outside is what the judge has: its entries, in its order. Whoever
cannot reach the judge shows the last step it knows. Who finds another hash committed than its own
believes nothing that it has, and gets a galaxy from the others.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from typing import Any

import vista
from apps.solidstate.errors import RefusedOperationError, SolidStateError
from apps.solidstate.objects.creating import CreateReplicasOnServers
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.objects.places import AnyPlace, Place
from apps.starship.objects.configuration import read_terms
from apps.starship.objects.showing import ScreenSource
from apps.starship.objects.version import rules_version
from apps.starship.replicated.copying import SAVE_STEPS, SERVERS, RealmCopies
from apps.starship.replicated.desk import RealmDesk
from apps.starship.replicated.judge import StarshipJudge, read_words
from apps.starship.replicated.realm import (
    Collecting,
    Outcome,
    Realm,
    first_realm,
    realm_digest,
)
from apps.starship.rules.encoding import Encoder, digest
from apps.starship.themes import shipped_theme
from vista import BadValueError

_log = logging.getLogger("vista.starship")

PRIMARY = "StarshipPrimary"
"""The service to which sites send orders: of each server its own."""
JUDGE = "StarshipJudge"
"""The state variable of the judge, and its service."""
FOUNDER = 1
"""The number of the server that founds the group when there is none."""
LOOK_SECONDS = 0.25
"""How soon a server looks again when it is time and nothing has come of it."""
LOST_SECONDS = 1.0
"""How soon when the judge did not answer."""
ASK_SECONDS = 10.0
"""How long the judge may take. A new view of the group takes a second or two."""
BATCH_UNITS = 16
"""Units that are computed before the node sees to everything else."""
REPAIR_SECONDS = 2.0
"""How soon a server that was wrong asks for a galaxy again, so that it keeps nobody busy."""
REMEMBERED_STEPS = 20
"""Steps of which outcomes and hashes are remembered."""

_UNREACHED = (vista.VistaError, SolidStateError)


class StarshipServer(RealmDesk, RealmCopies, ScreenSource, vista.Object, namespace="StarShip"):
    """A server of a game that has no primary: four of them survive that any one fails or lies.

    rc line: ``StarshipServer starship starship-data 1 5 42``

    ``create(pool, directory, number, *words)``: ``pool`` is that of the node's `ReplicaPoolMember`,
    the galaxy is saved in the directory's folder ``number``; number 1 founds the game when there is
    none. The words are those of a `StarshipPrimary`, and ``liars=1``, how many servers may be
    wrong; in a game that goes on they are what they were. Players of all servers are in one game.
    """

    founder_class: type[CreateReplicasOnServers] = CreateReplicasOnServers
    judge_class: type[StarshipJudge] = StarshipJudge

    def create(self, pool: str, directory: str, number: int, *words: str) -> None:
        """Begin to look for the others."""
        if not 1 <= number <= 1_000:
            raise BadValueError(f"a server's number is 1 to 1000, not {number}")
        self.pool, self.directory, self.number = pool, directory, number
        self.words = [str(word) for word in words]
        _config, self.liars = read_words(self.words)
        _refuse_second()
        self._place = self._make_place(f"{directory}/{number}")
        self._judge: vista.Ref | None = None
        self._theme = shipped_theme()
        self._encoder = Encoder()
        self.url = ""
        self.refusal = ""
        self._said = ""
        self.frozen = True
        self._is_looking = self._looks_again = self._is_deleted = False
        self._alarms = 0
        self._begin_showing()
        self._begin_desk()
        self._begin_copies()
        self._begin_news()
        me = vista.self_ref(self)
        vista.register_service(SERVERS, me)
        try:
            vista.send("ShutdownService", "register", me)
        except vista.NoSuchService:
            _log.info("no ShutdownService here: what is not saved is computed anew")
        vista.post(me, "look")

    def _make_place(self, directory: str) -> AnyPlace:
        return Place(directory)

    def _begin_news(self) -> None:
        self._news: dict[str, Any] = {}
        self._due_at = math.inf
        self._rows: dict[int, list[str]] = {}
        self._gone: dict[int, list[int]] = {}
        self._next = 0
        self._outcomes: dict[int, list[Outcome]] = {}
        self._hashes: dict[int, str] = {}
        self._astray = False
        self._repair_at = -math.inf

    def delete(self) -> None:
        """Leave the game; it goes on without this server."""
        self._is_deleted = True

    def system_shutdown(self) -> None:
        """Save the galaxy, and tell players where to go on; ``ShutdownService`` sends it."""
        self._note_leaving()
        self.save()

    # --- the game --------------------------------------------------------------------------

    def _judge_found(self) -> vista.Ref:
        """Return the judge of the game. Raises what is raised while there is none."""
        here = vista.id_of(vista.here()).node
        name = pool_service(self.pool)
        members = [row.object for row in vista.services() if row.name == name]
        own = [vista.ref_of(id) for id in members if id.node == here]
        if not own:
            raise BadValueError(f"this node needs a line ReplicaPoolMember {self.pool}")
        try:
            proxy: vista.Ref = own[0].get_proxy(self.pool)
        except BadValueError:
            if self.number != FOUNDER:
                raise
            self._found()
            proxy = own[0].get_proxy(self.pool)
        return proxy.get_state_variable(JUDGE)  # type: ignore[no-any-return]

    def _found(self) -> None:
        """Found the group and have the judge made; nothing is changed where they are there."""
        judge = self.judge_class.__name__
        made = vista.create(self.founder_class, self.pool, self.liars, judge, JUDGE, self.words)
        vista.post(made, "delete_yourself")

    def _enter_game(self) -> None:
        """Find the judge, and a galaxy to go on from."""
        judge = self._judge_found()
        try:
            terms = judge.get_terms()
        except RefusedOperationError:
            # Who founded the group fell before it had a judge.
            if self.number == FOUNDER:
                self._found()
            raise
        self._terms = read_terms(terms["terms"])
        realm = self._saved_realm()
        if realm is not None:
            self.saved = realm.state.step
        else:
            realm = first_realm(terms["seed"], terms["settings"], self._theme)
        self._judge = judge
        self._begin_realm(realm)
        vista.register_service(PRIMARY, vista.self_ref(self))
        _log.info("in the game at step %d", realm.state.step)

    # --- looking ---------------------------------------------------------------------------

    def step_closed(self, step: int) -> None:
        """Look what there is: a step was closed; who conducts posts it."""
        if self._judge is not None and self._next <= step:
            self.look()

    def timer_expired(self, timer: vista.Ref, alarm: int) -> None:
        """Look whether it is time; the timer sends it."""
        if alarm == self._alarms:
            self.look()

    def look(self) -> None:
        """Ask the judge, compute what was closed, and close what is due; one thread at a time."""
        self._looks_again = True
        if self._is_looking:
            return
        self._is_looking = True
        wait = LOST_SECONDS
        try:
            if self._judge is None:
                self._enter_game()
            while self._looks_again and not self._is_deleted:
                self._looks_again = False
                self._look_once()
            wait = self._seconds()
        except _UNREACHED as error:
            self._note_silence(error)
        finally:
            self._is_looking = False
        if not self._is_deleted:
            self._alarms += 1
            vista.create("TimerEvent", vista.self_ref(self), wait, self._alarms)

    def _note_silence(self, error: Exception) -> None:
        words = str(error)
        if self._judge is None and words != self._said:
            _log.warning("not in the game yet: %s", words)
            self._said = words
        _log.debug("the judge does not answer: %r", error)
        if not self.frozen:
            _log.warning("the others cannot be reached: frozen at step %d", self.get_step())
            self.frozen = True
            self._tell_watchers()

    def _look_once(self) -> None:
        judge = self._judge
        assert judge is not None, "looked for first"
        heard, self._heard = self._heard, {}
        told = self._told(heard)
        step, count = self._position()
        closing = self._news.get("step", 0)
        is_time = self._time() >= self._due_at + self._patience()
        try:
            with vista.timeout(ASK_SECONDS):
                if is_time:
                    news = judge.close(closing, step, count, told)
                else:
                    news = judge.report(step, count, told)
        except _UNREACHED:
            for captain, seconds in heard.items():
                self._heard.setdefault(captain, seconds)
            raise
        self._take(news)
        if is_time and news["step"] > closing:
            for other in self._others():
                vista.post(other, "step_closed", closing)
        self._catch_up()

    def _told(self, heard: dict[int, float]) -> dict[str, Any]:
        """Return what the judge is told; see `StarshipJudge.report`."""
        step = self._realm.state.step
        return {
            "step": step,
            "hash": "" if self._astray else self._hashes[step],
            "saved": self.saved,
            "heard": list(heard.items()),
            "id": str(vista.id_of(self)),
            "name": f"{vista.here().get_name()} {self.number}",
            "url": self.url,
        }

    def _patience(self) -> float:
        news = self._news
        own = news.get("conductor") in ("", news.get("me"))
        return 0.0 if own else float(news.get("patience", 0.0))

    def _seconds(self) -> float:
        """Return in how many seconds to look again."""
        due = self._due_at + self._patience() - self._time()
        return due if due > 0 else LOOK_SECONDS

    # --- what the judge told ---------------------------------------------------------------

    def _position(self) -> tuple[int, int]:
        return self._next, len(self._rows.get(self._next, ()))

    def _take(self, news: dict[str, Any]) -> None:
        """Take in what the judge told, whatever it told meanwhile."""
        for step, first, entries, gone in news["rows"]:
            if step != self._next:
                continue
            rows = self._rows.setdefault(step, [])
            rows += entries[len(rows) - first :] if first <= len(rows) else []
            if gone is not None and len(rows) >= first + len(entries):
                self._gone[step] = gone
                self._next += 1
        self._apply()
        if news["step"] >= self._news.get("step", 0):
            # An answer may overtake the one before it.
            self._news = {**self._news, **news}
            self._due_at = self._time() + news["due"]
        if self._next > self._collecting.step or news["more"]:
            self._looks_again = True
            if not self._is_looking:
                vista.post(vista.self_ref(self), "look")

    def _apply(self) -> None:
        """Apply the entries that were read to the step that is collected."""
        rows = self._rows.get(self._collecting.step, [])
        for entry in rows[len(self._collecting.outcomes) :]:
            self._collecting.take(entry)
        self._wake()

    def _catch_up(self) -> None:
        """Compute what was closed, and see whether it is what was committed."""
        if self._next < self._news["oldest"]:
            self._replace("the others are further on")
        before = self._realm.state.step
        while self._collecting.step in self._gone:
            self._compute()
        if self._realm.state.step > before:
            # So that the others learn what came of it.
            self._looks_again = True
        step, agreed = self._news["committed"]
        own = self._hashes.get(step)
        if own is not None and own != agreed:
            self._astray = True
            _log.error("another hash than this server's is committed of step %d", step)
        if self._astray:
            self._replace("its own is not the one that was committed")
        behind = self._news["step"] - self._collecting.step
        if self.frozen == (behind <= 1 and not self._astray):
            self.frozen = not self.frozen
        if self._shown is not self._realm.state and not self._astray:
            self._show()
        if self._realm.state.step >= self.saved + SAVE_STEPS:
            vista.post(vista.self_ref(self), "save")

    def _compute(self) -> None:
        realm, gone = self._realm, self._gone[self._collecting.step]
        self._apply()
        computing = self._collecting.close(gone)
        while computing.work(BATCH_UNITS):
            vista.sleep(0)
        assert self._realm is realm, "one thread at a time computes"
        self._enter(computing.finish())

    def _replace(self, why: str) -> None:
        """Get a galaxy from another server; go on without it where there is none yet."""
        if self._time() < self._repair_at:
            return
        self._repair_at = self._time() + REPAIR_SECONDS
        after = -1 if self._astray else self._realm.state.step
        realm = self._realm_of_others(after)
        if realm is None and self._astray:
            realm = self._saved_realm()
        if realm is not None:
            _log.warning("a galaxy of step %d is taken over: %s", realm.state.step, why)
            self._astray = False
            self._encoder = Encoder()
            self._begin_realm(realm)
            self._looks_again = True

    def _begin_realm(self, realm: Realm) -> None:
        """Go on from a galaxy that is not the step after the last one."""
        step = realm.state.step
        self._rows, self._gone, self._outcomes, self._hashes = {}, {}, {}, {}
        self._next = step + 1
        self._enter(realm)

    def _enter(self, realm: Realm) -> None:
        step = realm.state.step
        self._realm = realm
        self._hashes[step] = realm_digest(self._encoder, realm)
        self._collecting = Collecting(realm)
        self._outcomes[step + 1] = self._collecting.outcomes
        for kept in (self._rows, self._gone, self._outcomes, self._hashes):
            for old in [one for one in kept if one < step - REMEMBERED_STEPS]:
                del kept[old]
        self._apply()

    # --- showing ---------------------------------------------------------------------------

    def _show(self) -> None:
        """Show the galaxy as it is."""
        before, after = self._shown, self._realm.state
        if before is not None and before.step == after.step - 1:
            self._note_commit(before, after)
        else:
            self._note_game(after, self._terms, [])
        self._lost_rows = self._realm.lost
        next_in = max(0.0, self._due_at - self._time())
        self._note_news({"next_in": next_in, "table": self._table_of(self._news)})
        self._tell_watchers()

    def _table_of(self, news: dict[str, Any]) -> dict[str, Any]:
        """Return what the page of the servers shows; see `tables.servers_table`."""
        rows = [
            {
                "id": row["id"], "name": row["name"], "url": row["url"], "own": False,
                "state": row["state"], "faults": row["faults"], "speed": 0.0, "share": 0.0,
                "units": 0, "busy_us": 0, "done": row["right"], "late": 0, "lost": 0,
                "why": "conducts" if row["client"] == news["conductor"] else "",
            }
            for row in news.get("servers", ())
        ]  # fmt: skip
        return {
            "step": self._realm.state.step,
            "epoch": news["epoch"],
            "servers": rows,
            "computed": {},
            "reports": news.get("reports", []),
            "refused": [],
            "saving": self.trouble,
        }

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    # --- asking this server ----------------------------------------------------------------

    def get_hash(self) -> str:
        """Return the hash of the galaxy, worked out anew."""
        return "" if self._judge is None else digest(self._realm.state)

    def get_epoch(self) -> int:
        """Return how often another server took the turn to conduct."""
        return int(self._news.get("epoch", 0))

    def get_version(self) -> str:
        """Return the version of the rules, which every server must have; see `rules_version`."""
        return rules_version()

    def get_servers(self) -> list[dict[str, Any]]:
        """Return what the judge tells of each server, and who conducts."""
        rows: list[dict[str, Any]] = json.loads(self.get_servers_table())["servers"]
        return rows

    def set_url(self, url: str) -> None:
        """Say where this server's site is, for the page of the servers and for its players."""
        self.url = url

    def register_server(self, *_offer: Any) -> dict[str, Any]:
        """Refuse a `StarshipSecondary`: nobody shares out work here."""
        return {"refused": "this game has no primary; start the other server with StarshipServer"}


def _refuse_second() -> None:
    """Refuse another game on this node: its sites would not know which is theirs."""
    here = vista.id_of(vista.here()).node
    if any(row.name in (PRIMARY, SERVERS) and row.object.node == here for row in vista.services()):
        raise vista.ServiceTaken("this node has a game already: delete it first")
