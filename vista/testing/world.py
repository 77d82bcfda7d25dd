"""A world: nodes on one simulated hub, moved by the calling OS thread.

Nothing happens in a world by itself. It moves while code outside of vista waits for something in
it: `World.run`, `SimulatedNode.call`, a message through a Ref. When the waiting ends, it stands
still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, TypeVar

from vista.errors import BadValueError
from vista.kernel.futures import Future
from vista.kernel.node import Node
from vista.limits import Limits
from vista.testing.failure import Failure
from vista.testing.hub import SimulatedHub
from vista.testing.rest import unrest
from vista.testing.trace import Event, Trace
from vista.testing.tracing import Tracer

Result = TypeVar("Result")


class SimulatedNode(Node):
    """A node of a `World`: as `vista.Node`, but it moves only when the world does.

    ``World.node`` makes it. The functions of `vista` work with it inside of its threads, and
    outside in a ``with node:`` block, whose end stops it.
    """

    def __init__(self, world: World, name: str, limits: Limits, **options: Any) -> None:
        super().__init__(name, hub=world.hub, limits=limits, **options)
        self.tracer = Tracer(world.hub, name)
        self.tracer.attach(self.kernel)
        self._world = world
        self._life: asyncio.Task[None] | None = None

    def start(self) -> Self:
        """Let the node live whenever the world moves; `World.node` has done so."""
        if self._life is None:
            self.kernel.threads.schedule()
            self._life = self.kernel.hub.loop.create_task(self._live())
        return self

    def stop(self) -> None:
        """Move the world until the node has ended in good order."""
        life = self._life
        if life is None or self._stopped:
            return
        self._note_stop_request("stop")
        self._world.drive(life.done)
        if not life.cancelled() and life.exception() is not None:
            raise Failure(f"node {self.name} did not end in good order") from life.exception()

    def spawn(self, function: Callable[..., Any], *args: Any) -> Future:
        """Have a plain function run as a vista thread when the world moves; return its future."""
        return self.kernel.spawn(lambda: function(*args))

    def run_main(self, function: Callable[[], Result] | None = None) -> Result | None:
        """Run ``function`` as `call` does, then stop the node."""
        result = None if function is None else self.call(function)
        self.stop()
        return result

    async def _live(self) -> None:
        # Other nodes live on the same loop, so what is left on it is not this one's to cancel.
        kernel = self.kernel
        await self._stopping.wait()
        if await kernel.drain(kernel.limits.drain_seconds):
            kernel.threads.kill_all()
            await kernel.drain(1.0)
        kernel.close()
        self._stopped = True


class World:
    """Nodes, a clock, dice and a trace, all from one seed.

    >>> with World(seed=7) as world:
    ...     node = world.node("first")
    ...     counter = node.call(vista.create, Counter, 5)
    ...     counter.increment(2)
    7

    The seed draws the order of ready threads, the length of turns, which calls are queued though
    they could run nested, how long native methods take and, if they are not given, the limits of a
    node that shape scheduling. Equal seeds give equal traces.

    Network, disk and crash of nodes are to attach here: the network is a part of the hub, as time
    is; a node that crashes is closed without its `stop`, its messages under way are dropped, and
    ``node(name)`` of the same name comes back with the disk kept for that name.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.hub = SimulatedHub(seed)
        self._nodes: dict[str, SimulatedNode] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # --- nodes -----------------------------------------------------------------------------

    def node(
        self,
        name: str = "node",
        *,
        limits: Limits | None = None,
        user: str = "operator",
        settings: dict[str, Any] | None = None,
    ) -> SimulatedNode:
        """Make a node and start it. Raises `BadValueError` when one of this name exists.

        ``limits``: by default those of `vista.limits` with other bounds on nesting, which the seed
        draws. ``user``: the name in which code outside acts. ``settings``: as of `vista.Node`.
        """
        if name in self._nodes:
            raise BadValueError(f"a node {name!r} is in this world already")
        if limits is None:
            limits = self._draw_limits()
        node = SimulatedNode(self, name, limits, user=user, settings=settings)
        self._nodes[name] = node
        self.hub.kernels.append(node.kernel)
        return node.start()

    def _draw_limits(self) -> Limits:
        dice = self.hub.dice
        return Limits(
            sends_between_checks=dice.choice((1, 3, 64)),
            nested_calls_max=dice.choice((2, 8, 64)),
            pooled_workers_max=dice.choice((1, 4, 256)),
        )

    @property
    def nodes(self) -> list[SimulatedNode]:
        """The nodes in the order they were made."""
        return list(self._nodes.values())

    # --- moving it -------------------------------------------------------------------------

    def run(self, function: Callable[..., Result], *args: Any) -> Result:
        """Run a function as a vista thread of the first node and return its result.

        Without a node one is made, called ``node``.
        """
        node = self.nodes[0] if self._nodes else self.node()
        return node.call(function, *args)

    def drive(self, until: Callable[[], bool], seconds: float | None = None) -> None:
        """Move the world until ``until()`` is true, ``seconds`` of virtual time at most.

        Raises `Failure` when it does not become true.
        """
        if not self.hub.drive(until, seconds):
            why = "nothing is left to happen" if self.hub.idle else f"{seconds} s have passed"
            raise Failure(f"the world does not come to what was waited for: {why}")

    def pass_time(self, seconds: float) -> None:
        """Move the world on by ``seconds`` of virtual time, or until nothing is left to happen."""
        self.hub.drive(lambda: False, seconds)

    def run_until_idle(self, seconds: float = 3600.0) -> None:
        """Move the world until nothing is left to happen.

        Raises `Failure` when something is after ``seconds`` of virtual time.
        """
        self.hub.drive(lambda: False, seconds)
        if not self.hub.idle:
            raise Failure(f"after {seconds} s the world is not at rest: {self._unrest()}")

    def check_rest(self) -> None:
        """Raise `Failure` if something is left in a node: a thread, a timer, an object held."""
        left = self._unrest()
        if left:
            raise Failure(f"at rest there is still {left}")

    def _unrest(self) -> str:
        return "; ".join(
            f"{node.name}: {words}" for node in self.nodes for words in unrest(node.kernel)
        )

    # --- looking at it ---------------------------------------------------------------------

    @property
    def time(self) -> float:
        """Virtual seconds since the world began; looking does not move them."""
        return self.hub.now

    @property
    def trace(self) -> Trace:
        """What happened so far."""
        return self.hub.trace

    def watch(self, watcher: Callable[[Event], str]) -> None:
        """Have ``watcher(event)`` called at each event.

        It returns what is wrong, in words, or the empty text; it must not raise, as it is called in
        the midst of a method. At the first complaint the world stops, and whoever moves it gets
        `Failure`.
        """
        self.trace.watchers.append(watcher)

    def complain(self, text: str) -> None:
        """Stop the world with `Failure`: for methods of a scenario that find something wrong."""
        self.trace.complaints.append(text)

    def note(self, text: str) -> None:
        """Put a line of the scenario's own into the trace."""
        self.trace.add(Event(self.hub.now, "note", "", 0, "", "", text))

    def digest(self) -> str:
        """Return 32 hexadecimal digits of the trace: equal for two runs of one seed."""
        return self.trace.digest()

    def close(self) -> None:
        """End every node at once, whatever its threads do, and the loop."""
        if self.hub.loop.is_closed():
            return
        self.trace.watchers.clear()
        self.trace.complaints.clear()
        self.hub.errors.clear()
        for node in self.nodes:
            node.kernel.threads.kill_all()
        self.hub.drive(lambda: False, 1.0)
        for task in asyncio.all_tasks(self.hub.loop):
            task.cancel()
        self.hub.drive(lambda: False, 1.0)
        for node in self.nodes:
            if not node._stopped:
                node.kernel.close()
        self.hub.close()
