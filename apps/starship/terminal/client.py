"""The client at work: a terminal, a session and a server, until the player leaves."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from apps.starship.terminal.drawing import Sight, draw
from apps.starship.terminal.editor import Editor, Entered
from apps.starship.terminal.keeping import Kept, write_kept
from apps.starship.terminal.lines import Line, line, printable, text_of
from apps.starship.terminal.network import Network, News, Silent, Step
from apps.starship.terminal.screen_control import Screen, size_of
from apps.starship.terminal.session import Effect, Fetch, Keep, Post, Quit, Session
from apps.starship.terminal.site import Answered, Coming, Fetched, Lost, Missing, Result, Site
from apps.starship.terminal.words import secret_start

RETRY_SECONDS = 2.0
"""How often a server that does not answer is asked again."""
LATE_SECONDS = 0.5
"""How long after the expected end of a step it is asked for where no stream tells of it."""
LOOK_SECONDS_MAX = 30.0
"""How often a state is asked for at least, stream or not."""
SIGNALS = (signal.SIGWINCH, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCONT)


def tell(session: Session, result: Result) -> list[Effect]:
    """Tell a session what came of something it asked for."""
    if isinstance(result, Fetched):
        return session.screen_received(result.screen)
    if isinstance(result, Missing):
        return session.ship_missing(result.ship)
    if isinstance(result, Coming):
        return []
    if isinstance(result, Answered):
        return session.answered(result.post, result.answer)
    return session.link_lost(result.why)


def safely_drawn(screen: dict[str, Any] | None, sight: Sight, size: tuple[int, int]) -> list[Line]:
    """Return the lines of a screen, and a word instead of one that another version made."""
    try:
        return draw(screen, sight, *size)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        words = f" The server's game is of another version than this client ({error!r})."
        return [line(words), *[line()] * (size[1] - 2), line(f" > {sight.typed}")]


class Memory:
    """Writes down what is to be remembered of a site, whenever it changes."""

    def __init__(self, file: Path, site: Site, ship: str) -> None:
        self._file, self._site = file, site
        self._written = Kept(dict(site.cookies), ship)
        self.trouble = ""

    def keep(self, ship: str | None = None) -> None:
        """Remember the cookies, and the ship if one is given."""
        wanted = Kept(dict(self._site.cookies), self._written.ship if ship is None else ship)
        if wanted == self._written:
            return
        self._written = wanted
        try:
            write_kept(self._file, wanted)
        except OSError as error:
            self.trouble = f"{self._file}: {error.strerror}: you will not come back to your ship"


class Client:
    """Plays on a terminal: `run` returns when the player leaves."""

    def __init__(self, session: Session, site: Site, screen: Screen, memory: Memory) -> None:
        self._session, self._site, self._screen, self._memory = session, site, screen, memory
        self._editor = Editor(session.completions, secret_start)
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        self._network = Network(site, self._woken)
        self._due = 0.0
        self._streams = False
        self._ended = False
        self._size = (0, 0)
        self._signals: list[int] = []

    def run(self) -> None:
        """Play until the player leaves or the terminal is gone."""
        with self._catching(), self._screen:
            self._network.start()
            try:
                while not self._ended:
                    self._draw()
                    self._wait()
            except BrokenPipeError:
                pass  # the terminal is gone
            except OSError as error:
                if error.errno not in _GONE:
                    raise
            finally:
                self._network.close()
        os.close(self._wake)
        os.close(self._woken)

    @contextlib.contextmanager
    def _catching(self) -> Iterator[None]:
        """Have signals wake the loop instead of ending the process; they are seen to in it."""
        before = {number: signal.signal(number, self._note_signal) for number in SIGNALS}
        woken = signal.set_wakeup_fd(self._woken, warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(woken)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note_signal(self, number: int, _frame: FrameType | None) -> None:
        self._signals.append(number)

    def _draw(self) -> None:
        size = self._screen.size()
        if size != self._size:
            self._size = size
            self._screen.forget()
        sight = self._session.sight(self._editor.shown)
        lines = safely_drawn(self._session.screen, sight, size)
        back = len(self._editor.text) - self._editor.cursor
        cursor = sum(len(span.text) for span in lines[-1]) - back
        self._screen.draw(lines, max(0, min(cursor, size[0] - 1)))

    def _wait(self) -> None:
        """Wait for a key, for news or until a state is due, and see to what came."""
        timeout = max(0.0, self._due - time.monotonic())
        ready, _, _ = select.select([self._screen.keys, self._wake], [], [], timeout)
        if self._wake in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(self._wake, 4_096)
        for number in self._take_signals():
            self._signalled(number)
        if self._screen.keys in ready:
            self._typed(self._screen.read())
        for news in self._network.news():
            self._heard(news)
        if time.monotonic() >= self._due:
            self._look()

    def _take_signals(self) -> list[int]:
        found = self._signals[:]
        del self._signals[: len(found)]
        return found

    def _signalled(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGHUP):
            self._ended = True
        elif number == signal.SIGINT:
            self._key("interrupt")
        elif number == signal.SIGCONT:
            self._screen.resume()

    def _typed(self, data: bytes) -> None:
        if not data:
            self._ended = True
        for found in self._editor.receive(data):
            if isinstance(found, Entered):
                self._do(self._session.entered(found.text))
            else:
                self._key(found.name)

    def _key(self, name: str) -> None:
        if name == "redraw":
            self._screen.forget()
        elif name == "suspend":
            self._suspend()
        elif name == "end" or not self._editor.text:
            self._ended = True
        else:
            self._editor.clear()

    def _suspend(self) -> None:
        """Give the terminal back to the shell; its ``fg`` goes on here."""
        self._screen.release()
        # The whole group, as the terminal itself does it: a program that started this one too.
        os.killpg(0, signal.SIGTSTP)
        self._screen.resume()

    def _heard(self, news: News) -> None:
        if isinstance(news, Step):
            self._streams = True
            if not self._session.interval and news.number != self._session.step:
                self._look()
        elif isinstance(news, Silent):
            if self._streams:
                # The server may be gone: whoever plays is told at once, and not with the next step.
                self._streams = False
                self._look()
        else:
            self._plan(news)
            self._do(tell(self._session, news))
            self._memory.keep()

    def _plan(self, news: Result) -> None:
        """Work out when the next state is due."""
        now = time.monotonic()
        if isinstance(news, Lost):
            self._due = now + RETRY_SECONDS
        elif isinstance(news, Coming):
            self._due = now + min(LOOK_SECONDS_MAX, max(0.0, news.next_in)) + LATE_SECONDS
        elif isinstance(news, Fetched):
            self._due = now + seconds_to_next(news.screen, self._session.interval, self._streams)

    def _look(self) -> None:
        self._due = time.monotonic() + LOOK_SECONDS_MAX
        self._do(self._session.fetch())

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Fetch | Post):
                if not self._network.ask(effect):
                    self._session.link_lost("too many orders wait")
            elif isinstance(effect, Keep):
                self._memory.keep(effect.ship)
            elif isinstance(effect, Quit):
                self._ended = True


_GONE = frozenset({5, 6})
"""EIO and ENXIO: the other end of a terminal was closed."""


def seconds_to_next(screen: dict[str, Any], interval: int, streams: bool) -> float:
    """Return after how many seconds the next state is to be asked for.

    >>> seconds_to_next({"next_in": 2.0}, 0, False), seconds_to_next({"next_in": 2.0}, 10, True)
    (2.5, 10.0)
    """
    if interval:
        return float(interval)
    if streams:
        return LOOK_SECONDS_MAX
    next_in = screen.get("next_in")
    if isinstance(next_in, int | float) and 0 <= next_in < LOOK_SECONDS_MAX:
        return float(next_in) + LATE_SECONDS
    return RETRY_SECONDS


class PlainClient:
    """Plays where nothing can be drawn upon: dumb terminals, pipes, screen readers.

    Lines in, text out; ``say`` prints. Everything that was refused makes the exit code 1.
    """

    def __init__(
        self, session: Session, site: Site, memory: Memory, say: Callable[[str], None]
    ) -> None:
        self._session, self._site, self._memory, self._say = session, site, memory, say
        self.refused = False
        self._ended = False
        self._told = -1

    def run(self, keys: int) -> None:
        """Read lines from a file descriptor until it ends or the player leaves."""
        self.do(self._session.fetch())
        self.show()
        rest, due = b"", time.monotonic() + self._wait_seconds()
        while not self._ended:
            timeout = max(0.0, due - time.monotonic())
            if not select.select([keys], [], [], timeout)[0]:
                self.do(self._session.fetch())
                self._tell_news()
                due = time.monotonic() + self._wait_seconds()
                continue
            data = os.read(keys, 4_096)
            rows = (rest + data).split(b"\n")
            rest = rows.pop()[-1_000:] if data else b""
            for row in rows:
                self.enter(row.decode("ascii", "replace"))
            if not data:
                self._ended = True

    def _wait_seconds(self) -> float:
        screen = self._session.screen
        if screen is None:
            return RETRY_SECONDS
        return max(0.1, seconds_to_next(screen, self._session.interval, False))

    def enter(self, text: str) -> None:
        """Take a line that was typed, and say what came of it."""
        if self._ended:
            return
        orders = [e for e in self._session.entered(text) if self._carry_out(e)]
        sight = self._session.sight("")
        self.refused = self.refused or self._session.refused_last
        if sight.notice and (self._session.refused_last or orders):
            self._say(printable(sight.notice))
        elif not self._ended:
            self.show()

    def _carry_out(self, effect: Effect) -> bool:
        """Carry an effect out; return whether it was something that was sent."""
        self.do([effect])
        return isinstance(effect, Post)

    def do(self, effects: list[Effect]) -> None:
        """Carry effects out, one after the other, with what follows from them."""
        waiting = list(effects)
        while waiting:
            effect = waiting.pop(0)
            if isinstance(effect, Fetch | Post):
                waiting += tell(self._session, self._site.ask(effect))
                self._memory.keep()
            elif isinstance(effect, Keep):
                self._memory.keep(effect.ship)
            elif isinstance(effect, Quit):
                self._ended = True

    def show(self) -> None:
        """Print the screen without the line that is typed in."""
        rows = safely_drawn(self._session.screen, self._session.sight(""), _plain_size())
        texts = [text_of(row).rstrip() for row in rows[:-1]]
        while texts and not texts[-1]:
            texts.pop()
        self._say("\n".join(texts))
        self._told = self._session.step

    def _tell_news(self) -> None:
        """Print the messages of steps that were not told yet."""
        screen, sight = self._session.screen, self._session.sight("")
        if sight.banner:
            self._say(printable(sight.banner))
        if screen is None:
            return
        fresh = [row for row in screen["messages"] if row["step"] > self._told]
        for row in reversed(fresh):
            self._say(printable(f"{row['step']} {row['text']}"))
        self._told = max(self._told, self._session.step)


def _plain_size() -> tuple[int, int]:
    return size_of(sys.stdout.fileno()) if sys.stdout.isatty() else size_of(-1)
