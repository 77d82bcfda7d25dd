"""Which peer is asked when none is named."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from vista.errors import KeyFileError, PeerAddressError
from vista.shell.joining import NAMED_MAX, chosen_url, living_sockets, silence


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory of sockets that is the user's own."""
    made = tmp_path / "sockets"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes the sockets of a test."""
    with ExitStack() as stack:
        yield stack


def listening(stack: ExitStack, path: Path) -> socket.socket:
    """A socket somebody listens at."""
    made = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
    made.bind(str(path))
    made.listen(0)
    return made


def test_the_peer_that_is_named_is_asked(directory: Path) -> None:
    assert chosen_url("ipc:hub", directory) == "ipc:hub"


def test_the_only_node_that_listens_is_asked_and_named(
    directory: Path, stack: ExitStack, capsys: pytest.CaptureFixture[str]
) -> None:
    listening(stack, directory / "hub")
    assert chosen_url(None, directory) == "ipc:hub"
    assert capsys.readouterr() == ("", "vista: asking the node at ipc:hub\n")


def test_a_socket_of_a_dead_process_and_a_file_count_for_nothing(
    directory: Path, stack: ExitStack
) -> None:
    listening(stack, directory / "dead").close()
    (directory / "file").touch()
    listening(stack, directory / "hub")
    assert living_sockets(directory) == ["hub"]


def test_a_node_whose_door_is_crowded_counts(directory: Path, stack: ExitStack) -> None:
    listening(stack, directory / "hub")
    for _ in range(2):
        knocking = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        knocking.setblocking(False)
        knocking.connect_ex(str(directory / "hub"))
    assert living_sockets(directory) == ["hub"]


def test_no_node_at_all_is_told_with_what_to_do(directory: Path) -> None:
    with pytest.raises(PeerAddressError, match=r"^no node listens in .*--connect URL$"):
        chosen_url(None, directory)
    with pytest.raises(PeerAddressError, match=r"^no node listens in .*/missing;"):
        chosen_url(None, directory / "missing")


def test_several_nodes_are_named(directory: Path, stack: ExitStack) -> None:
    for name in ("hub", "anchor"):
        listening(stack, directory / name)
    wanted = r"^2 nodes listen in .*: ipc:anchor, ipc:hub; name one: --connect ipc:anchor$"
    with pytest.raises(PeerAddressError, match=wanted):
        chosen_url(None, directory)


def test_of_very_many_nodes_some_are_named(directory: Path, stack: ExitStack) -> None:
    for number in range(NAMED_MAX + 3):
        listening(stack, directory / f"node-{number:02}")
    with pytest.raises(PeerAddressError, match=r"ipc:node-09 and 3 more; name one:"):
        chosen_url(None, directory)


def test_a_directory_that_others_can_enter_is_refused(directory: Path) -> None:
    directory.chmod(0o755)
    with pytest.raises(KeyFileError, match=r"chmod 700 "):
        chosen_url(None, directory)


def test_why_a_socket_is_silent_is_told(directory: Path, stack: ExitStack) -> None:
    listening(stack, directory / "hub")
    assert silence(f"ipc:{directory}/hub") == ""
    assert silence(f"ipc:{directory}/nobody") == ": nobody listens at this socket"


def test_a_trouble_that_is_known_is_not_followed_by_questions() -> None:
    url = f"tcp://{'a' * 52}@harbour:4500"
    assert (
        silence(url) == ": are host, port and key right, and does the peer let this user's key in?"
    )
    assert silence(url, "the peer does not know this node's key") == ""
