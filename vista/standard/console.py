"""Consoles: standard output for objects that have none, and showing it on the real one.

A `VirtualConsole` keeps pages of text and tells its subscribers what is added. A `ConsoleDisplay`
is such a subscriber: it writes to the standard output of its process.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import sys
import threading
from collections import deque
from collections.abc import Callable
from typing import TextIO

from vista.api import future, register_service, self_ref, send, wait
from vista.counted import counted
from vista.errors import BadValueError, CallError, NoSuchObject, Overloaded
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.objects import Object
from vista.standard.bounds import (
    DISPLAY_CHARACTERS_MAX,
    DISPLAY_CLOSE_SECONDS,
    PAGE_CHARACTERS_MAX,
    PAGES_MAX,
    SUBSCRIBERS_MAX,
)
from vista.standard.channel_table import channel_table
from vista.standard.notices import Target

_log = logging.getLogger(__name__)


class VirtualConsole(Object, namespace="Standard"):
    """Keeps what is written to it, page by page, and tells subscribers of every addition.

    rc line: ``console = VirtualConsole harbour``

    ``create(console_id=None, pages_max=100, page_characters_max=65536)``: a console with an id is
    the service ``VirtualConsole:ID``; without, only its Ref leads to it. It keeps ``pages_max``
    pages, the oldest goes first; a page that is full is followed by the next.

    Notification to subscribers: ``console_updated(console, page, text)``. One that was deleted, or
    is so slow that its mailbox is full, is unsubscribed and the log says so.

    Write with ``post(console, "append_text", "...")`` to wait for nothing. The original's
    VirtualConsole, in characters instead of drawing commands.
    """

    def create(
        self,
        console_id: str | None = None,
        pages_max: int = PAGES_MAX,
        page_characters_max: int = PAGE_CHARACTERS_MAX,
    ) -> None:
        """Begin with one empty page, number 1."""
        if pages_max < 1 or page_characters_max < 1:
            raise BadValueError("a console has at least 1 page of at least 1 character")
        self.console_id = console_id
        self.pages_max = pages_max
        self.page_characters_max = page_characters_max
        self.first_page = 1
        self.pages: list[list[str]] = [[]]
        self.page_characters = 0
        self.subscribers: list[Target] = []
        self.service_name = None if console_id is None else f"VirtualConsole:{console_id}"
        if self.service_name is not None:
            register_service(self.service_name, self_ref(self))

    def append_text(self, text: object) -> None:
        """Add ``text`` to the current page as it is; add ``\\n`` where a line ends.

        What is no str is added as its ``str(...)``. Text longer than a page goes on several.
        """
        whole = text if isinstance(text, str) else str(text)
        for start in range(0, len(whole), self.page_characters_max):
            self._append(whole[start : start + self.page_characters_max])

    def new_page(self) -> int:
        """Begin a page, unless the current one is empty; return the current page's number."""
        if self.page_characters:
            self.pages.append([])
            self.page_characters = 0
            surplus = len(self.pages) - self.pages_max
            if surplus > 0:
                del self.pages[:surplus]
                self.first_page += surplus
        return self._current_page()

    def get_console_info(self) -> dict[str, object]:
        """Return the console's id, service name, bounds, page numbers and number of subscribers."""
        return {
            "console_id": self.console_id,
            "service_name": self.service_name,
            "first_page": self.first_page,
            "current_page": self._current_page(),
            "pages_max": self.pages_max,
            "page_characters_max": self.page_characters_max,
            "subscribers": len(self.subscribers),
        }

    def get_page_data(self, page: int | None = None, filter_by: str | None = None) -> list[str]:
        """Return the lines of a page, the current one when left out.

        With ``filter_by`` only lines that contain that text. Raises `BadValueError` for a page that
        is not kept.
        """
        number = self._current_page() if page is None else page
        if not self.first_page <= number <= self._current_page():
            raise BadValueError(
                f"no page {number}: pages {self.first_page} to {self._current_page()} are kept"
            )
        lines = "".join(self.pages[number - self.first_page]).splitlines()
        return lines if filter_by is None else [line for line in lines if filter_by in line]

    def subscribe_to_updates(self, subscriber: Target) -> int:
        """Tell ``subscriber`` of every addition from here on. Returns 0, as the original did.

        Raises `Overloaded` when there are 1,000 already. Subscribing twice is subscribing once.
        """
        if subscriber not in self.subscribers:
            if len(self.subscribers) >= SUBSCRIBERS_MAX:
                raise Overloaded(f"a console has at most {SUBSCRIBERS_MAX} subscribers")
            self.subscribers.append(subscriber)
        return 0

    def unsubscribe_to_updates(self, subscriber: Target) -> None:
        """Tell ``subscriber`` no more."""
        if subscriber in self.subscribers:
            self.subscribers.remove(subscriber)

    def _current_page(self) -> int:
        return self.first_page + len(self.pages) - 1

    def _append(self, text: str) -> None:
        if self.page_characters + len(text) > self.page_characters_max:
            self.new_page()
        self.pages[-1].append(text)
        self.page_characters += len(text)
        me, page = self_ref(self), self._current_page()
        for subscriber in list(self.subscribers):
            try:
                call = future(subscriber, "console_updated", me, page, text)
            except CallError as error:
                self._give_up(subscriber, error)
            else:
                self._watch(subscriber, call)

    def _watch(self, subscriber: Target, call: Future) -> None:
        """Forget a subscriber that turns out to be gone; a post would not tell."""

        def note_end(ended: Future) -> None:
            error = ended.exception()
            if isinstance(error, NoSuchObject):
                self._give_up(subscriber, error)
            elif error is not None:
                _log.warning("%r could not show a console's text: %s", subscriber, error)

        call.add_done_callback(note_end)

    def _give_up(self, subscriber: Target, error: CallError) -> None:
        if subscriber in self.subscribers:
            self.subscribers.remove(subscriber)
            _log.warning("%s: %r is told no more: %s", self.console_id, subscriber, error)


