"""VirtualConsole and ConsoleDisplay."""

from __future__ import annotations

import contextlib
import io
import os
import threading
from collections.abc import Iterator

import pytest

import vista
from vista.errors import BadValueError, ServiceTaken


@pytest.fixture(autouse=True)
def _running(node: vista.Node) -> None:
    """Every test has a node."""


def test_text_is_kept_line_by_line() -> None:
    console = vista.create("VirtualConsole")
    console.append_text("high water at ")
    console.append_text("six\nlow water at noon\n")
    assert console.get_page_data() == ["high water at six", "low water at noon"]


def test_what_is_no_text_is_kept_as_its_text() -> None:
    console = vista.create("VirtualConsole")
    console.append_text(["a", 1])
    assert console.get_page_data() == ["['a', 1]"]


def test_a_new_page_begins_empty_and_the_old_one_stays() -> None:
    console = vista.create("VirtualConsole")
    console.append_text("first\n")
    assert console.new_page() == 2
    console.append_text("second\n")
    assert (console.get_page_data(1), console.get_page_data()) == (["first"], ["second"])


def test_repeated_requests_for_a_new_page_are_ignored() -> None:
    console = vista.create("VirtualConsole")
    assert [console.new_page(), console.new_page()] == [1, 1]
    console.append_text("x")
    assert [console.new_page(), console.new_page()] == [2, 2]


def test_only_the_last_pages_are_kept() -> None:
    console = vista.create("VirtualConsole", None, 2)
    for number in range(1, 4):
        console.append_text(f"page {number}\n")
        console.new_page()
    assert console.get_page_data(3) == ["page 3"]
    with pytest.raises(BadValueError) as caught:
        console.get_page_data(2)
    assert str(caught.value) == "no page 2: pages 3 to 4 are kept"


def test_a_full_page_is_followed_by_the_next() -> None:
    console = vista.create("VirtualConsole", None, 10, 8)
    console.append_text("12345")
    console.append_text("6789")
    console.append_text("0123456789abcdefgh")
    pages = [console.get_page_data(page) for page in range(1, 6)]
    assert pages == [["12345"], ["6789"], ["01234567"], ["89abcdef"], ["gh"]]


def test_a_filter_picks_lines() -> None:
    console = vista.create("VirtualConsole")
    console.append_text("tide in\nboat\ntide out\n")
    assert console.get_page_data(filter_by="tide") == ["tide in", "tide out"]


def test_a_console_with_an_id_is_a_service() -> None:
    console = vista.create("VirtualConsole", "harbour")
    vista.send("VirtualConsole:harbour", "append_text", "x")
    assert console.get_page_data() == ["x"]
    with pytest.raises(ServiceTaken):
        vista.create("VirtualConsole", "harbour")


def test_a_console_tells_what_it_is() -> None:
    console = vista.create("VirtualConsole", "harbour")
    assert console.get_console_info() == {
        "console_id": "harbour",
        "service_name": "VirtualConsole:harbour",
        "first_page": 1,
        "current_page": 1,
        "pages_max": 100,
        "page_characters_max": 65_536,
        "subscribers": 0,
    }


def test_a_console_without_pages_is_refused() -> None:
    with pytest.raises(BadValueError, match="at least 1 page"):
        vista.create("VirtualConsole", None, 0)


def test_subscribers_are_told_of_every_addition(listener: vista.Ref) -> None:
    console = vista.create("VirtualConsole")
    assert console.subscribe_to_updates(listener) == 0
    assert console.subscribe_to_updates(listener) == 0
    console.append_text("one")
    console.new_page()
    console.append_text("two")
    assert listener.hear("console_updated") == [console, 1, "one"]
    assert listener.hear("console_updated") == [console, 2, "two"]
    assert listener.names() == []


def test_who_unsubscribed_is_told_no_more(listener: vista.Ref) -> None:
    console = vista.create("VirtualConsole")
    console.subscribe_to_updates(listener)
    console.unsubscribe_to_updates(listener)
    console.append_text("one")
    assert listener.names() == []


