"""Processes that find one another by multicast on loopback, and the sockets that carry it."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import re
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

import vista as runtime
from tests.live.process import COMMAND, ROOT, SECONDS_MAX, Process, own_directories, vista
from vista.errors import PeerAddressError
from vista.peering.datagrams import (
    GROUP,
    GROUP_IPV6,
    LOOPBACK,
    Group,
    MulticastDatagrams,
    MulticastNetwork,
    interface_addresses,
    interface_addresses_ipv6,
)
from vista.peering.keys import make_socket_directory, socket_directory

LINKED = re.compile(r"linked with (\w+) at ")


@pytest.fixture
def place() -> Iterator[Path]:
    """Directories of this test's own for keys and sockets."""
    with own_directories() as directory:
        yield directory


@pytest.fixture
def start(place: Path) -> Iterator[Callable[[str, str], Process]]:
    """Starts the process of a name that takes part in this test's mesh at an address."""
    domain = f"{place.name[:40]} {os.getpid()}"
    with ExitStack() as stack:

        def begin(name: str, address: str) -> Process:
            text = f"ShutdownService\nAcceptPeerConnections ipc:ask-{name}\n"
            text += f'AutomaticIPCMesh {address} "{domain}" 0.5\n'
            (place / f"{name}.rc").write_text(text)
            return stack.enter_context(vista(str(place / f"{name}.rc"), directory=place))

        yield begin


def expect_links(process: Process, *names: str) -> None:
    """Wait until a process has said that it is linked with each of the others."""
    missing = set(names)
    while missing:
        try:
            found = LINKED.search(process.lines.get(timeout=SECONDS_MAX))
        except queue.Empty:
            raise AssertionError(f"no link with {missing} in {process.errors}") from None
        if found:
            missing.discard(found[1])


def neighbours(name: str) -> dict[str, int]:
    """How many links lead to each neighbour of a process, but not to who asks."""
    words = [*COMMAND, "peers", "--json", "--connect", f"ipc:ask-{name}"]
    ran = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS_MAX, check=True
    )
    return {row["name"]: row["hops"] for row in json.loads(ran.stdout)}


NAMES = ("one", "two", "three")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("address", ["tcp:127.0.0.1:0", "ipc:{}"], ids=["tcp", "ipc"])
def test_three_processes_find_one_another_and_one_that_was_killed(
    start: Callable[[str, str], Process], address: str
) -> None:
    processes = {name: start(name, address.format(name)) for name in NAMES}
    for name, process in processes.items():
        expect_links(process, *(other for other in NAMES if other != name))
    assert {name: hops for name, hops in neighbours("one").items() if name in NAMES} == {
        "two": 1,
        "three": 1,
    }
    processes["three"].signal(signal.SIGKILL)
    processes["three"].end()
    for name in ("one", "two"):
        processes[name].expect("the link with three at ")
    again = start("three", address.format("three"))
    expect_links(again, "one", "two")
    for name in ("one", "two"):
        expect_links(processes[name], "three")
    for process in (processes["one"], processes["two"], again):
        process.process.terminate()
        assert process.end() == 0
        assert [line for line in process.errors if " error " in line] == []


def refusal(place: Path, line: str) -> str:
    """What the command says of an rc file with this line, which it refuses."""
    (place / "bad.rc").write_text(f"{line}\n")
    with vista("bad.rc", directory=place) as process:
        assert process.end() == 2
    return process.errors[-1]


def test_a_host_that_is_not_of_this_machine_is_refused(place: Path) -> None:
    assert refusal(place, "AutomaticIPCMesh tcp:192.0.2.99:0") == (
        "bad.rc:1:1: AutomaticIPCMesh could not be created: the multicast group "
        "239.255.86.73:8673 cannot be joined at 192.0.2.99: No such device; write an address of "
        "this machine, or 0.0.0.0 for all"
    )