class ConsoleDisplay(Object, namespace="Standard"):
    """Shows a console on the standard output of the process.

    rc line: ``ConsoleDisplay $console`` or ``ConsoleDisplay VirtualConsole:harbour``

    ``create(console, prefix="")``: ``console`` is a VirtualConsole or answers its messages;
    ``prefix`` goes before every line. What the console holds already is not shown.

    A terminal that is slow, or stopped by the person before it, stops nothing else: up to a million
    characters wait for it in a kernel thread of its own; what comes after them is left out and a
    line says how much. When the output is closed the display deletes itself.
    """

    def create(self, console: Target, prefix: str = "") -> None:
        """Begin to show."""
        self.console = console
        self.prefix = prefix
        self.at_line_start = True
        # Looked up at each write: a prompt puts one there that keeps its line intact.
        self._writer = _Writer(lambda: sys.stdout)
        self._hub = kernel().hub
        channel_table(kernel()).at_end(self._finish)
        send(console, "subscribe_to_updates", self_ref(self))

    def console_updated(self, console: object, page: int, text: str) -> None:
        """Show what was added."""
        if self.prefix:
            text = self._prefixed(text)
        if not self._writer.put(text):
            _log.warning("a ConsoleDisplay ends: its output is closed")
            send(self_ref(self), "delete_yourself")

    def delete(self) -> None:
        """Stop showing, once the terminal took what waits for it or a second has passed."""
        with contextlib.suppress(CallError):
            send(self.console, "unsubscribe_to_updates", self_ref(self))
        channel_table(kernel()).not_at_end(self._finish)
        wait(self._finish())

    def _finish(self) -> asyncio.Future[object]:
        return self._hub.run_native(contextvars.copy_context(), self._writer.finish)

    def _prefixed(self, text: str) -> str:
        shown = []
        for line in text.splitlines(keepends=True):
            shown.append(f"{self.prefix}{line}" if self.at_line_start else line)
            self.at_line_start = line.endswith("\n")
        return "".join(shown)


class _Writer:
    """A kernel thread that writes to the stream that ``find_stream()`` returns, in order.

    A daemon: a terminal that takes nothing for ever must not keep the process from ending.
    """

    def __init__(self, find_stream: Callable[[], TextIO]) -> None:
        self._find_stream = find_stream
        self._changed = threading.Condition()
        self._waiting: deque[str] = deque()
        self._characters = 0
        self._left_out = 0
        self._closing = False
        self._broken = False
        self._thread = threading.Thread(target=self._run, name="vista-display", daemon=True)
        self._thread.start()

    def put(self, text: str) -> bool:
        """Have ``text`` written; never waits. Returns whether the output is still open."""
        with self._changed:
            if self._characters + len(text) > DISPLAY_CHARACTERS_MAX:
                self._left_out += len(text)
            else:
                self._waiting.append(text)
                self._characters += len(text)
            self._changed.notify()
            return not self._broken

    def finish(self) -> None:
        """Block until everything is written, `DISPLAY_CLOSE_SECONDS` at most, and write no more."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(DISPLAY_CLOSE_SECONDS)

    def _run(self) -> None:
        while (text := self._next()) is not None:
            try:
                stream = self._find_stream()
                stream.write(text)
                stream.flush()
            except (OSError, ValueError):
                # The pipe's reader went away, or the stream was closed.
                self._broken = True
                return

    def _next(self) -> str | None:
        """Wait for text and take all of it; None when there will be none."""
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            if not self._waiting:
                return None
            text = "".join(self._waiting)
            if self._left_out:
                text += f"\n... {counted(self._left_out, 'character')} not shown ...\n"
            self._waiting.clear()
            self._characters = self._left_out = 0
            return text