def test_a_subscriber_that_was_deleted_is_forgotten(listener: vista.Ref) -> None:
    console = vista.create("VirtualConsole")
    console.subscribe_to_updates(listener)
    listener.delete_yourself()
    console.append_text("one")
    assert console.get_console_info()["subscribers"] == 0


# --- display ------------------------------------------------------------------------------------


class Screen:
    """A pipe in the place of a terminal."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        self.stream = os.fdopen(writing, "w", encoding="utf-8")
        self.redirected = contextlib.ExitStack()

    def display(self, *arguments: object) -> vista.Ref:
        """Create a ConsoleDisplay; this is the standard output from here to the end of the test."""
        self.redirected.enter_context(contextlib.redirect_stdout(self.stream))
        return vista.create("ConsoleDisplay", *arguments)

    def read(self, count: int) -> bytes:
        """Read exactly ``count`` bytes."""
        data = b""
        while len(data) < count:
            piece = os.read(self.reading, count - len(data))
            assert piece
            data += piece
        return data


@pytest.fixture
def screen() -> Iterator[Screen]:
    """A screen; its reader goes away at the end, so that no display can block."""
    made = Screen()
    with made.redirected:
        yield made
    os.close(made.reading)
    with contextlib.suppress(BrokenPipeError):
        made.stream.close()


def test_a_display_writes_to_what_is_the_standard_output_when_it_writes(screen: Screen) -> None:
    console = vista.create("VirtualConsole")
    display = screen.display(console)
    other = io.StringIO()
    with contextlib.redirect_stdout(other):
        console.append_text("to the other\n")
        display.delete_yourself()
    assert other.getvalue() == "to the other\n"


def test_a_display_shows_what_is_added(screen: Screen) -> None:
    console = vista.create("VirtualConsole")
    console.append_text("before\n")
    display = screen.display(console)
    console.append_text("high water\n")
    assert screen.read(11) == b"high water\n"
    display.delete_yourself()


def test_a_prefix_goes_before_every_line(screen: Screen) -> None:
    console = vista.create("VirtualConsole", "harbour")
    display = screen.display("VirtualConsole:harbour", "> ")
    console.append_text("a")
    console.append_text("b\nc\n")
    assert screen.read(9) == b"> ab\n> c\n"
    display.delete_yourself()


def test_a_display_that_is_deleted_shows_the_last_lines_first(screen: Screen) -> None:
    console = vista.create("VirtualConsole")
    display = screen.display(console)
    for number in range(100):
        console.append_text(f"{number}\n")
    display.delete_yourself()
    assert screen.read(290) == "".join(f"{number}\n" for number in range(100)).encode()
    assert console.get_console_info()["subscribers"] == 0


def test_a_node_that_stops_shows_the_last_lines_first(screen: Screen) -> None:
    def show() -> None:
        console = vista.create("VirtualConsole")
        screen.display(console)
        console.append_text("good night\n")

    with vista.Node("other") as other:
        other.call(show)
    assert screen.read(11) == b"good night\n"
    assert "vista-display" not in [thread.name for thread in threading.enumerate()]


def test_a_terminal_that_takes_nothing_stops_nothing_and_is_told_what_it_missed(
    screen: Screen,
) -> None:
    console = vista.create("VirtualConsole")
    display = screen.display(console)
    # Twice what may wait, and more: the display may take as much before it begins to write.
    for _ in range(60):
        console.append_text("x" * 65_535 + "\n")
    assert console.get_page_data() == ["x" * 65_535]
    shown = b""
    while b"characters not shown ...\n" not in shown:
        shown = shown[-100:] + os.read(screen.reading, 65_536)
    display.delete_yourself()


def test_a_display_whose_output_is_closed_deletes_itself(screen: Screen) -> None:
    console = vista.create("VirtualConsole")
    with open("/dev/full", "w", encoding="utf-8") as full:
        screen.stream, pipe = full, screen.stream
        display = screen.display(console)
        with vista.timeout(10), pytest.raises(vista.NoSuchObject):
            while True:
                console.append_text("x\n")
                display.class_of()
        screen.stream = pipe
        with contextlib.suppress(OSError):
            full.close()
