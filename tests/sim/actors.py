"""The objects of a storm: each method does a few things drawn by the seed, to random others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import vista
from tests.sim.book import EXPECTED, Book, Ticket, Visit, book_here
from vista.kernel.current import RECORD, kernel


class Acting(vista.Object, namespace="Storm", abstract=True):
    """What objects of a storm do: each kind of method there is, and all do the same."""

    def create(self, fails: bool = False) -> None:
        self.changes = 0
        if fails:
            raise ArithmeticError("it was to fail")

    def delete(self) -> None:
        book_here().note_gone(str(vista.id_of(self)))

    def plain(self, ticket: Ticket) -> int:
        return self._act(ticket, "plain")

    def touch(self, ticket: Ticket) -> int:
        with Visit(book_here(), self, ticket, "touch"):
            self.changes += 1
        return ticket[0]

    @vista.exclusive
    def keeping(self, ticket: Ticket) -> int:
        return self._act(ticket, "keeping")

    @vista.preemptable
    def beside(self, ticket: Ticket) -> int:
        return self._act(ticket, "beside")

    @vista.native
    def native(self, ticket: Ticket) -> int:
        return self._act(ticket, "native")

    async def waiting(self, ticket: Ticket) -> int:
        with Visit(book_here(), self, ticket, "waiting") as visit:
            self.changes += 1
            await wander_in_a_coroutine(visit, visit.book.dice.randint(0, 2))
        return ticket[0]

    def stubborn(self, ticket: Ticket) -> int:
        with Visit(book_here(), self, ticket, "stubborn") as visit:
            try:
                wander(visit, 1)
            except BaseException:
                # It does not take its end for an answer.
                visit.swallows_its_end()
        return ticket[0]

    def object_modified(self, id: vista.Id) -> None:
        # It changes nothing: two objects that watch each other would never come to rest.
        assert isinstance(id, vista.Id)

    def _act(self, ticket: Ticket, style: str) -> int:
        with Visit(book_here(), self, ticket, style) as visit:
            self.changes += 1
            wander(visit, visit.book.dice.randint(0, 2))
        return ticket[0]


def actor_class(version: int) -> type[vista.Object]:
    """Return a version of the class of actors."""

    class Actor(Acting, namespace="Storm", version=version):
        """An object of a storm."""

    return Actor


ACTOR_CLASSES = (actor_class(0), actor_class(1))


class Warden(vista.Object, namespace="Storm"):
    """Sees to it that suspended threads go on."""

    @vista.preemptable
    def resume_later(self, thread: vista.Id, seconds: float) -> None:
        vista.sleep(seconds)
        try:
            vista.resume(thread)
        except vista.NoSuchObject:
            return


# --- what a thread of a storm does ---------------------------------------------------------


def wander(visit: Visit, steps: int) -> None:
    """Do ``steps`` things drawn by the seed, as long as the storm blows."""
    book = visit.book
    choices = NATIVE_STEPS if visit.style == "native" else STEPS
    for _ in range(steps):
        if not book.blowing:
            return
        try:
            book.dice.choice(choices)(visit)
        except EXPECTED:
            # What the storm itself brings about; half of the methods mind.
            if visit.actor is not None and book.dice.random() < 0.5:
                raise


async def wander_in_a_coroutine(visit: Visit, steps: int) -> None:
    """As `wander`, for an ``async def`` method."""
    book = visit.book
    for _ in range(steps):
        if not book.blowing:
            return
        try:
            await book.dice.choice(COROUTINE_STEPS)(visit)
        except EXPECTED:
            if book.dice.random() < 0.5:
                raise


def _send(visit: Visit) -> None:
    target, style, ticket = visit.message()
    with visit.away():
        visit.book.check(ticket, vista.send(target, style, ticket))


def _send_often(visit: Visit) -> None:
    target = visit.book.any_actor()
    for _ in range(visit.book.dice.choice((5, 40))):
        ticket = visit.ticket_for(0)
        with visit.away():
            visit.book.check(ticket, vista.send(target, "touch", ticket))


def _post(visit: Visit) -> None:
    target, style, ticket = visit.message()
    vista.post(target, style, ticket)
    if style != "waiting":
        # A coroutine may be killed before its first step.
        visit.book.note_post(ticket, target)


def _post_often(visit: Visit) -> None:
    target = visit.book.any_actor()
    for _ in range(visit.book.dice.choice((3, 20))):
        ticket = visit.ticket_for(0)
        vista.post(target, "touch", ticket)
        visit.book.note_post(ticket, target)


def _call_in_flight(visit: Visit) -> tuple[Ticket, vista.Future]:
    target, style, ticket = visit.message()
    future = vista.future(target, style, ticket)
    visit.book.note_future(ticket, future)
    return ticket, future


def _future(visit: Visit) -> None:
    dice = visit.book.dice
    ticket, future = _call_in_flight(visit)
    with visit.away():
        if dice.random() < 0.3:
            vista.sleep(dice.random() * 0.1)
        if dice.random() < 0.2:
            future.cancel()
        timeout = dice.choice((None, dice.random() * 0.2))
        visit.book.check(ticket, future.result(timeout))


def _gather(visit: Visit) -> None:
    dice = visit.book.dice
    calls = [_call_in_flight(visit) for _ in range(dice.randint(2, 4))]
    with visit.away():
        answers = vista.gather(
            *(future for _, future in calls),
            timeout=dice.choice((None, 0.1)),
            return_exceptions=dice.random() < 0.5,
        )
    for (ticket, _), answer in zip(calls, answers, strict=True):
        if not isinstance(answer, EXPECTED):
            visit.book.check(ticket, answer)


def _send_in_time(visit: Visit) -> None:
    target, style, ticket = visit.message()
    with visit.away(), vista.timeout(visit.book.dice.random() * 0.2):
        visit.book.check(ticket, vista.send(target, style, ticket))


def _sleep(visit: Visit) -> None:
    with visit.away():
        vista.sleep(visit.book.dice.choice((0.0, 0.001, 0.1, 1.0)))


def _wait(visit: Visit) -> None:
    with visit.away():
        vista.wait(vista.aio.sleep(visit.book.dice.choice((0, 0.05))))


def _fail(visit: Visit) -> None:
    raise ArithmeticError("it was to fail")


def _any_thread(book: Book) -> vista.Id:
    """Return the Id of a live thread, be it the calling one.

    Those from which all others come are seldom chosen, or the storm would soon be over.
    """
    home, dice = kernel(), book.dice
    worker = dice.choice(home.threads.live())
    frames = worker.frames()
    inner = [frame for frame in frames if frame[RECORD] is not home.program]
    chosen = inner if inner and dice.random() < 0.9 else frames
    return home.thread_ids.of(worker, dice.choice(chosen))


def _kill(visit: Visit) -> None:
    thread = _any_thread(visit.book)
    with visit.away():
        vista.kill(thread)


def _suspend(visit: Visit) -> None:
    book = visit.book
    thread = _any_thread(book)
    with visit.away():
        vista.post(book.warden, "resume_later", thread, book.dice.random() * 0.3)
        vista.suspend(thread)


def _delete(visit: Visit) -> None:
    book = visit.book
    if len(book.actors) < 3:
        return
    book.actors.remove(target := book.any_actor())
    with visit.away():
        vista.delete(target)
    _create(visit)


def _create(visit: Visit) -> None:
    book = visit.book
    fails = book.dice.random() < 0.2
    with visit.away():
        made = vista.create(ACTOR_CLASSES[0], fails=fails)
    if len(book.actors) < 8:
        book.actors.append(made)


def _upgrade(visit: Visit) -> None:
    dice = visit.book.dice
    target, version = visit.book.any_actor(), dice.choice((0, 1, None))
    with visit.away():
        vista.send(target, "upgrade", version, dice.random() * 0.2)


def _watch(visit: Visit) -> None:
    book = visit.book
    message = book.dice.choice(("add_notify_when_modified", "remove_notify_when_modified"))
    watched, watcher = book.any_actor(), book.any_actor()
    with visit.away():
        vista.send(watched, message, watcher)


async def _send_in_a_coroutine(visit: Visit) -> None:
    target, style, ticket = visit.message()
    with visit.away():
        visit.book.check(ticket, await vista.aio.send(target, style, ticket))


async def _send_in_time_in_a_coroutine(visit: Visit) -> None:
    target, style, ticket = visit.message()
    with visit.away():
        async with asyncio.timeout(visit.book.dice.random() * 0.2):
            visit.book.check(ticket, await vista.aio.send(target, style, ticket))


async def _gather_in_a_coroutine(visit: Visit) -> None:
    messages = [visit.message() for _ in range(2)]
    with visit.away():
        answers = await asyncio.gather(*(vista.aio.send(*message) for message in messages))
    for (_, _, ticket), answer in zip(messages, answers, strict=True):
        visit.book.check(ticket, answer)


async def _sleep_in_a_coroutine(visit: Visit) -> None:
    with visit.away():
        await vista.aio.sleep(visit.book.dice.choice((0.0, 0.05)))


STEPS: tuple[Callable[[Visit], None], ...] = (
    *(_send, _send, _send, _send_often, _post, _post, _post_often, _future, _future, _gather),
    *(_send_in_time, _send_in_time, _sleep, _sleep, _wait, _fail),
    *(_kill, _suspend, _delete, _create, _upgrade, _watch),
)
NATIVE_STEPS = (_send, _post, _post_often, _future, _gather, _send_in_time, _sleep, _fail, _create)
COROUTINE_STEPS: tuple[Callable[[Visit], Awaitable[None]], ...] = (
    _send_in_a_coroutine,
    _send_in_time_in_a_coroutine,
    _gather_in_a_coroutine,
    _sleep_in_a_coroutine,
)
