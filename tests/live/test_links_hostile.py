"""Links over ZeroMQ and peers that do not keep to the rules: nothing they do stays."""

from __future__ import annotations

import os
import queue
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq

import vista
from tests.live.process import ROOT
from tests.live.test_sockets_hostile import curve, dealer
from tests.peers.system import LinkedBell
from vista.peering.curve import public_key_of
from vista.peering.peering import Peering
from vista.peering.trust import PEERS_FILE, authorize_peer, parse_rights
from vista.peering.urls import PeerUrl
from vista.wire.frames import CALL, HEAD, NOBODY, Frames
from vista.wire.session import (
    Admit,
    Closed,
    Deliver,
    Effect,
    Established,
    Introduced,
    Opened,
    Session,
    SessionConfig,
    Transmit,
)

HOST, GUEST = b"h" * 32, b"g" * 32
SECONDS_MAX = 20.0


class Host:
    """A node that listens, with an object, and a friend of the same key that calls it."""

    def __init__(self, directory: Path, **bounds: Any) -> None:
        authorize_peer(
            directory / PEERS_FILE, public_key_of(GUEST), "anna", parse_rights("call,create")
        )
        bounds = {"frame_bytes_max": 200_000, "hello_seconds": 1.0, **bounds}
        limits = vista.Limits(**bounds)
        settings = {"secret_key": HOST, "config_directory": str(directory)}
        self.node = vista.Node("host", limits=limits, settings=dict(settings)).start()
        self.friend = vista.Node("friend", settings=dict(settings)).start()
        self.bell = self.node.call(vista.create, LinkedBell)
        accepting = self.node.call(vista.create, "AcceptPeerConnections", "tcp:127.0.0.1:0")
        self.url = self.node.call(accepting.get_url)
        self.friend.call(lambda: vista.create("ConnectToPeer", self.url).wait(SECONDS_MAX))

    @property
    def peering(self) -> Peering:
        """The peering of the node."""
        found = self.node.kernel.elsewhere
        assert isinstance(found, Peering)
        return found

    def assert_unharmed(self) -> None:
        """The friend is served, and nothing of anybody else is left."""
        far = self.friend.kernel.ref(self.bell._id)
        assert self.friend.call(lambda: far.echo("friend")) == "friend"
        until(lambda: len(self.peering.links) == 1)
        assert (self.peering.calls.served, self.peering.calls.pending) == ({}, {})

    def stop(self) -> None:
        """End both nodes."""
        self.friend.stop()
        self.node.stop()


