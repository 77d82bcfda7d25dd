"""Links over IPv6, on loopback."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import vista
from tests.live.process import SECONDS_MAX, own_directories


def _has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


pytestmark = pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6 on loopback")


@pytest.fixture(autouse=True)
def directories() -> Iterator[Path]:
    with own_directories() as directory:
        yield directory


def link(listener: str, host: str) -> int:
    """Have a node listen, another one connect to it by a host, and return how many it reaches."""
    with vista.Node("far") as far, vista.Node("near") as near:
        url = far.call(lambda: vista.create("AcceptPeerConnections", listener).get_url())
        key, _, address = url.partition("@")
        port = address.rpartition(":")[2]
        made = near.call(vista.create, "ConnectToPeer", f"{key}@{host}:{port}")
        near.call(lambda: made.wait(SECONDS_MAX))
        echoed = near.call(lambda: vista.peers()[0].get_name())
        assert echoed == "far"
        return int(near.call(lambda: len(vista.peers())))


def test_a_link_to_an_ipv6_address() -> None:
    assert link("tcp://[::1]:0", "[::1]") == 1


def test_the_url_of_a_node_that_listens_there_has_the_address_in_brackets() -> None:
    with vista.Node("far") as far:
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:[::1]:0").get_url())
        assert "@[::1]:" in url


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_who_listens_on_every_interface_is_reached_over_both(host: str) -> None:
    assert link("tcp:0", host) == 1


def test_a_peer_over_ipv4_is_called_by_its_ipv4_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "vista.peering")
    link("tcp:0", "127.0.0.1")
    (words,) = {text for text in caplog.messages if text.startswith("linked with near")}
    assert " at 127.0.0.1 over tcp://*:" in words