def test_a_port_that_another_program_keeps_for_itself_is_refused(place: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        line = f"AutomaticIPCMesh tcp:127.0.0.1:0 vista 5 239.255.86.73:{port}"
        assert refusal(place, line) == (
            "bad.rc:1:1: AutomaticIPCMesh could not be created: the multicast group "
            f"239.255.86.73:{port} cannot be joined at 127.0.0.1: Address already in use; another "
            "program keeps the port to itself: name a group with another one"
        )


# --- the sockets ---------------------------------------------------------------------------

Members = tuple[MulticastDatagrams, MulticastDatagrams]


def exchange(
    scenario: Callable[[Members, asyncio.Queue[tuple[bytes, str]]], Awaitable[None]],
) -> None:
    """Run a scenario with two members of a group on loopback, and a queue of what one hears."""

    async def run() -> None:
        network = MulticastNetwork(asyncio.get_running_loop())
        group = Group(GROUP.address, free_port())
        one, other = (network.join(group, LOOPBACK, 100) for _ in range(2))
        heard: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()
        other.receive = lambda data, source: heard.put_nowait((data, source))
        try:
            await asyncio.wait_for(scenario((one, other), heard), SECONDS_MAX)
        finally:
            one.close()
            other.close()

    asyncio.run(run())


def free_port() -> int:
    """A port of no other test's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_datagram_reaches_another_member_with_its_source() -> None:
    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        members[0].send(LOOPBACK, b"hello")
        assert await heard.get() == (b"hello", LOOPBACK)

    exchange(scenario)


def test_a_datagram_reaches_its_sender_too() -> None:
    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        members[1].send(LOOPBACK, b"hello")
        assert await heard.get() == (b"hello", LOOPBACK)

    exchange(scenario)


def test_a_long_datagram_is_cut_one_byte_past_the_bound() -> None:
    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        members[0].send(LOOPBACK, bytes(5000))
        assert await heard.get() == (bytes(101), LOOPBACK)

    exchange(scenario)


def test_an_empty_datagram_arrives() -> None:
    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        members[0].send(LOOPBACK, b"")
        assert await heard.get() == (b"", LOOPBACK)

    exchange(scenario)


def test_who_left_sends_and_hears_nothing() -> None:
    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        one, other = members
        one.close()
        one.send(LOOPBACK, b"lost")
        other.send(LOOPBACK, b"heard")
        assert await heard.get() == (b"heard", LOOPBACK)
        assert (one.places, heard.empty()) == ([], True)

    exchange(scenario)


def test_what_cannot_be_sent_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        for _ in range(3):
            members[0].send(LOOPBACK, bytes(70_000))
        members[0].send(LOOPBACK, b"after it")
        assert await heard.get() == (b"after it", LOOPBACK)

    exchange(scenario)
    (line,) = caplog.messages
    assert re.fullmatch(
        r"nothing can be sent to 239\.255\.86\.73:\d+ at 127\.0\.0\.1: Message too long", line
    )


def test_everywhere_is_each_interface() -> None:
    async def run() -> None:
        network = MulticastNetwork(asyncio.get_running_loop())
        joined = network.join(Group(GROUP.address, free_port()), "0.0.0.0", 100)
        try:
            assert LOOPBACK in joined.places
            assert set(joined.places) <= set(interface_addresses())
            assert not joined.refresh()
        finally:
            joined.close()

    asyncio.run(run())


def test_interfaces_that_come_and_go_are_joined_and_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    present = [LOOPBACK]

    async def run() -> None:
        network = MulticastNetwork(asyncio.get_running_loop(), lambda: present)
        joined = network.join(Group(GROUP.address, free_port()), "0.0.0.0", 100)
        heard: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()
        joined.receive = lambda data, source: heard.put_nowait((data, source))
        before = len(os.listdir("/proc/self/fd"))
        present[:] = ["127.0.0.2", "192.0.2.99"]
        assert [joined.refresh(), joined.refresh(), joined.places] == [True, False, ["127.0.0.2"]]
        joined.send(LOOPBACK, b"nowhere")
        joined.send("127.0.0.2", b"here")
        assert await asyncio.wait_for(heard.get(), SECONDS_MAX) == (b"here", "127.0.0.2")
        assert len(os.listdir("/proc/self/fd")) == before
        joined.close()

    asyncio.run(run())
    assert [line for line in caplog.messages if "cannot be joined at 192.0.2.99" in line] == [
        caplog.messages[0]
    ]


def test_a_machine_without_any_interface_is_refused() -> None:
    async def run() -> None:
        network = MulticastNetwork(asyncio.get_running_loop(), list)
        with pytest.raises(PeerAddressError, match=r"cannot be joined at any interface"):
            network.join(GROUP, "0.0.0.0", 100)

    asyncio.run(run())


def test_a_group_that_cannot_be_joined_leaves_no_socket_open() -> None:
    async def run() -> None:
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(PeerAddressError, match=r"cannot be joined at 192\.0\.2\.99"):
            MulticastNetwork(asyncio.get_running_loop()).join(GROUP, "192.0.2.99", 100)
        assert len(os.listdir("/proc/self/fd")) == before

    asyncio.run(run())


def test_only_a_socket_in_the_directory_of_this_user_is_his(place: Path) -> None:
    directory = make_socket_directory(socket_directory())
    (directory / "file").write_text("")

    async def scenario(members: Members, heard: asyncio.Queue[tuple[bytes, str]]) -> None:
        with socket.socket(socket.AF_UNIX) as own, socket.socket(socket.AF_UNIX) as elsewhere:
            own.bind(str(directory / "own"))
            elsewhere.bind(str(place / "own"))
            asked = [directory / "own", directory / "none", directory / "file", place / "own"]
            assert [members[0].has_socket(str(path)) for path in asked] == [True, *[False] * 3]
            directory.chmod(0o755)
            assert not members[0].has_socket(str(directory / "own"))

    exchange(scenario)


# --- IPv6 ----------------------------------------------------------------------------------


class Indoors:
    """A network whose datagrams of IPv6 do not leave this machine."""

    def join(self, group: Group, host: str, bytes_max: int) -> MulticastDatagrams:
        joined = MulticastNetwork(asyncio.get_running_loop()).join(group, host, bytes_max)
        for one in joined._sockets.values():
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 0)
        return joined


def ipv6_place() -> str:
    """An address of this machine by which IPv6 multicast works; skips where there is none."""

    async def find() -> str:
        group = Group(GROUP_IPV6.address, free_port())
        for place in interface_addresses_ipv6():
            with suppress(PeerAddressError):
                Indoors().join(group, place, 100).close()
                return place
        return ""

    return asyncio.run(find()) or pytest.skip("no interface here carries IPv6 multicast")


def test_a_datagram_of_ipv6_names_its_source() -> None:
    place = ipv6_place()

    async def run() -> None:
        group = Group(GROUP_IPV6.address, free_port())
        one, other = (Indoors().join(group, place, 100) for _ in range(2))
        heard: asyncio.Queue[tuple[bytes, str]] = asyncio.Queue()
        other.receive = lambda data, source: heard.put_nowait((data, source))
        one.send(place, b"hello")
        assert await asyncio.wait_for(heard.get(), SECONDS_MAX) == (b"hello", place)
        one.close()
        other.close()

    asyncio.run(run())


def test_a_mesh_of_ipv6_links_its_nodes(place: Path) -> None:
    host = ipv6_place()
    settings = {"datagrams": Indoors()}
    with (
        runtime.Node("one", settings=settings) as one,
        runtime.Node("two", settings=settings) as two,
    ):
        domain = f"{place.name[:40]} {os.getpid()}"
        mesh = one.call(runtime.create, "AutomaticIPCMesh", host, domain, 0.2)
        two.call(runtime.create, "AutomaticIPCMesh", host, domain, 0.2)
        wait_until(lambda: len(one.call(mesh.get_state)["linked"]) == 1)
        assert f"@[{host}]:" in one.call(mesh.get_url)


@pytest.mark.parametrize("host", ["2001:db8::99", "::ffff:127.0.0.1"])
def test_an_address_of_ipv6_that_is_not_of_this_machine_is_refused(host: str) -> None:
    async def run() -> None:
        with pytest.raises(PeerAddressError, match=r"write an address of this machine"):
            MulticastNetwork(asyncio.get_running_loop()).join(GROUP_IPV6, host, 100)

    asyncio.run(run())


def test_an_interface_without_multicast_of_ipv6_is_refused_with_the_reason() -> None:
    async def run() -> None:
        group = Group(GROUP_IPV6.address, free_port())
        try:
            MulticastNetwork(asyncio.get_running_loop()).join(group, "::1", 100).close()
        except PeerAddressError as error:
            assert re.search(r"carries no IPv6 multicast|address of this machine", str(error))

    asyncio.run(run())


def wait_until(condition: Callable[[], bool]) -> None:
    """Look at a condition until it holds, `SECONDS_MAX` at most."""
    due = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < due, "it did not come to pass"
