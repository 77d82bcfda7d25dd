"""Connections: links that are opened again whenever they end.

The pauses between attempts double, from ``limits.reconnect_seconds_min`` to
``reconnect_seconds_max``, and differ by chance, so that the peers of a node that comes back do not
all knock at once.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vista.errors import CallTimeout, PeerLost
from vista.kernel.current import current
from vista.peering.keys import (
    check_socket_directory,
    config_directory,
    load_or_make_key,
    make_socket_directory,
    socket_directory,
)
from vista.peering.links import Link
from vista.peering.peering import Peering
from vista.peering.trust import PEERS_FILE, AuthorizedPeers, Trust
from vista.peering.urls import PeerUrl, parse_connect, parse_listen

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel
    from vista.kernel.timers import Timer
    from vista.peering.transport import Network

_SOCKET_BOUNDS = frozenset(
    {
        "frame_bytes_max",
        "large_buffer_bytes",
        "channel_messages_max",
        "channel_bytes_max",
        "connections_max",
        "handshake_seconds",
        "linger_seconds",
        "retry_seconds_min",
        "retry_seconds_max",
    }
)
"""The limits that the sockets obey."""

TROUBLES_TOLD_MAX = 4
"""Different troubles that are told of a peer until it is linked: one that makes words up must not
fill the log."""

_ANEW = "it is tried anew"
_UNTOLD = (_ANEW, "the node stops", "the peer is this node itself")
"""What is no trouble. The last is what the session says where an rc file names all servers of a
group, the node among them."""


class Connection:
    """A link to ``url`` that is opened again whenever it ends, until `close`.

    ``link`` is the present one, ``attempts`` counts those since messages crossed one, and
    ``trouble`` says why the last one ended, or why the present one reaches nobody; the latter is
    ``unreached`` besides, which is empty where nothing is known. Two nodes have one link: where
    another one leads to the peer already, that is shared. ``on_linked(link)`` is called whenever
    messages can cross one, ``on_trouble(reason)`` when an attempt fails for a reason that was not
    told since.
    """

    def __init__(self, peering: Peering, url: PeerUrl) -> None:
        self.url = url
        self.link: Link | None = None
        self.attempts = 0
        self.trouble = ""
        self.unreached = ""
        self.closed = False
        self.on_linked: Callable[[Link], None] = lambda link: None
        self.on_trouble: Callable[[str], None] = lambda reason: None
        self._told: set[str] = set()
        self._peering = peering
        self._shared = False
        self._began = 0.0
        self._timer: Timer | None = None
        self._waiting: list[Any] = []
        self._impatient: list[Any] = []
        self._open()

    @property
    def is_linked(self) -> bool:
        """Whether messages cross the link."""
        return self.link is not None and self.link.is_established

    def _open(self) -> None:
        self._timer = None
        self.unreached = ""
        self._began = self._peering.kernel.hub.time()
        self.attempts += 1
        link = self._peering.connect(self.url, self._ended)
        # One that ended at once has said so already.
        if link.ended is None:
            link.on_up = self._up
            link.on_unreached = self._note_unreached
            self.link = link
            self._shared = False

    def _up(self) -> None:
        self.attempts = 0
        self.trouble = ""
        self._told.clear()
        self._wake()
        assert self.link is not None, "it is up"
        self.on_linked(self.link)

    def _note_unreached(self, reason: str) -> None:
        if reason or self.trouble == self.unreached:
            self.trouble = reason
        self.unreached = reason
        if reason:
            impatient, self._impatient = self._impatient, []
            for wake in impatient:
                wake()

    def _ended(self, reason: str) -> None:
        link, self.link = self.link, None
        if self.unreached and not reason.endswith(_UNTOLD):
            # Where nobody is reached nobody answers the hello either.
            reason = self.unreached
        self.trouble = reason
        if self.closed:
            return
        twin = None if link is None else self._peering.rivals.twin_of(link)
        if twin is not None:
            self._share(twin)
            return
        self._tell(reason)
        kernel = self._peering.kernel
        limits = kernel.limits
        doublings = min(self.attempts, 30)
        longest = min(limits.reconnect_seconds_max, limits.reconnect_seconds_min * 2**doublings)
        pause = longest * (0.5 + kernel.hub.random.random() / 2)
        self._timer = kernel.timers.call_later(pause, self._open)

    def _tell(self, reason: str) -> None:
        """Tell why an attempt failed; the end of a link that stood is told by the peering."""
        if not self.attempts or reason.endswith(_UNTOLD) or reason in self._told:
            return
        if len(self._told) < TROUBLES_TOLD_MAX:
            self._told.add(reason)
            self.on_trouble(reason)

    def _share(self, link: Link) -> None:
        """Use a link to the same peer that others hold, as long as it lasts."""
        self.link = link
        self._shared = True
        link.on_end.append(self._ended)
        self._up()

    def hurry(self) -> None:
        """Try at once, for the peer may be back: end a pause, or an attempt without an answer."""
        kernel = self._peering.kernel
        if self.closed or self.is_linked:
            return
        # One that has just begun may be about to succeed.
        stale = kernel.hub.time() - self._began >= kernel.limits.reconnect_seconds_min
        if self.link is not None and stale:
            self.link.close(_ANEW)
        if self._timer is not None:
            self._timer.cancel()
            self._open()

    def close(self) -> None:
        """End the link, unless others hold it, and open none any more."""
        self.closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self.link is not None and self._shared:
            self.link.on_end.remove(self._ended)
        elif self.link is not None:
            self.link.close("it is wanted no more")
        self._wake()

    def wait(self, seconds: float, *, patient: bool = True) -> Link:
        """Park the calling thread until the link stands, and return it.

        Raises `CallTimeout` after ``seconds``, with the last trouble, and `PeerLost` when the
        connection is closed meanwhile; unless ``patient`` also as soon as nobody is reached.
        """
        worker: Any = current()
        kernel = self._peering.kernel
        due = kernel.hub.time() + seconds
        while not self.is_linked:
            if self.closed:
                raise PeerLost(f"the connection to {self.url} was closed")
            if self.unreached and not patient:
                raise PeerLost(
                    f"no link to {self.url}: {self.unreached}; "
                    "start the node first, or mend the URL"
                )
            self._park(worker, due, patient=patient)
        assert self.link is not None, "it is linked"
        return self.link

    def _park(self, worker: Any, due: float, *, patient: bool) -> None:
        number = worker.parking + 1
        wake = partial(worker.wake, number)

        def give_up() -> None:
            trouble = f": {self.trouble}" if self.trouble else ""
            late = CallTimeout(f"no link to {self.url} in time{trouble}")
            worker.wake(number, error=late)

        timer = self._peering.kernel.timers.call_at(due, give_up)
        (self._waiting if patient else self._impatient).append(wake)
        try:
            worker.park(f"the link to {self.url}")
        finally:
            timer.cancel()
            for waiting in (self._waiting, self._impatient):
                if wake in waiting:
                    waiting.remove(wake)

    def _wake(self) -> None:
        waiting = [*self._waiting, *self._impatient]
        self._waiting, self._impatient = [], []
        for wake in waiting:
            wake()


# --- the peering of a node -----------------------------------------------------------------


def peering_of(kernel: Kernel) -> Peering:
    """Return the peering of a node, made at first use with the key of its user.

    ``kernel.settings`` may hold ``network`` (a `Network`), ``config_directory`` (a path) and, for
    those who keep keys elsewhere, ``secret_key`` (32 bytes). Raises `KeyFileError`.
    """
    known = kernel.elsewhere
    if isinstance(known, Peering):
        return known
    from vista.peering.curve import public_key_of

    settings = kernel.settings
    directory = Path(settings.get("config_directory") or config_directory())
    secret = settings.get("secret_key") or load_or_make_key(directory).secret
    peers = AuthorizedPeers(directory / PEERS_FILE)
    trust = Trust(public_key_of(secret), kernel.user, peers)
    network: Network = settings.get("network") or _open_network(kernel)
    return Peering(kernel, network, secret, trust, kernel.name)


def _open_network(kernel: Kernel) -> Network:
    # Here, because loading ZeroMQ takes 20 ms, which a node without peers need not wait for.
    from vista.peering.sockets import SocketBounds, ZeroMQNetwork

    shared = {name: getattr(kernel.limits, name) for name in _SOCKET_BOUNDS}
    return ZeroMQNetwork(
        kernel.hub.loop,
        SocketBounds(**shared),
        begin=kernel.threads.gathering.begin,
        end=kernel.threads.gathering.end,
    )


def connect(kernel: Kernel, text: str) -> Connection:
    """Have a node keep a link to the peer at a URL. Raises `PeerAddressError`, `KeyFileError`.

    The user's directory of sockets is made when it is missing: the peer may be started later.
    """
    directory = socket_directory()
    url = parse_connect(text, socket_directory=str(directory))
    _secure_place(kernel, url, directory)
    return Connection(peering_of(kernel), url)


def listen_url(kernel: Kernel, text: str) -> PeerUrl:
    """Return the URL to listen at for an address as rc files have it; see `parse_listen`.

    The directory of sockets is made if it is needed.
    """
    directory = socket_directory()
    url = parse_listen(text, socket_directory=str(directory), name=f"node-{os.getpid()}")
    _secure_place(kernel, url, directory)
    return url


def _secure_place(kernel: Kernel, url: PeerUrl, directory: Path) -> None:
    """Make the user's directory of sockets if the URL is there, and check where the socket is."""
    if url.scheme == "ipc" and "network" not in kernel.settings:
        if Path(url.path).parent == directory:
            make_socket_directory(directory)
        check_socket_directory(Path(url.path).parent)
