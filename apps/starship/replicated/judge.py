"""What the servers of a game have to agree on, as an object that all replicas execute.

The judge holds what captains want of the step that is collected, closes steps in agreed time,
counts votes on what came of them, knows the servers, and says whose turn it is to conduct.

Four rules. It never looks into what captains want: that is for the rules, and every server applies
them to the same entries in the same order. Who says something is who signed the request. A step is
closed only when the one before was committed, which is when more servers than may lie told the same
hash. Whatever one server may make grow has a bound of its own for it, so none can crowd out others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from apps.solidstate.objects.replicated import ReplicatedObject
from apps.starship.objects.configuration import Configuration, read_configuration
from apps.starship.replicated.requests import (
    SERVERS_MAX,
    check_badge,
    check_entry,
    check_report,
    lock_of,
)
from vista import AccessDenied, BadValueError, Overloaded

SILENT_SECONDS = 90.0
"""After how long without a word a captain has left, unless his pages come more seldom."""
SILENT_INTERVALS = 3
PATIENCE = 0.5
"""After how many intervals beyond the end of a step another server may take the turn."""
PATIENCE_SECONDS_MIN = 0.5
"""A short interval is no reason to call a server late that waits for its disk or its links."""
FAULTS_MAX = 3
"""After so many wrong votes a server neither votes nor conducts, until it was right for long."""
RIGHT_STEPS = 100
"""After so many right votes in a row the faults of a server are forgotten."""
CAPTAINS_MAX = 5_000
"""Captains whom one server has heard; it gets no more until some have left."""
GONE_MAX = 500
"""Captains of one server who leave with one step; the others leave with the next ones."""
ENTRIES_MAX = 1_000
"""Entries of one server for one step: 300 captains with three orders each."""
SERVER_CHARACTERS_MAX = 100_000
"""Characters of the entries of one server for one step."""
KEY_STEPS = 20
"""Steps for which the keys of orders are remembered: who sends one again does so within seconds."""
ROWS_CHARACTERS_MAX = 100_000
"""Characters that the rows of one answer have; a result of the group has 256 KiB at most."""
ROW_CHARACTERS = 20
"""As how many a row counts, an entry besides its text, and who has left."""
LOG_STEPS_MAX = 2_000
"""Closed steps that are kept while servers do not say that they have saved a state since."""
LOG_CHARACTERS_MAX = 8_000_000
HASHES_MAX = 300
"""Steps whose hash is remembered: a server that is further behind gets a state from another."""
BADGES_MAX = 1_000
"""Captains whose badges one server has brought; of more, those are forgotten who have left."""
BADGE_LOOKS = 10
"""Badges that are looked at for one of a captain who has left."""
REPORTS_MAX = 30
WORDS_MAX = 200
"""Characters of what a server says of itself."""

UNUSED = frozenset(
    "soft_deadline hard_deadline work_factor sample save_as new_game record test_hooks step_mode "
    "theme".split()
)
"""Settings of a `StarshipPrimary` that mean nothing here: no work is shared out, all is saved."""

_CROWDED = "Too many captains at this server; go on at another one."


class StarshipJudge(ReplicatedObject, namespace="StarShip"):
    """Decides for a game what a `StarshipPrimary` decides elsewhere; all replicas execute it.

    ``create(*words)``: the words of a `StarshipPrimary`, such as ``5 42 commands_per_step=4``, and
    ``liars=1``, how many servers may be wrong. `StarshipServer` makes it.
    """

    def create(self, *words: str) -> None:
        """Begin to collect for step 1."""
        config, liars = read_words(words)
        seed = self.agreed_random.getrandbits(32) if config.seed is None else config.seed
        self.terms = {
            "terms": config.terms().plain(),
            "seed": seed,
            "settings": asdict(config.settings()),
        }
        self.interval = config.interval
        self.patience = max(PATIENCE_SECONDS_MIN, PATIENCE * config.interval)
        self.needed = liars + 1
        self.step = 1
        self.entries: list[str] = []
        self.used: dict[str, list[int]] = {}
        self.log: dict[int, list[Any]] = {}
        self.log_characters = 0
        self.keys: dict[str, list[int]] = {}
        self.keys_of: dict[int, list[str]] = {}
        self.captains: dict[str, dict[int, float]] = {}
        self.badges: dict[int, dict[str, str]] = {}
        self.brought: dict[str, list[int]] = {}
        self.votes: dict[int, dict[str, str]] = {}
        self.hashes: dict[int, str] = {}
        self.servers: dict[str, dict[str, Any]] = {}
        self.reports: list[dict[str, Any]] = []
        self.conductor = ""
        self.epoch = 0
        self.closed_at = self.agreed_time
        self.due = self.closed_at + self.interval

    # --- what servers say ------------------------------------------------------------------

    def get_terms(self) -> dict[str, Any]:
        """Return what every server must know: ``terms``, ``seed``, ``settings``."""
        return self.terms

    def submit(
        self, entry: str, key: str, captain: int, badge: list[Any], step: int, count: int
    ) -> tuple[int, int, dict[str, Any]]:
        """Take what a captain wants for the step that is collected; return where it stands.

        ``entry`` is a text that only the rules understand. Asked again with the same ``key``, by
        whatever server, it is not taken again, and the answer says where it stands since. ``badge``
        is a token and locks by server, see `requests.badge_of`, or empty. ``step`` and ``count``
        are as for `report`, whose answer is the third part of this one. Raises `BadValueError`,
        `Overloaded` when this server has too many entries for this step or too many captains, and
        `AccessDenied` when the captain never was at this server.
        """
        check_entry(entry, key, captain)
        check_badge(badge)
        if not self._knows(captain, badge):
            raise AccessDenied("This server does not know you: go on at one where you were.")
        if not self._hear(captain, 0.0):
            raise Overloaded(_CROWDED)
        # His own: else a server that sees a request first could have another entry stand for it.
        key = f"{captain} {key}" if key else ""
        place = self.keys.get(key)
        if place is None:
            self._charge(len(entry))
            place = [self.step, len(self.entries)]
            self.entries.append(entry)
            if key:
                self.keys[key] = place
                self.keys_of.setdefault(self.step, []).append(key)
        return place[0], place[1], self._news(step, count)

    def report(self, step: int, count: int, told: dict[str, Any]) -> dict[str, Any]:
        """Take what a server tells of itself; return what is new to it.

        It has read the entries of the steps below ``step`` and ``count`` of that one. ``told`` has
        the ``step`` that it computed last and the ``hash`` of that (``""`` to tell none), the step
        of the state that it has ``saved``, the captains that were ``heard`` with the seconds after
        which their pages come again, its ``id``, its ``name`` and the ``url`` of its site.

        Keys of what is returned: ``rows`` (step, number of the first entry, entries, and of a
        closed step the captains who have left, else None), ``more`` rows there are, ``oldest`` step
        there is, ``step`` collected, ``due`` in seconds, ``patience`` in seconds, ``committed`` the
        last step that is and its hash, ``epoch``, ``conductor``, ``me``, ``servers``, ``reports``.
        """
        client = self._note(told)
        rows = [self._row(name) for name in sorted(self.servers)]
        return {**self._news(step, count), "me": client, "servers": rows, "reports": self.reports}

    def close(self, closing: int, step: int, count: int, told: dict[str, Any]) -> dict[str, Any]:
        """Close step ``closing`` if it is time and the asking server may; return as `report`.

        It may when it conducts, and when who conducts is late: then it conducts from there on.
        """
        client = self._note(told)
        now = self.agreed_time
        if closing == self.step and self._may_conduct(client) and now >= self.due:
            late = now >= self.due + self.patience
            if client != self.conductor and (late or not self.conductor):
                self._turn_to(client, "was late and lost its turn")
            if client == self.conductor:
                self._close(now)
        return self.report(step, count, {})

    def get_hash(self, step: int) -> str:
        """Return the hash after a step, ``""`` where it is not committed or forgotten."""
        return self.hashes.get(step, "")

    # --- entries ---------------------------------------------------------------------------

    def _charge(self, characters: int) -> None:
        used = self.used.setdefault(self.asking_client, [0, 0])
        if used[0] >= ENTRIES_MAX or used[1] + characters > SERVER_CHARACTERS_MAX:
            raise Overloaded("Too many orders for this step; try again in the next one.")
        used[0] += 1
        used[1] += characters

    def _hear(self, captain: int, seconds: float) -> bool:
        """Note that a captain is at the server that asks; return whether it has room for him."""
        heard = self.captains.setdefault(self.asking_client, {})
        if captain not in heard and len(heard) >= CAPTAINS_MAX:
            return False
        until = self.agreed_time + max(SILENT_SECONDS, SILENT_INTERVALS * float(seconds))
        heard[captain] = max(until, heard.get(captain, 0.0))
        return True

    def _is_here(self, captain: int) -> bool:
        return any(captain in heard for heard in self.captains.values())

    def _knows(self, captain: int, badge: list[Any]) -> bool:
        """Tell whether a captain was at the server that asks; the first one brings his badge."""
        client = self.asking_client
        token, locks = badge or ["", {}]
        known = self.badges.get(captain)
        if known is None:
            if locks:
                self._bring(captain, client)
                self.badges[captain] = {**locks, client: ""}
            return True
        if known.get(client) and known[client] == lock_of(token):
            known[client] = ""
        if known.get(client) != "":
            return False
        for server in locks:
            # One that was not there when the badge was brought.
            if len(known) < SERVERS_MAX:
                known.setdefault(server, locks[server])
        return True

    def _bring(self, captain: int, client: str) -> None:
        brought = self.brought.setdefault(client, [])
        if len(brought) >= BADGES_MAX:
            self._forget_badge(brought)
        brought.append(captain)

    def _forget_badge(self, brought: list[int]) -> None:
        """Forget the badge of one who has left: he has no ship to which others could order."""
        for _ in range(BADGE_LOOKS):
            if not self._is_here(oldest := brought.pop(0)):
                del self.badges[oldest]
                return
            brought.append(oldest)
        raise Overloaded(_CROWDED)

    def _news(self, step: int, count: int) -> dict[str, Any]:
        rows: list[list[Any]] = []
        left = ROWS_CHARACTERS_MAX
        at, first = step, count
        while left > 0 and self.oldest <= at <= self.step:
            entries, gone = self.log.get(at, [self.entries, None])
            taken: list[str] = []
            while left > 0 and first + len(taken) < len(entries):
                taken.append(entries[first + len(taken)])
                left -= len(taken[-1]) + ROW_CHARACTERS
            whole = first + len(taken) >= len(entries)
            rows.append([at, first, taken, gone if whole else None])
            at, first = at + 1, 0
            left -= ROW_CHARACTERS * (1 + len(gone or ()))
            if not whole:
                break
        last = max(self.hashes, default=-1)
        return {
            "rows": rows,
            "more": left <= 0,
            "oldest": self.oldest,
            "step": self.step,
            "due": self.due - self.agreed_time,
            "patience": self.patience,
            "committed": [last, self.hashes.get(last, "")],
            "epoch": self.epoch,
            "conductor": self.conductor,
        }

    @property
    def oldest(self) -> int:
        """The oldest step of which there are entries."""
        return min(self.log, default=self.step)

    # --- servers ---------------------------------------------------------------------------

    def _note(self, told: dict[str, Any]) -> str:
        """Take a report; return who asks. Nothing is changed by one that is malformed."""
        client = self.asking_client
        if told:
            check_report(told)
            if client not in self.servers and len(self.servers) >= SERVERS_MAX:
                raise Overloaded(f"a game has {SERVERS_MAX} servers at most")
            known = self.servers.setdefault(client, {"faults": 0, "right": 0, "astray": False})
            known["saved"], known["step"] = told["saved"], told["step"]
            for name in ("id", "name", "url"):
                known[name] = told[name][:WORDS_MAX]
            for captain, seconds in told["heard"]:
                self._hear(captain, seconds)
            if told["hash"]:
                self._vote(client, told["step"], told["hash"])
        return client

    def _row(self, client: str) -> dict[str, Any]:
        known = self.servers[client]
        return {**known, "client": client, "state": self._state_of(known)}

    def _state_of(self, known: dict[str, Any]) -> str:
        if known["faults"] >= FAULTS_MAX:
            return "barred"
        if known["astray"]:
            return "joining"
        return "ready" if known["step"] >= self.step - 2 else "following"

    def _may_conduct(self, client: str) -> bool:
        before = self.hashes.get(self.step - 1)
        known = self.servers.get(client)
        return (
            before is not None
            and known is not None
            and known["faults"] < FAULTS_MAX
            and self.votes.get(self.step - 1, {}).get(client) == before
        )

    def _turn_to(self, client: str, why: str) -> None:
        if self.conductor:
            self._tell("turn", f"server {self._name_of(self.conductor)} {why}", self.conductor)
        self.conductor = client
        self.epoch += 1

    def _name_of(self, client: str) -> str:
        return str(self.servers.get(client, {}).get("name") or client)

    def _tell(self, kind: str, text: str, client: str) -> None:
        id = self.servers.get(client, {}).get("id", "")
        row = {"step": self.step, "kind": kind, "text": text, "server": id}
        self.reports = [row, *self.reports][:REPORTS_MAX]

    # --- votes -----------------------------------------------------------------------------

    def _vote(self, client: str, step: int, hash: str) -> None:
        if not self.step - 2 <= step < self.step:
            return
        votes = self.votes.setdefault(step, {})
        if client in votes:
            return
        votes[client] = hash
        agreed = self.hashes.get(step)
        if agreed is not None:
            self._judge(client, step, hash == agreed)
            return
        same = [
            one
            for one, told in votes.items()
            if told == hash and self.servers[one]["faults"] < FAULTS_MAX
        ]
        if len(same) >= self.needed:
            self.hashes[step] = hash
            for old in [one for one in self.hashes if one < step - HASHES_MAX]:
                del self.hashes[old]
            for one, told in votes.items():
                self._judge(one, step, told == hash)

    def _judge(self, client: str, step: int, right: bool) -> None:
        known = self.servers[client]
        known["astray"] = not right
        if right:
            known["right"] += 1
            if known["right"] >= RIGHT_STEPS:
                known["faults"] = 0
            return
        known["right"] = 0
        known["faults"] += 1
        text = f"server {self._name_of(client)} has another state after step {step} than the others"
        self._tell("divergent", text, client)
        if client == self.conductor:
            # Whoever is first at the end of the step conducts: it is nobody's turn.
            self._turn_to("", "was wrong and lost its turn")

    # --- steps -----------------------------------------------------------------------------

    def _close(self, now: float) -> None:
        """Close the step that is collected, and begin to collect for the next one."""
        self.log[self.step] = [self.entries, self._leaving(now)]
        self.log_characters += sum(map(len, self.entries))
        self.entries, self.used = [], {}
        self.step += 1
        self.closed_at = now
        self.due = max(self.due + self.interval, now + self.interval / 2)
        for step in [one for one in self.keys_of if one < self.step - KEY_STEPS]:
            for key in self.keys_of.pop(step):
                del self.keys[key]
        for step in [one for one in self.votes if one < self.step - 2]:
            del self.votes[step]
        self._forget_steps()

    def _leaving(self, now: float) -> list[int]:
        """Return the captains who are at no server any longer."""
        away = now - self.closed_at - self.interval
        silent: dict[int, None] = {}
        for heard in self.captains.values():
            if away > SILENT_SECONDS / 3:
                # Nobody could be heard of: the game was not there.
                heard.update({one: until + away for one, until in heard.items()})
            for captain in [one for one, until in heard.items() if until <= now][:GONE_MAX]:
                del heard[captain]
                silent[captain] = None
        return [captain for captain in silent if not self._is_here(captain)]

    def _forget_steps(self) -> None:
        """Forget entries that enough servers have saved the outcome of, and those beyond bounds.

        Of ``needed`` servers that say so one at least is right, and keeps its disk.
        """
        saved = sorted((known["saved"] for known in self.servers.values()), reverse=True)
        safe = saved[self.needed - 1] if len(saved) >= self.needed else 0
        while len(self.log) > 1:
            oldest = self.oldest
            full = len(self.log) > LOG_STEPS_MAX or self.log_characters > LOG_CHARACTERS_MAX
            if not full and (oldest > safe or oldest >= self.step - KEY_STEPS):
                return
            entries, _gone = self.log.pop(oldest)
            self.log_characters -= sum(map(len, entries))


def read_words(words: Iterable[str]) -> tuple[Configuration, int]:
    """Return what a game is to be, and how many servers may be wrong.

    Raises `BadValueError` with what is wrong and what it may be.
    """
    own, liars = [], []
    for word in words:
        name, _equals, value = str(word).partition("=")
        liars += [value] if name == "liars" else []
        own += [] if name == "liars" else [word]
    config = read_configuration(own, {})
    unused = sorted(UNUSED & config.given)
    if unused:
        raise BadValueError(
            f"{', '.join(unused)}: a game on SolidState has no such settings; leave them out"
        )
    if config.manual:
        raise BadValueError("interval is 0.05 to 60 seconds: servers that agree need a time")
    if len(liars) > 1 or liars not in ([], ["1"], ["2"], ["3"]):
        raise BadValueError("liars is 1 to 3, said once: how many servers may be wrong")
    return config, int(liars[0]) if liars else 1
