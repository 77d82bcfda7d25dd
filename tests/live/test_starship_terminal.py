"""The terminal client as a process on a pseudo-terminal, against the real site of a real game."""

from __future__ import annotations

import io
import os
import re
import signal
import termios
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pexpect
import pytest

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.web.setup import StarshipHTTPsetup
from tests.http.objects.served import Site, wait_until
from tests.live.process import COMMAND, ROOT, SECONDS_MAX, own_directories
from tests.starship.terminal.emulator import Emulator
from tests.starship.web.played import Game, played


class Terminal:
    """A terminal with a program in it, and somebody who types."""

    def __init__(
        self, words: list[str], home: Path, columns: int = 80, rows: int = 24, **more: str
    ) -> None:
        environment = {
            **os.environ, "TERM": "xterm", "NO_COLOR": "1", "XDG_DATA_HOME": str(home),
            "PYTHONPATH": str(ROOT), **more,
        }  # fmt: skip
        self.screen = Emulator(columns, rows)
        self.raw = ""
        self.process = pexpect.spawn(
            words[0], words[1:], env=environment, encoding="ascii", codec_errors="strict",
            timeout=SECONDS_MAX, dimensions=(rows, columns),
        )  # fmt: skip
        self.process.delaybeforesend = None
        self.before = termios.tcgetattr(self.process.child_fd)

    def type(self, text: str) -> None:
        self.process.send(text)

    def until(self, holds: Callable[[Emulator], bool]) -> Emulator:
        """Wait until what stands on the screen is as wanted."""
        end = time.monotonic() + SECONDS_MAX
        while not holds(self.screen):
            assert time.monotonic() < end, self.screen.text
            self._read()
        return self.screen

    def until_says(self, text: str) -> Emulator:
        return self.until(lambda screen: text in screen.text)

    def _read(self) -> None:
        try:
            piece = self.process.read_nonblocking(65536, 0.5)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            raise AssertionError(f"the program ended: {self.raw[-500:]!r}") from None
        self.raw += piece
        self.screen.feed(piece)

    def exit_code(self) -> int:
        """Wait for the end; return the exit code."""
        self.process.expect(pexpect.EOF)
        rest = self.process.before or ""
        self.raw += rest
        self.screen.feed(rest)
        self.process.close()
        assert self.process.exitstatus is not None
        return int(self.process.exitstatus)


