"""A replicated tuple space: the ground on which programs that run apart agree with one another.

After Bessani and others, "DepSpace: A Byzantine Fault-Tolerant Coordination Service" (EuroSys
2008), with the names of Linda's operations: out, rdp, inp, cas. Sessions and one-shot watches are
after Hunt and others, "ZooKeeper" (USENIX ATC 2010).

Three rules. Tuples are found in the order in which they came. What belongs to a session is gone
when the session is: when its lease runs out by the agreed time, or when it is closed. A watch is
set by the call that looks, so nothing can happen between the look and the watch.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, chain, compress, dropwhile
from operator import itemgetter
from typing import Any

from apps.solidstate.errors import ExpiredError
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from vista import BadValueError, encode_value

FIELDS_MAX = 32
INTEGER_BITS_MAX = 1_024
TUPLE_BYTES_MAX = 64 * 1024
"""Bytes of a tuple as it is sent: an answer has 256 KiB at most, and messages carry it."""
TUPLES_MAX = 100_000
"""Tuples of one space."""
LISTED_MAX = 1_000
"""Tuples that one call returns or takes."""
LISTED_BYTES_MAX = 180_000
"""Bytes of tuples that one call returns or takes, past which it returns the first one only."""
SESSIONS_MAX = 10_000
"""Sessions of one space."""
WATCHES_MAX = 50_000
"""Watches of one space."""
WATCH_BYTES_MAX = 1_000
"""Bytes of the target and tag of a watch, which stand beside a tuple in one message: one that was
too large would fail the call of whoever added the tuple."""
WATCHERS_MAX = 150
"""Watches for one tuple, or for tuples of the same first two fields: an outbox has its bound, and
one call sends to three such groups at most. Further ones are not set: who waits looks again."""
TOLD_AT_ONCE = 200
"""Messages after which one call ends no further session and takes no further tuple."""
ENDED_AT_ONCE = 5_000
"""Tuples and watches of sessions that one call removes: a call has a bound of lines."""
LEASE_MIN, LEASE_MAX = 1.0, 3_600.0
"""Bounds of a lease in seconds: shorter ones would be spent on keeping them."""

Fields = tuple[Any, ...]
_Place = tuple[int, str, str]
_Numbered = tuple[int, Fields]


class TupleSpace(ReplicatedObject, namespace="SolidState"):
    """A tuple space that a group of replicas keeps.

    rc line: ``CreateReplicasOnServers shop 1 TupleSpace space``

    ``create()`` makes an empty one. A tuple has 1 to 32 fields, 64 KiB in all: texts, numbers,
    bytes or truth values. A template is a tuple in which None stands for any value; 1, 1.0 and True
    are three different values. Tuples are found fast by templates that have the first two fields.
    Methods that take a session raise `ExpiredError` when it is over.
    """

    def create(self) -> None:
        """Begin without tuples."""
        self.made = 0
        self.size = 0
        self.told = 0
        self.ended = 0
        # Tuples by length and first two fields, so that a lock is found among 100,000 others.
        self.places: dict[_Place, dict[int, tuple[Fields, str]]] = {}
        # Of each session: lease, end of it, places of its tuples and keys of its watches by number.
        self.sessions: dict[str, list[Any]] = {}
        self.ends: list[tuple[float, str]] = []
        # Of each watch: session, target, tag, template or None. They are found by what they wait
        # for: the number of a tuple, or the place of the tuples that may match.
        self.watches: dict[int, tuple[str, Any, Any, Fields | None]] = {}
        self.watched: dict[int | _Place, dict[int, bool]] = {}

    # --- sessions --------------------------------------------------------------------------

    def open_session(self, lease: float = 10.0) -> str:
        """Begin a session that ends unless it is kept alive every ``lease`` seconds.

        Returns its Id, 32 hex digits that nobody can guess. Raises `BadValueError` for a lease
        that is not 1 to 3600 seconds.
        """
        self._expire()
        if not isinstance(lease, int | float) or not LEASE_MIN <= lease <= LEASE_MAX:
            raise BadValueError(f"a lease is {LEASE_MIN} to {LEASE_MAX} seconds, not {lease!r:.40}")
        if len(self.sessions) >= SESSIONS_MAX:
            raise BadValueError(f"{SESSIONS_MAX} sessions are open: close some")
        if len(self.ends) > 2 * SESSIONS_MAX:
            # Most of these sessions were closed long before their end.
            self.ends = [(row[1], id) for id, row in self.sessions.items()]
            heapq.heapify(self.ends)
        id = f"{self.agreed_random.getrandbits(128):032x}"
        end = self.agreed_time + lease
        self.sessions[id] = [float(lease), end, {}, {}]
        heapq.heappush(self.ends, (end, id))
        return id

    def keep_alive(self, session: str) -> None:
        """Begin the lease of a session anew."""
        self._expire()
        row = self._session(session)
        row[1] = self.agreed_time + row[0]

    def close_session(self, session: str) -> None:
        """End a session: its tuples and watches go. One that is over already is no mistake."""
        self._expire()
        known = isinstance(session, str) and session in self.sessions
        if known and not self._end(session):
            heapq.heappush(self.ends, (_OVER, session))

    def _expire(self) -> None:
        """End the sessions that are over, each operation begins with it.

        Where that has many messages sent, or much removed, the rest waits for the next operation.
        """
        self.told = self.ended = 0
        now = self.agreed_time
        while self.ends and self.ends[0][0] <= now:
            _, id = heapq.heappop(self.ends)
            if id not in self.sessions:
                continue
            end = self.sessions[id][1]
            if end > now:
                heapq.heappush(self.ends, (end, id))
            elif not self._end(id):
                heapq.heappush(self.ends, (_OVER, id))
                break

    def _end(self, id: str) -> bool:
        """End a session; return False if some of what belongs to it is still there."""
        row = self.sessions[id]
        row[1] = _OVER
        _, _, tuples, watches = row
        for rows, forget in ((watches, self._unwatch), (tuples, self._drop)):
            for number in tuple(rows):
                if self.ended >= ENDED_AT_ONCE or self.told >= TOLD_AT_ONCE:
                    return False
                self.ended += 1
                forget(number, rows.pop(number))
        del self.sessions[id]
        return True

    def _drop(self, number: int, place: _Place) -> None:
        self._remove(place, number)

    def _session(self, id: str) -> list[Any]:
        found = self.sessions.get(id) if isinstance(id, str) else None
        if found is None or found[1] == _OVER:
            raise ExpiredError("the session is over: its lease ran out, or it was closed")
        return found

    # --- tuples ----------------------------------------------------------------------------

    def out(self, fields: Sequence[Any], session: str = "") -> int:
        """Add a tuple, with ``session`` for as long as that lasts; return its number.

        Numbers grow with every tuple that is added. Raises `BadValueError` for what is no tuple.
        """
        self._expire()
        return self._add(_tuple(fields), session)

    def cas(self, template: Sequence[Any], fields: Sequence[Any], session: str = "") -> int:
        """Add a tuple if none matches the template; return its number, 0 if one does."""
        self._expire()
        wanted = _template(template)
        return 0 if self._first(wanted) else self._add(_tuple(fields), session)

    def swap(self, template: Sequence[Any], fields: Sequence[Any], session: str = "") -> Any:
        """Put a tuple in the place of the first that matches; return that, None if none does."""
        self._expire()
        made, found = _tuple(fields), self._first(_template(template))
        if found is None:
            return None
        if session:
            self._session(session)
        before = self._take(found)
        self._add(made, session)
        return before

    def rdp(self, template: Sequence[Any]) -> Any:
        """Return the first tuple that matches, None if none does."""
        self._expire()
        found = self._first(_template(template))
        return None if found is None else found[1]

    def inp(self, template: Sequence[Any]) -> Any:
        """Take the first tuple that matches; return it, None if none does."""
        self._expire()
        found = self._first(_template(template))
        return None if found is None else self._take(found)

    def rd_all(self, template: Sequence[Any], most: int = LISTED_MAX) -> list[tuple[int, Fields]]:
        """Return number and fields of the tuples that match, the first ones first.

        ``most`` and 1000 at most, and fewer where they are large.
        """
        self._expire()
        return self._listed(_template(template), most)

    def count(self, template: Sequence[Any]) -> int:
        """Return how many tuples match."""
        self._expire()
        return len([*self._matching(_template(template))])

    def previous(
        self, number: int, fields: Sequence[Any], template: Sequence[Any]
    ) -> tuple[int, Fields] | None:
        """Return number and fields of the last match that came before a tuple, None for no such.

        Raises `ExpiredError` when the tuple itself is not there any longer.
        """
        self._expire()
        if _number(number) not in self.places.get(_place(_tuple(fields)), {}):
            raise ExpiredError("the tuple is gone: its session is over, or somebody took it")
        return self._last_before(number, _template(template))

    def in_all(self, template: Sequence[Any], most: int = LISTED_MAX) -> list[Fields]:
        """Take the tuples that match, the first ones first; return them.

        As many as `rd_all` returns, or fewer where many watch them: none says that none is left.
        """
        self._expire()
        taken: list[Fields] = []
        for row in self._listed(_template(template), most):
            if taken and self.told >= TOLD_AT_ONCE:
                break
            taken.append(self._take(row))
        return taken

    def withdraw(self, number: int, session: str) -> bool:
        """Take back a tuple of the session by its number; return whether it was there."""
        self._expire()
        place = self._session(session)[2].get(_number(number))
        if place is None:
            return False
        self._remove(place, number)
        return True

    @read_only
    def count_all(self) -> int:
        """Return the number of tuples, those of sessions that are just over among them."""
        return self.size

    # --- watches ---------------------------------------------------------------------------

    def rd_or_watch(self, template: Sequence[Any], session: str, target: Any, tag: Any) -> Any:
        """Return the first tuple that matches; if none does, watch for one and return None.

        When one is added, ``tuple_event(tag, fields, key)`` is posted to ``target``, once. No watch
        is set where 150 watch for the same, so who waits looks again after a while.
        """
        self._expire()
        row, wanted = self._session(session), _template(template)
        found = self._first(wanted)
        if found is not None:
            return found[1]
        self._watch(row, _place(wanted), (session, target, tag, wanted))
        return None

    def watch_removal(
        self, number: int, fields: Sequence[Any], session: str, target: Any, tag: Any
    ) -> bool:
        """Watch for the end of a tuple, by number and fields; return False if it is not there.

        ``tuple_event(tag, fields, key)`` is posted to ``target`` when it is taken, or its session
        is over. As with `rd_or_watch`, no watch is set where there are too many.
        """
        self._expire()
        row = self._session(session)
        if _number(number) not in self.places.get(_place(_tuple(fields)), {}):
            return False
        self._watch(row, number, (session, target, tag, None))
        return True

    def unwatch(self, session: str, tag: Any) -> int:
        """Forget the watches of a session that have a tag; return how many there were."""
        self._expire()
        row = self._session(session)
        found = [(n, key) for n, key in row[3].items() if self.watches[n][2] == tag]
        for number, key in found:
            del row[3][number]
            self._unwatch(number, key)
        return len(found)

    @read_only
    def count_watches(self) -> int:
        """Return the number of watches."""
        return len(self.watches)

    def _watch(
        self, row: list[Any], key: int | _Place, watch: tuple[str, Any, Any, Fields | None]
    ) -> None:
        if len(encode_value(watch[1:3])) > WATCH_BYTES_MAX:
            raise BadValueError(f"target and tag of a watch have {WATCH_BYTES_MAX} bytes at most")
        if len(self.watches) >= WATCHES_MAX:
            raise BadValueError(f"{WATCHES_MAX} watches are set: close sessions")
        if len(self.watched.get(key, ())) >= WATCHERS_MAX:
            return
        self.made += 1
        self.watches[self.made] = watch
        self.watched.setdefault(key, {})[self.made] = True
        row[3][self.made] = key

    def _unwatch(self, number: int, key: int | _Place) -> None:
        del self.watches[number]
        del self.watched[key][number]
        if not self.watched[key]:
            del self.watched[key]

    def _tell(self, key: int | _Place, fields: Fields) -> None:
        for number in tuple(self.watched.get(key, ())):
            session, target, tag, wanted = self.watches[number]
            if wanted is None or any(_matched(wanted, [(0, (fields, ""))])):
                self._unwatch(number, key)
                # A session that is ending has forgotten some of its watches.
                if session in self.sessions and self.sessions[session][3].pop(number, None):
                    self.outbox.post(target, "tuple_event", tag, fields)
                    self.told += 1

    # --- how they are kept -----------------------------------------------------------------

    def _add(self, fields: Fields, session: str) -> int:
        row = self._session(session) if session else None
        if self.size >= TUPLES_MAX:
            raise BadValueError(f"a space has room for {TUPLES_MAX} tuples: take some")
        self.made += 1
        self.size += 1
        number, place = self.made, _place(fields)
        self.places.setdefault(place, {})[number] = (fields, session)
        if row is not None:
            row[2][number] = place
        for key in (place, (place[0], place[1], _ANY), (place[0], _ANY, _ANY)):
            self._tell(key, fields)
        return number

    def _take(self, row: _Numbered) -> Fields:
        number, fields = row
        return self._remove(_place(fields), number)

    def _remove(self, place: _Place, number: int) -> Fields:
        rows = self.places[place]
        fields, session = rows.pop(number)
        if not rows:
            del self.places[place]
        self.size -= 1
        if session in self.sessions:
            self.sessions[session][2].pop(number, None)
        self._tell(number, fields)
        return fields

    # What follows goes by at most three lines for each tuple and by none for each place: a call has
    # a bound of lines, and a space that is full has to be usable.

    def _rows(self, template: Fields) -> Iterable[tuple[int, tuple[Fields, str]]]:
        """Return the tuples among which those that match are, in each place in their order."""
        place = _place(template)
        if _ANY not in place:
            return self.places.get(place, {}).items()
        start = place[: place.index(_ANY)]
        fits = map(start.__eq__, map(itemgetter(slice(len(start))), self.places))
        found = map(self.places.__getitem__, compress(self.places, fits))
        return chain.from_iterable(map(dict.items, found))

    def _matching(self, template: Fields) -> Iterator[_Numbered]:
        return _matched(template, self._rows(template))

    def _first(self, template: Fields) -> _Numbered | None:
        if _ANY in _place(template):
            return min(self._matching(template), default=None)
        # Within a place they stand in the order in which they came.
        return next(self._matching(template), None)

    def _last_before(self, number: int, template: Fields) -> _Numbered | None:
        place = _place(template)
        if _ANY in place:
            before = (row for row in self._matching(template) if row[0] < number)
            return max(before, default=None)
        # Who comes last finds the one before him at once.
        behind = reversed(self.places.get(place, {}).items())
        rows = dropwhile(lambda row: row[0] >= number, behind)
        return next(_matched(template, rows), None)

    def _listed(self, template: Fields, most: int) -> list[_Numbered]:
        count = max(0, min(_number(most), LISTED_MAX))
        rows = heapq.nsmallest(count, self._matching(template))
        sizes = accumulate(len(encode_value(fields)) for _, fields in rows)
        return rows[: max(1, sum(size <= LISTED_BYTES_MAX for size in sizes))]


_ANY = "any"
_OVER = -1.0
"""The end of a session that is over, and of which something is still there."""
_TYPES = (str, int, float, bytes, bool)


def _matched(
    template: Fields, rows: Iterable[tuple[int, tuple[Fields, str]]]
) -> Iterator[_Numbered]:
    """Go through those rows whose fields match."""
    given = [place for place, field in enumerate(template) if field is not None]
    # Of one place, or none, `itemgetter` makes no tuple unless it is a slice.
    alone = slice(given[0], given[0] + 1) if given else slice(0)
    pick = itemgetter(*given) if len(given) > 1 else itemgetter(alone)
    wanted = pick(template)
    # 1, 1.0 and True are equal.
    types = [*map(type, wanted)]
    return (
        (number, fields)
        for number, (fields, _) in rows
        if pick(fields) == wanted and [*map(type, pick(fields))] == types
    )


def _tuple(fields: Sequence[Any]) -> Fields:
    made = _template(fields)
    if any(field is None for field in made):
        raise BadValueError("a tuple has no None, which stands for any value in templates")
    size = len(encode_value(made))
    if size > TUPLE_BYTES_MAX:
        raise BadValueError(f"a tuple has {TUPLE_BYTES_MAX} bytes at most, not {size}")
    return made


def _template(fields: Sequence[Any]) -> Fields:
    if not isinstance(fields, tuple | list) or not 1 <= len(fields) <= FIELDS_MAX:
        raise BadValueError(f"a tuple has 1 to {FIELDS_MAX} fields, unlike {fields!r:.60}")
    for field in fields:
        if field is None:
            continue
        # NaN equals nothing, so nobody would find it again.
        if type(field) not in _TYPES or field != field:
            raise BadValueError(
                f"a field is a text, a number, bytes or a truth value, not {field!r:.60}"
            )
        if type(field) is int and field.bit_length() > INTEGER_BITS_MAX:
            raise BadValueError(f"a number in a tuple has {INTEGER_BITS_MAX} bits at most")
    return tuple(fields)


def _number(given: int) -> int:
    if not isinstance(given, int):
        raise BadValueError(f"tuples are numbered and counted in whole numbers, not {given!r:.60}")
    return given


def _place(fields: Fields) -> _Place:
    """Return where a tuple is kept, or those that match a template, with `_ANY` for all."""
    first, second = [*map(_key, fields[:2]), ""][:2]
    return len(fields), first, _ANY if first == _ANY else second


def _key(field: Any) -> str:
    if field is None:
        return _ANY
    # 1, 1.0 and True are one key of a dictionary, and 0.0 is -0.0.
    return f"{type(field).__name__} {field + 0.0 if type(field) is float else field!r}"
