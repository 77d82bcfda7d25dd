"""The objects of the tests of transparency, which live in any place."""

from __future__ import annotations

from typing import Any

import vista
from vista.errors import DeadlockError


class Traveller(vista.Object):
    """Sends to others in every way, and says who sent to it."""

    def create(self, name: str = "traveller", *, mood: str = "fine") -> None:
        self.name, self.mood = name, mood

    def introduce(self) -> list[str]:
        return [self.name, self.mood]

    def sayItInCamelCase(self, theWords: str) -> str:
        return theWords

    def tell_sender(self) -> vista.Ref | None:
        return vista.from_object()

    def note_sender(self, journal: vista.Ref) -> None:
        journal.write(vista.from_object())

    def tell_user(self) -> str:
        return vista.current_user()

    def ask(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    def ask_self(self, method: str, *args: Any) -> Any:
        return vista.send(vista.id_of(self), method, *args)

    def ask_self_by_text(self, method: str) -> Any:
        return vista.send(str(vista.id_of(self)), method)

    def ask_later(self, target: Any, method: str, *args: Any) -> Any:
        return vista.future(target, method, *args).result()

    def tell(self, target: Any, method: str, *args: Any) -> None:
        vista.post(target, method, *args)

    async def ask_async(self, target: Any, method: str, *args: Any) -> Any:
        return await vista.aio.send(target, method, *args)

    async def ask_async_side_by_side(self, targets: list[vista.Ref]) -> list[Any]:
        return await vista.aio.gather(*[target.get.future() for target in targets])

    @vista.native
    def ask_native(self, target: Any, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.native
    def ask_native_later(self, target: Any, method: str, *args: Any) -> Any:
        return vista.future(target, method, *args).result()

    def ask_all(self, targets: list[vista.Ref], method: str) -> list[Any]:
        return vista.gather(*[vista.future(target, method) for target in targets])

    def make(self, *args: Any, **kwargs: Any) -> vista.Ref:
        return vista.create(Traveller, *args, **kwargs)


class Pliant(vista.Object):
    """Takes whatever there is."""

    def take(this, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return kwargs

    @vista.native
    def take_native(this, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return kwargs

    def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> str:
        return name


class Stillborn(vista.Object):
    """Cannot be made."""

    def create(self, error: Exception) -> None:
        raise error


class Annotator(vista.Object):
    """Writes from a coroutine, side by side."""

    async def write_all(self, journal: vista.Ref, count: int) -> None:
        await vista.aio.gather(*[journal.write.future(number) for number in range(count)])


class NoticeBoard(vista.Object):
    """Keeps the notices it gets, in order."""

    def create(self) -> None:
        self.notices: list[Any] = []

    def object_modified(self, id: vista.Id) -> None:
        self.notices.append(["modified", id])

    def object_deleted(self, id: vista.Id) -> None:
        self.notices.append(["deleted", id])

    @vista.preemptable
    def get_notices(self) -> list[Any]:
        return self.notices


class Custodian(vista.Object):
    """A meta object: keeps what it is given and answers, or passes it on by itself or another."""

    def create(self, way: str = "answer", helper: vista.Ref | None = None) -> None:
        self.way, self.helper = way, helper
        self.given: list[Any] = []

    def forward_method_invocation(
        self,
        target: vista.Ref,
        name: str,
        args: list[Any],
        sender: vista.Ref | None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        self.given.append([target, name, args, sender, kwargs])
        if self.way == "post":
            vista.post(target, name, *args)
        elif self.way == "call":
            return vista.send(target, name, *args, **(kwargs or {}))
        elif self.way == "future":
            return vista.future(target, name, *args).result()
        elif self.helper is not None:
            return self.helper.call(target, name, *args)
        return f"instead of {name}"

    @vista.preemptable
    def get_given(self) -> list[Any]:
        return self.given


class Obliging(vista.Object):
    """Answers every message."""

    def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        return [name, args, kwargs]

    def known(self, number: int = 1, *, text: str = "a") -> None:
        """Be known, with a docstring."""


class Chamber(vista.Object):
    """Keeps others out, or lets them in, while it sends."""

    def create(self) -> None:
        self.entries: list[str] = []

    def visit(self, name: str, gate: vista.Ref) -> str:
        self.entries.append(name)
        gate.pass_through()
        self.entries.append(f"{name} again")
        return name

    @vista.exclusive
    def keep(self, name: str, gate: vista.Ref) -> str:
        return self.visit(name, gate)

    @vista.preemptable
    def look(self) -> list[str]:
        return self.entries

    def enter(self, name: str) -> str:
        self.entries.append(name)
        return name

    def call_back(self, other: vista.Ref, method: str, *args: Any) -> Any:
        return other.call(vista.self_ref(self), method, *args)

    def call(self, target: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(target, method, *args)

    @vista.exclusive
    def keep_and_call_back(self, other: vista.Ref, method: str, *args: Any) -> Any:
        return other.call(vista.self_ref(self), method, *args)

    @vista.exclusive
    def keep_and_call(self, other: vista.Ref, method: str, *args: Any) -> Any:
        return vista.send(other, method, *args)

    def call_and_survive(self, other: vista.Ref, method: str, *args: Any) -> str:
        try:
            vista.send(other, method, *args)
        except DeadlockError:
            return "survived"
        return "no error"

    def bounce(self, other: vista.Ref, count: int = 0) -> int:
        bounced: int = other.bounce(vista.self_ref(self), count + 1)
        return bounced

    def bounce_until(self, other: vista.Ref, count: int) -> int:
        if not count:
            return 0
        bounced: int = other.bounce_until(vista.self_ref(self), count - 1)
        return bounced + 1

    @vista.native
    def bounce_natively(self, other: vista.Ref, count: int) -> int:
        if not count:
            return 0
        bounced: int = other.bounce_until(vista.self_ref(self), count - 1)
        return bounced + 1


class Whereabouts(vista.Object):
    """Tells of the thread that it runs in."""

    def tell_thread(self) -> vista.Id:
        return vista.current_thread()

    def tell_node(self) -> vista.Ref:
        return vista.here()


def _unripe() -> type[vista.Object]:
    class Ripening(vista.Object):
        """The earlier version of a class."""

        def taste(self) -> str:
            return "sour"

    return Ripening


def _ripe() -> type[vista.Object]:
    class Ripening(vista.Object, version=1):
        """The later version of a class."""

        def create(self) -> None:
            self.before = "nothing"

        def upgraded_from(self, version: int, state: dict[str, Any]) -> None:
            self.before = "sour"

        def taste(self) -> str:
            return f"sweet after {self.before}"

        def smell(self) -> str:
            return "good"

    return Ripening


RIPENING = (_unripe(), _ripe())
"""Two versions of one class, kept here so that they stay known."""