@pytest.fixture(scope="module")
def game() -> Iterator[Game]:
    with played() as made:
        yield made


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Makes terminals whose programs end with the test."""
    opened: list[Terminal] = []

    def start(*words: str, **more: object) -> Terminal:
        made = Terminal([*COMMAND, "starship", *words], tmp_path, **more)  # type: ignore[arg-type]
        opened.append(made)
        return made

    yield start
    for terminal in opened:
        terminal.process.close(force=True)


def url(game: Game) -> str:
    return f"http://127.0.0.1:{game.site.place[1]}"


def test_a_stranger_makes_a_ship_commands_it_and_comes_back(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game))
    terminal.until_says("create [NAME] [RACE]")
    terminal.type("create Bounty F\r")
    terminal.until_says("Bounty makes ready")
    game.step()
    terminal.until_says("You are in command of Federation Starship Bounty.")
    terminal.type("sp 3\r")
    terminal.until_says("speed 3: ordered.")
    assert "orders left: 2" in terminal.screen.lines[0]
    game.step()
    terminal.until_says("orders left: 3")
    terminal.until_says("want: 000.0 3.0")
    terminal.type("quit\r")
    assert terminal.exit_code() == 0
    assert "Bounty waits for you" in terminal.raw
    again = open_terminal(url(game))
    assert "orders left: 3" in again.until_says("Federation Starship Bounty").lines[0]


def test_a_pass_phrase_is_never_on_the_screen(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game))
    terminal.until_says("create [NAME] [RACE]")
    terminal.type("create Secretive F open sesame")
    terminal.until_says("> create Secretive F ***********")
    terminal.type("\r")
    terminal.until_says("makes ready")
    terminal.type("\x1b[A")
    terminal.until_says("> create Secretive F")
    terminal.type("\x15quit\r")
    assert terminal.exit_code() == 0
    assert "sesame" not in terminal.raw


def test_hints_lead_a_stranger_through_the_first_mission(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game))
    terminal.until_says("create [NAME] [RACE]")
    terminal.type("create Novice F\r")
    terminal.until_says("makes ready")
    game.step()
    terminal.until_says("orders left: 3")
    typed: set[str] = set()
    for _ in range(150):
        said = " ".join(line.strip() for line in terminal.screen.lines)
        if "Well done: that was your first mission." in said:
            break
        for order in sorted(set(re.findall(r"\(((?:dest|speed|shields) [^)]*)\)", said)) - typed):
            typed.add(order)
            terminal.type(f"{order}\r")
            terminal.until_says(f"{order}: ordered.")
        step = game.step()
        terminal.until(lambda screen, step=step: f"step {step} " in screen.lines[0])
    assert "Mission complete" in terminal.screen.text


def test_a_step_does_not_disturb_what_is_typed(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game), "--ship", "Gath")
    terminal.until_says("Kolvar Starship Gath")
    terminal.type("fire t2\x1b[D\x1b[D")
    terminal.until(lambda screen: screen.lines[-1] == " > fire t2" and screen.x == 8)
    step = game.step()
    screen = terminal.until_says(f"step {step}")
    terminal.until(lambda screen: (screen.x, screen.y) == (8, 23))
    assert screen.lines[-1] == " > fire t2"


def test_a_terminal_of_another_size_is_drawn_anew(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game), "--ship", "Gath")
    terminal.until_says("Kolvar Starship Gath")
    terminal.until(lambda screen: screen.lines[-1] == " >")
    for columns, rows in ((120, 40), (100, 40), (50, 12), (20, 5)):
        terminal.screen.resize(columns, rows)
        terminal.process.setwinsize(rows, columns)
        screen = terminal.until(lambda screen: screen.lines[-1] == " >")
        assert screen.lines[0].startswith(" Kolvar Starship Ga")


@pytest.mark.parametrize("keys", ["half\x03\x03", "\x04"], ids=["c", "d"])
def test_who_leaves_has_the_terminal_as_it_was(
    keys: str, game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game), "--ship", "Gath")
    terminal.until_says("Kolvar Starship Gath")
    assert terminal.screen.alternate
    assert termios.tcgetattr(terminal.process.child_fd) != terminal.before
    keeping = os.dup(terminal.process.child_fd)
    terminal.type(keys)
    assert terminal.exit_code() == 0
    assert not terminal.screen.alternate
    assert termios.tcgetattr(keeping) == terminal.before
    os.close(keeping)


def test_who_is_ended_gives_the_terminal_back(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game), "--ship", "Gath")
    terminal.until_says("Kolvar Starship Gath")
    terminal.process.kill(signal.SIGTERM)
    assert terminal.exit_code() == 0
    assert not terminal.screen.alternate


def test_control_z_leads_to_the_shell_and_fg_back(game: Game, tmp_path: Path) -> None:
    terminal = Terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path, PS1="shell> ")
    terminal.process.logfile_read = shown = io.StringIO()
    try:
        words = " ".join(f"'{word}'" for word in (*COMMAND, "starship", url(game)))
        terminal.process.expect_exact("shell> ")
        terminal.process.sendline(f"{words} --ship Gath")
        terminal.process.expect_exact("\x1b[?1049h")
        terminal.process.expect_exact("Kolvar Starship Gath")
        terminal.type("\x1a")
        terminal.process.expect_exact("\x1b[?1049l")
        terminal.process.expect_exact("Stopped")
        terminal.process.expect_exact("shell> ")
        terminal.process.sendline("fg")
        terminal.process.expect_exact("\x1b[?1049h")
        terminal.process.expect_exact("Kolvar Starship Gath")
        terminal.type("\x04")
        terminal.process.expect_exact("\x1b[?1049l")
    finally:
        terminal.process.close(force=True)
    found = [word for word, _ in groupby(re.findall(r"1049[hl]|Stopped", shown.getvalue()))]
    assert found == ["1049h", "1049l", "Stopped", "1049h", "1049l"]


def test_a_terminal_has_colours(game: Game, open_terminal: Callable[..., Terminal]) -> None:
    terminal = open_terminal(url(game), "--ship", "Gath", NO_COLOR="")
    terminal.until_says("Kolvar Starship Gath")
    terminal.until(lambda screen: screen.lines[-1] == " >")
    assert terminal.screen.coloured


def test_a_dumb_terminal_is_talked_to_in_lines(
    game: Game, open_terminal: Callable[..., Terminal]
) -> None:
    terminal = open_terminal(url(game), "--ship", "Gath", TERM="dumb")
    terminal.process.expect_exact("Kolvar Starship Gath")
    terminal.process.sendline("warp 9")
    terminal.process.expect_exact("There is no command warp; help lists all.")
    terminal.process.sendline("status")
    terminal.process.expect_exact("upgrades")
    assert "\x1b" not in (terminal.process.before or "")
    terminal.process.sendline("quit")
    assert terminal.exit_code() == 0


def test_a_server_that_goes_away_is_told_and_found_again(
    open_terminal: Callable[..., Terminal],
) -> None:
    with played() as game:
        port = game.site.place[1]
        terminal = open_terminal(url(game), "--ship", "Gath")
        terminal.until_says("Kolvar Starship Gath")
        step = game.step()
        terminal.until_says(f"step {step}")  # told by the stream, which ends with the server
    terminal.until_says("No answer from the server")
    terminal.type("help\r")  # the keyboard never waits
    terminal.until_says("commands may be shortened")
    with vista.Node("again"):
        vista.create(HTTPdaemon, "-", f"tcp:127.0.0.1:{port}", "localhost")
        vista.create(StarshipHTTPsetup, "localhost")
        vista.create(StarshipPrimary, 0, 42)
        terminal.until(lambda screen: "No answer" not in screen.text)
        terminal.type("quit\r")
        assert terminal.exit_code() == 0


def test_a_ship_is_made_and_printed_once_it_is_there(
    open_terminal: Callable[..., Terminal],
) -> None:
    with vista.Node("game") as node:
        daemon = vista.create(HTTPdaemon, "-", "tcp:127.0.0.1:0", "localhost")
        vista.create(StarshipHTTPsetup, "localhost")
        vista.create(StarshipPrimary, 1, 42)
        site = Site(node, daemon, "localhost")
        wait_until(lambda: site.get("/starshipLogin.html").status == 200)
        address = f"localhost:{site.place[1]}"
        terminal = open_terminal(address, "--create", "Bounty", "F", "--once")
        assert terminal.exit_code() == 0
    assert "Federation Starship Bounty" in terminal.raw
    assert "orders left: 3" in terminal.raw


def test_an_rc_file_plays_on_the_terminal_and_stops_its_node(game: Game, tmp_path: Path) -> None:
    words = [*COMMAND, "--log-level", "error", str(ROOT / "rc" / "starship-tty.rc"), url(game)]
    with own_directories():
        terminal = Terminal(words, tmp_path)
        try:
            terminal.until_says("create [NAME] [RACE]")
            terminal.type("quit\r")
            assert terminal.exit_code() == 0
        finally:
            terminal.process.close(force=True)
    assert not terminal.screen.alternate


def test_an_rc_file_gives_the_terminal_back_when_its_node_is_stopped(
    game: Game, tmp_path: Path
) -> None:
    words = [*COMMAND, "--log-level", "error", str(ROOT / "rc" / "starship-tty.rc"), url(game)]
    with own_directories():
        terminal = Terminal(words, tmp_path)
        try:
            terminal.until_says("create [NAME] [RACE]")
            terminal.process.kill(signal.SIGTERM)
            assert terminal.exit_code() == 0
        finally:
            terminal.process.close(force=True)
    assert "\x1b[?1049l" in terminal.raw