def until(holds: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    due = time.monotonic() + SECONDS_MAX
    while not holds():
        assert time.monotonic() < due, "it does not come about"
        time.sleep(0.005)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    tmp_path.chmod(0o700)
    made = Host(tmp_path)
    try:
        yield made
    finally:
        made.stop()


class Stranger:
    """Speaks the session by hand over a ZeroMQ socket, and keeps what it sent and got."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.socket = socket
        config = SessionConfig(os.urandom(10), os.urandom(8), "stranger")
        self.session = Session(config, os.urandom, initiator=True)
        self.frames = Frames(vista.Limits())
        self.sent: list[list[bytes]] = []
        self.effects: list[Effect] = []
        self.perform(self.session.handle(Opened(), time.monotonic()))

    def perform(self, effects: list[Effect]) -> None:
        """Do what the session asks for; grant the peer nothing."""
        self.effects += effects
        for effect in effects:
            if isinstance(effect, Transmit):
                self.send([bytes(part) for part in effect.parts])
            elif isinstance(effect, Introduced):
                granted = Admit("", frozenset())
                self.perform(self.session.handle(granted, time.monotonic()))

    def send(self, parts: list[bytes]) -> None:
        """Send a message as it is."""
        self.sent.append(parts)
        self.socket.send_multipart(parts)

    def pump(self, wanted: type[Effect]) -> Any:
        """Receive until the session gives an effect of a kind, and return it."""
        due = time.monotonic() + SECONDS_MAX
        while time.monotonic() < due:
            for effect in self.effects:
                if isinstance(effect, wanted):
                    self.effects.remove(effect)
                    return effect
            if self.socket.poll(100):
                parts = self.socket.recv_multipart()
                self.perform(self.session.received(parts, time.monotonic()))
        raise AssertionError(f"no {wanted} came")

    def call(self, target: bytes, method: str, user: str) -> None:
        """Send a CALL."""
        parts = vista_arguments()
        row = (CALL, HEAD.pack(1, 0, target, NOBODY), method, user, b"", parts)
        batch = self.session.send(self.frames.encode_batch([row]), time.monotonic())
        self.send([bytes(part) for part in batch])

    def answer(self) -> bytes:
        """Wait for a batch that is an answer, and return its payload."""
        rows: list[Any] = []
        while not rows:
            rows = [
                row
                for row in self.frames.decode_batch(self.pump(Deliver).parts)
                if row[0] in (3, 4)
            ]
        payload: bytes = rows[0][-1][0]
        return payload


def vista_arguments() -> bytes:
    """The payload of a call without arguments."""
    from vista.wire.codec import pack_plain

    return pack_plain([[], {}])


@contextmanager
def stranger(host: Host, secret: bytes = GUEST) -> Iterator[Stranger]:
    """A peer with a key of its own whose link stands."""
    url = PeerUrl.parse(host.url)
    with dealer(url, **curve(url.key, secret)) as socket:
        made = Stranger(socket)
        made.pump(Established)
        yield made


def test_a_forged_user_in_a_call_acts_as_the_user_of_the_key(host: Host) -> None:
    with stranger(host) as guest:
        guest.call(host.bell._id, "whoever", host.node.kernel.user)
        assert b"anna" in guest.answer()
    host.assert_unharmed()


def test_recorded_messages_that_are_sent_again_run_nothing(host: Host) -> None:
    with stranger(host) as guest:
        guest.call(host.bell._id, "whoever", "")
        guest.answer()
        recorded = list(guest.sent)
    url = PeerUrl.parse(host.url)
    with dealer(url, **curve(url.key, GUEST)) as socket:
        replaying = Stranger(socket)
        replaying.pump(Established)
        for parts in recorded[1:]:
            socket.send_multipart(parts)
        replaying.call(host.bell._id, "list_heard", "")
        replaying.answer()
        link = next(link for link in host.peering.links.values() if not link.is_kin)
        assert (link.messages_received, link.session.stale) == (1, len(recorded) - 1)
    host.assert_unharmed()


@pytest.mark.parametrize("garbage", [[b"\x00" * 100], [os.urandom(500)], [b"", b"", b""]])
def test_garbage_before_the_hello_leaves_nothing(host: Host, garbage: list[bytes]) -> None:
    url = PeerUrl.parse(host.url)
    with dealer(url, **curve(url.key, GUEST)) as socket:
        socket.send_multipart(garbage)
        host.assert_unharmed()


def test_garbage_in_a_batch_ends_the_link(host: Host) -> None:
    with stranger(host) as guest:
        batch = guest.session.send([b"\xc1 no rows"], time.monotonic())
        guest.send([bytes(part) for part in batch])
        assert "said goodbye" in guest.pump(Closed).reason
        host.assert_unharmed()


def test_a_message_that_is_too_large_ends_the_link(host: Host) -> None:
    with stranger(host) as guest:
        guest.send([bytes(300_000)])
        host.assert_unharmed()


def test_a_hello_that_never_comes_to_its_end_leaves_nothing(host: Host) -> None:
    url = PeerUrl.parse(host.url)
    with dealer(url, **curve(url.key, GUEST)) as socket:
        guest = Stranger(socket)
        # It is welcomed and does not answer.
        until(lambda: len(host.peering.links) == 2)
        host.assert_unharmed()
        assert len(guest.sent) == 1


def test_links_that_come_and_go_leave_no_descriptors(host: Host) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        with stranger(host):
            pass
    host.assert_unharmed()
    until(lambda: len(os.listdir("/proc/self/fd")) <= before)


# --- a crowd -------------------------------------------------------------------------------

CROWD = 10_000
CROWD_HANDSHAKE_SECONDS = 18.0
"""Time in which even a machine five times slower opens all of them before the first is ended."""

CROWD_BYTES_MAX = 100 * 1024 * 1024
"""Memory that a crowd may take: each connection takes 4 KB here, and ZeroMQ's part may vary."""


@pytest.fixture
def descriptors() -> Iterator[int]:
    """As many descriptors as the process may have; gives how many that are."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def resident_bytes() -> int:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


@contextmanager
def crowd(url: str, number: int) -> Iterator[queue.Queue[str]]:
    """Run a process that holds connections which say nothing; gives the lines that it prints."""
    parsed = PeerUrl.parse(url)
    words = [sys.executable, "tests/live/crowd.py", parsed.host, str(parsed.port), str(number)]
    lines: queue.Queue[str] = queue.Queue()
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:

        def read() -> None:
            for line in process.stdout or ():
                lines.put(line.strip())

        threading.Thread(target=read, daemon=True).start()
        try:
            yield lines
        finally:
            process.kill()


def test_ten_thousand_connections_that_never_greet_are_held_around_a_friend_and_all_shed(
    tmp_path: Path, descriptors: int
) -> None:
    """Where fewer than 20,000 descriptors are allowed the bound of the listener is half of them."""
    if descriptors < 2_000:
        pytest.skip(f"only {descriptors} descriptors are allowed, which hold no crowd")
    number = min(CROWD, descriptors - 100)
    tmp_path.chmod(0o700)
    host = Host(tmp_path, handshake_seconds=CROWD_HANDSHAKE_SECONDS)
    try:
        listener: Any = host.peering.listeners[0]
        bound = min(CROWD, descriptors // 2)
        far = host.friend.kernel.ref(host.bell._id)
        before, most, grown, answers = resident_bytes(), 0, 0, 0
        with crowd(host.url, number) as lines:
            due = time.monotonic() + 4 * CROWD_HANDSHAKE_SECONDS
            said: list[str] = []
            while said != ["open", "ended"]:
                assert time.monotonic() < due, "they are not shed"
                assert host.friend.call(lambda: far.echo("friend")) == "friend"
                answers += 1
                most = max(most, len(listener._connections))
                grown = max(grown, resident_bytes() - before)
                if not lines.empty():
                    said.append(lines.get())
                time.sleep(0.005)
            # The friend's is among those that were held.
            assert most >= min(number + 1, bound)
            assert grown < CROWD_BYTES_MAX
            assert answers > 100
            until(lambda: len(listener._connections) == 1)
        host.assert_unharmed()
    finally:
        host.stop()
