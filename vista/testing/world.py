"""A world: nodes on one simulated hub, moved by the calling OS thread.

Nothing happens in a world by itself. It moves while code outside of vista waits for something in
it: `World.run`, `SimulatedNode.call`, a message through a Ref. When the waiting ends, it stands
still.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar

from vista.errors import BadValueError
from vista.kernel.futures import Future
from vista.kernel.node import Node
from vista.kernel.stopping import wind_down
from vista.limits import Limits
from vista.testing.crash import die, sever
from vista.testing.disk import Medium, SimulatedDisk
from vista.testing.failure import Failure
from vista.testing.hub import SimulatedHub
from vista.testing.network import SimulatedNetwork
from vista.testing.rest import unrest
from vista.testing.storms import Faults, Storm
from vista.testing.trace import Event, Trace
from vista.testing.tracing import Tracer
from vista.testing.wires import Conditions

Result = TypeVar("Result")


class SimulatedNode(Node):
    """A node of a `World`: as `vista.Node`, but it moves only when the world does.

    ``World.node`` makes it. The functions of `vista` work with it inside of its threads, and
    outside in a ``with node:`` block, whose end stops it.
    """

    def __init__(self, world: World, name: str, limits: Limits, **options: Any) -> None:
        super().__init__(name, hub=world.hub, limits=limits, **options)
        self.hub = world.hub
        self.network = world.network.of(name)
        self.disk = SimulatedDisk(world.medium(name))
        self.kernel.settings |= {"network": self.network, "disk": self.disk}
        self.kernel.settings["datagrams"] = self.network
        self.tracer = Tracer(world.hub, name)
        self.tracer.attach(self.kernel)
        self.booted: Future | None = None
        self._world = world
        self._life: asyncio.Task[None] | None = None

    @property
    def stopped(self) -> bool:
        """Whether it has ended, in good order or by a crash."""
        return self._stopped

    def start(self) -> Self:
        """Let the node live whenever the world moves; `World.node` has done so."""
        if self._life is None:
            self.kernel.threads.schedule()
            # Not in the name of a thread that may have made this node.
            self._life = self.hub.loop.create_task(self._live(), context=Context())
        return self

    def boot(self, function: Callable[[SimulatedNode], Any]) -> None:
        """Have ``function(node)`` run as a thread; what it raises stops the world."""

        def note(future: Future) -> None:
            error = future.exception()
            if error is not None and not self._stopped:
                self.hub.note_error({"exception": error})

        self.booted = self.spawn(function, self)
        self.booted.on_done(note)

    def crash(self) -> asyncio.Task[None]:
        """End as a process does that is killed; `World.crash` does it."""
        self._stopped = True
        if self._life is not None:
            self._life.cancel()
        sever(self)
        return self.hub.loop.create_task(die(self), context=Context())

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
        await wind_down(kernel)
        kernel.close()
        self.network.close()
        self._stopped = True


class _Boot(NamedTuple):
    """How a node is made, each time it comes back."""

    limits: Limits
    user: str
    settings: dict[str, Any]
    boot: Callable[[SimulatedNode], Any] | None


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

    ``network`` carries messages between the nodes, under ``conditions`` if they are given; each
    node has a disk. A node that crashed may come back, with what its disk held.
    """

    def __init__(self, seed: int, *, conditions: Conditions | None = None) -> None:
        self.seed = seed
        self.hub = SimulatedHub(seed)
        self.network = SimulatedNetwork(self.hub, conditions)
        self.disks: dict[str, Medium] = {}
        self.crashed: dict[str, None] = {}
        self._nodes: dict[str, SimulatedNode] = {}
        self._boots: dict[str, _Boot] = {}
        # Kept to the end: a greenlet that is left ends when nobody holds it, whenever that is.
        self._dead: list[SimulatedNode] = []
        self._storm: Storm | None = None

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
        boot: Callable[[SimulatedNode], Any] | None = None,
    ) -> SimulatedNode:
        """Make a node and start it. Raises `BadValueError` when one of this name exists.

        ``limits``: by default those of `vista.limits` with other bounds on nesting, which the seed
        draws. ``user``: the name in which code outside acts. ``settings``: as of `vista.Node`;
        the node's are a copy with ``network`` and ``disk``. ``boot(node)`` runs as its first
        thread, also when it comes back after a crash.
        """
        if name in self._boots:
            raise BadValueError(f"a node {name!r} is in this world already")
        if limits is None:
            limits = self._draw_limits()
        self._boots[name] = _Boot(limits, user, {} if settings is None else settings, boot)
        return self._make(name)

    def _make(self, name: str) -> SimulatedNode:
        limits, user, settings, boot = self._boots[name]
        node = SimulatedNode(self, name, limits, user=user, settings=dict(settings))
        self._nodes[name] = node
        self.hub.adopt(node.kernel)
        node.start()
        if boot is not None:
            node.boot(boot)
        return node

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

    def disk(self, name: str) -> SimulatedDisk:
        """Return a view of the disk of a node, which may be there or not; it lasts for ever."""
        return SimulatedDisk(self.medium(name))

    def medium(self, name: str) -> Medium:
        """Return the disk of a node itself, to make it full, spoil it or corrupt a file."""
        known = self.disks.get(name)
        if known is None:
            known = self.disks[name] = Medium(self.hub, name)
        return known

    # --- faults ----------------------------------------------------------------------------

    def crash(self, name: str) -> None:
        """End a node at once: its threads, its connections, what its disk had not synced.

        Its peers learn of it soon, late or never. What the node sent just before may arrive or not.
        ``finally`` blocks of its threads still run, but nothing they send or write has any effect.
        Raises `BadValueError` when no such node runs.
        """
        node = self._nodes.get(name)
        if node is None or node.stopped:
            raise BadValueError(f"no node {name!r} runs in this world")
        del self._nodes[name]
        self._dead.append(node)
        self.crashed[name] = None
        self.network.note_fault("crash", name)
        dying = node.crash()
        dying.add_done_callback(self._note_death, context=Context())
        if not self.hub.loop.is_running():
            self.hub.drive(dying.done)

    def _note_death(self, dying: asyncio.Task[None]) -> None:
        error = None if dying.cancelled() else dying.exception()
        if error is not None:
            self.hub.note_error({"exception": error})

    def restart(self, name: str) -> SimulatedNode:
        """Bring a node back that crashed or stopped, with what its disk holds, and boot it.

        Raises `BadValueError` when there was none or it runs.
        """
        known = self._nodes.get(name)
        if name not in self._boots or (known is not None and not known.stopped):
            raise BadValueError(f"no node {name!r} has crashed or stopped in this world")
        if known is not None:
            self._dead.append(known)
            self.hub.kernels.remove(known.kernel)
        self.crashed.pop(name, None)
        self.network.note_fault("restart", name)
        return self._make(name)

    def storm(self, seconds: float, faults: Faults | None = None) -> None:
        """Let the seed draw faults for ``seconds`` of virtual time from now on, or until `calm`.

        It returns at once: what moves the world moves the storm. The calm follows by itself. A
        storm that is still on ends.
        """
        self.calm()
        self._storm = Storm(self, faults or Faults(), seconds)

    def calm(self) -> None:
        """End the storm: heal the network and the disks and bring back who is down."""
        if self._storm is not None:
            self._storm.end()
            self._storm = None

    @property
    def is_stormy(self) -> bool:
        """Whether a storm is on, which neither its time nor `calm` has ended."""
        return self._storm is not None and not self._storm.over

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
        if self._storm is not None:
            self._storm.over = True
        for node in self.nodes:
            node.network.sever()
            node.kernel.threads.kill_all()
        self.hub.drive(lambda: False, 1.0)
        for task in asyncio.all_tasks(self.hub.loop):
            task.cancel()
        self.hub.drive(lambda: False, 1.0)
        for node in self.nodes:
            if not node._stopped:
                node.kernel.close()
        self.hub.close()
