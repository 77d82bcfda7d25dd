"""The rows of nodes that are linked, and of objects that are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from benchmarks import kept, peers_raw, pyro, remote
from benchmarks.erlang import between_nodes
from benchmarks.kept import Keeping
from benchmarks.kept_postgres import KeepingInPostgres, server_programs
from benchmarks.measure import (
    MEBIBYTES,
    MICROSECONDS,
    MILLISECONDS,
    THOUSANDS_A_SECOND,
    Row,
    Subject,
    at_least,
    at_most,
    times_the_time,
)
from benchmarks.pair import Pair

SEQUENTIAL = times_the_time(1.3)


class Linked:
    """What the rows run on: a pair of nodes for each kind of link, and one that keeps objects."""

    def __init__(self) -> None:
        self.ipc = Pair("ipc")
        self.tcp = Pair("tcp")
        self.keeping = Keeping()
        programs = server_programs()
        self.postgres = None if programs is None else KeepingInPostgres(programs)

    def close(self) -> None:
        """Stop what was started."""
        for part in (self.ipc, self.tcp, self.keeping, self.postgres):
            if part is not None:
                part.close()


def peer_rows(linked: Linked) -> list[Row]:
    """Return the rows between two processes."""
    rows = [*_calls(linked), *_crowds(linked), *_moves(linked), *_links(linked)]
    # Each round of most references starts a process of its own.
    return [replace(row, group="peers", rounds=5) for row in rows]


def _calls(linked: Linked) -> list[Row]:
    rows = []
    for scheme, pair in (("ipc", linked.ipc), ("tcp", linked.tcp)):
        secret = scheme == "tcp"
        name = f"remote call, {scheme}"
        ours = pair.subject(remote.call, "call")
        raw = Subject(
            f"pyzmq REQ/REP{' CURVE' if secret else ''}",
            partial(peers_raw.req_rep, scheme=scheme, curve=secret),
        )
        # Erlang's nodes talk by TCP only, and in the clear.
        erlang = between_nodes("call", "gen_server:call")
        row = Row(name, ours, raw, erlang, (SEQUENTIAL,), MICROSECONDS, 1_000, 100)
        # What is left of the time when nothing of vista's stands above its channels.
        bare = Subject("channel", partial(peers_raw.channel, scheme=scheme))
        rows.append(row)
        under = f"bare channel, {scheme}"
        rows.append(replace(row, name=under, ours=bare, erlang=None, targets=()))
        theirs = pyro.subject(scheme)
        if theirs is not None:
            words = ", in the clear" if secret else ""
            rows.append(
                replace(
                    row,
                    name=f"{name}, beside Pyro5{words}",
                    reference=theirs,
                    erlang=None,
                    targets=(),
                )
            )
    return rows


def _crowds(linked: Linked) -> list[Row]:
    return [
        Row(
            "remote calls from 200 threads",
            linked.ipc.subject(remote.calls_in_flight, "calls"),
            _raw(peers_raw.in_flight, remote.CALLERS),
            between_nodes("flight", "200 processes"),
            (at_least(250, THOUSANDS_A_SECOND),),
            THOUSANDS_A_SECOND,
            count=40,
            quick=4,
        ),
        Row(
            "remote posts",
            linked.ipc.subject(remote.posts, "posts"),
            _raw(peers_raw.raw_posts, remote.POSTS),
            _by(remote.POSTS, between_nodes("cast", "gen_server:cast")),
            (at_least(400, THOUSANDS_A_SECOND),),
            THOUSANDS_A_SECOND,
            count=20,
            quick=5,
        ),
        Row(
            "1 MiB arguments, ipc",
            linked.ipc.subject(remote.large, "call"),
            Subject("pyzmq, 1 MiB there", partial(peers_raw.large, scheme="ipc")),
            between_nodes("large", "gen_server:call"),
            (at_least(2.5, MEBIBYTES),),
            MEBIBYTES,
            count=200,
            quick=20,
        ),
    ]


def _raw(run: Callable[..., float], each: int) -> Subject:
    """The subject that does what one of ours with ``each`` operations in a count does."""
    return Subject("pyzmq, a frame each", lambda count: run(count * each, "ipc"))


def _by(each: int, subject: Subject | None) -> Subject | None:
    if subject is None:
        return None
    return Subject(subject.name, lambda count: subject.run(count * each))


def _moves(linked: Linked) -> list[Row]:
    by_turns = Subject("pyzmq REQ/REP", partial(peers_raw.req_rep, scheme="ipc"))
    goal = (at_least(10, THOUSANDS_A_SECOND),)
    moves = linked.ipc.subject(remote.moves, "move")
    crowd = linked.ipc.subject(remote.moves_in_flight, "moves")
    unit = THOUSANDS_A_SECOND
    return [
        Row("move of a small object", moves, by_turns, None, goal, unit, 200, 50),
        Row("moves from 200 threads", crowd, None, None, goal, unit, 5, 1),
    ]


def _links(linked: Linked) -> list[Row]:
    goal = (at_most(50, MILLISECONDS),)
    rows = []
    for scheme, pair in (("ipc", linked.ipc), ("tcp", linked.tcp)):
        raw = partial(peers_raw.first_reply, scheme=scheme, curve=scheme == "tcp")
        row = Row(
            f"link to first reply, {scheme}",
            pair.connecting(remote.link, "ConnectToPeer"),
            Subject("pyzmq connect, REQ/REP", raw),
            targets=goal,
            unit=MILLISECONDS,
            count=5,
            quick=1,
        )
        rows.append(row)
    return rows


def kept_rows(linked: Linked) -> list[Row]:
    """Return the rows of objects that are kept in SQLite, and in PostgreSQL where it is."""
    keeping = linked.keeping
    full = Subject("sqlite3 put, commit", kept.sqlite_full)
    normal = Subject("the same, not synced", kept.sqlite_normal)
    reads = Subject("sqlite3 select", kept.sqlite_reads)
    durable = keeping.subject(kept.durable_change, "durable")
    crowd = keeping.subject(kept.durable_in_flight, "durable")
    restore = Subject("restore", keeping.restore)
    rows = [
        Row("change of a kept object", keeping.subject(kept.change, "change"), normal),
        Row("durable change", durable, full, count=200, quick=20),
        Row("durable changes, 200 threads", crowd, full, count=5, quick=1),
        Row("restore, each of 10,000", restore, reads, quick=100, rounds=5),
        *_postgres_rows(linked.postgres),
    ]
    return [replace(row, unit=MICROSECONDS, group="persistence") for row in rows]


def _postgres_rows(keeping: KeepingInPostgres | None) -> list[Row]:
    if keeping is None:
        return []
    durable = keeping.subject(kept.durable_change, "durable")
    crowd = keeping.subject(kept.durable_in_flight, "durable")
    hand = Subject("psycopg put, commit", keeping.by_hand)
    restore = Subject("restore", keeping.restore)
    return [
        Row("durable change, PostgreSQL", durable, hand, count=200, quick=20),
        Row("durable changes, 200 threads, PostgreSQL", crowd, hand, count=5, quick=1),
        Row("restore, each of 10,000, PostgreSQL", restore, quick=100, rounds=5),
    ]
