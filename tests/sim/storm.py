"""A storm of everything objects and threads can do, then a calm in which all must come to rest."""

from __future__ import annotations

import vista
from tests.sim.actors import ACTOR_CLASSES, Warden, wander
from tests.sim.book import Book, Visit
from vista.testing import Event, Failure, SimulatedNode, World, contradictions

THREADS = 6
STEPS = 30
DEPTH = 3
BLOWING_SECONDS = 100.0


def storm(world: World) -> None:
    """Let a few threads do random things to a few objects, and check every promise meanwhile.

    Raises `Failure` for the first that is not kept.
    """
    node = world.node("stormy")
    book = node.kernel.settings["book"] = Book(world)
    _watch_tables(world, node)
    node.call(_set_up, book)
    beginnings = [node.spawn(_begin, book) for _ in range(THREADS)]
    # Not all need come to their end: whoever was to resume a suspended one may have been killed.
    world.pass_time(BLOWING_SECONDS)
    book.blowing = False
    node.call(_resume_all, node)
    world.drive(lambda: not node.kernel.threads.live(), 1200.0)
    world.pass_time(1.0)
    # Not when nothing is left to happen: a timer that nobody cancelled would have passed by then.
    world.check_rest()
    world.run_until_idle(1200.0)
    unkept = [repr(future) for future in beginnings if not future.done()] + book.unkept()
    if unkept:
        raise Failure("; ".join(unkept))
    world.note(f"{len(book.runs)} messages ran")


def _watch_tables(world: World, node: SimulatedNode) -> None:
    def look(_: Event) -> str:
        return "; ".join(contradictions(node.kernel))

    world.watch(look)


def _set_up(book: Book) -> None:
    book.warden = vista.create(Warden)
    book.actors += [vista.create(ACTOR_CLASSES[0]) for _ in range(4)]


def _begin(book: Book) -> None:
    with Visit(book, None, (0, 0, DEPTH), "outside") as visit:
        wander(visit, STEPS)


def _resume_all(node: SimulatedNode) -> None:
    for worker in node.kernel.threads.live():
        if worker.frozen:
            worker.thaw()
