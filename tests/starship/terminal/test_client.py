"""The client without a terminal, against the real site of a real game."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.terminal.address import read_address
from apps.starship.terminal.client import Memory, PlainClient, safely_drawn, seconds_to_next
from apps.starship.terminal.command import has_colour, main
from apps.starship.terminal.drawing import VIEWS, Sight
from apps.starship.terminal.keeping import data_folder, file_of, read_kept
from apps.starship.terminal.lines import text_of
from apps.starship.terminal.session import Post, Session
from apps.starship.terminal.site import Site, is_screen
from tests.starship.terminal.example import example
from tests.starship.web.played import Game, played


@pytest.fixture(scope="module")
def game() -> Iterator[Game]:
    """A game whose steps are made by hand, with its site."""
    with played() as made:
        yield made


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder that nobody else has."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))


def url(game: Game) -> str:
    return f"http://127.0.0.1:{game.site.place[1]}"


class Player:
    """Somebody at a terminal that cannot be drawn upon; `said` is what was printed last."""

    def __init__(self, game: Game, ship: str = "", own: bool = False) -> None:
        address = read_address(url(game))
        self.file = file_of(data_folder(os.environ), address)
        self.site = Site(address, read_kept(self.file).cookies)
        self.session = Session(ship, own, key="k")
        self.said = ""
        memory = Memory(self.file, self.site, "")
        self.client = PlainClient(self.session, self.site, memory, self._hear)

    def _hear(self, text: str) -> None:
        self.said = text

    def type(self, text: str) -> str:
        self.said = ""
        self.client.enter(text)
        return self.said

    def __enter__(self) -> Player:
        return self

    def __exit__(self, *_error: object) -> None:
        self.site.close()


def captain(game: Game, name: str) -> Player:
    player = Player(game)
    player.type(f"create {name} F")
    game.step()
    assert "orders left: 3" in player.type("")
    return player


def test_a_ship_is_made_and_commanded(game: Game) -> None:
    with Player(game) as player:
        made = player.type("create Bounty F")
        assert made == "Bounty makes ready: the bridge is yours with the next step."
        game.step()
        assert player.type("").startswith(" Federation Starship Bounty")
        assert player.type("course 45.5") == "course 45.5: ordered."
        assert player.type("sp 3") == "speed 3: ordered."
        game.step()
        assert "want: 045.5 3.0" in player.type("")
        assert not player.client.refused


def test_the_fourth_order_of_a_step_is_refused_and_counts(game: Game) -> None:
    with captain(game, "Fourth") as player:
        for course in (1, 2, 3):
            player.type(f"course {course}")
        assert "orders left: 0" in player.type("srs")
        assert player.type("course 4") == "course 4: Only 3 orders per step."
        assert player.client.refused


def test_what_a_line_cannot_mean_is_refused_without_asking(game: Game) -> None:
    with captain(game, "Mistaken") as player:
        assert player.type("warp 9") == "There is no command warp; help lists all."


def test_a_target_is_chosen_and_scanned(game: Game) -> None:
    with captain(game, "Looker") as player:
        assert "target: " in player.type("n")
        assert "scan only" in player.type("scan Gath")
        assert "orders left: 3" in player.type("srs")


def test_who_comes_back_has_the_ship_again(game: Game) -> None:
    with captain(game, "Returner") as player:
        kept = read_kept(player.file)
    assert kept.ship == "Returner" and "starship-captain" in kept.cookies
    with Player(game, kept.ship, own=True) as again:
        assert "orders left: 3" in again.type("")


def test_who_was_away_too_long_takes_command_again(game: Game) -> None:
    with captain(game, "Sleeper") as player:
        player.type("leave")
        game.step()
        assert "scan only" in player.type("")
    with Player(game, "Sleeper", own=True) as again:
        assert "makes ready" in again.type("")
        game.step()
        assert "orders left: 3" in again.type("")


def test_a_ship_of_somebody_else_is_only_looked_at(
    game: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captain(game, "Theirs").site.close()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "other"))
    with Player(game, "Theirs") as player:
        assert "scan only" in player.type("")
        assert player.type("speed 3") == "speed 3: You are not in command of Theirs."
        assert player.type("take Theirs") == "Theirs already has a captain."


def test_lines_are_read_from_a_pipe_until_it_ends(game: Game) -> None:
    read, write = os.pipe()
    with captain(game, "Piped") as player:
        os.write(write, b"course 7\nspe")
        os.write(write, b"ed 2\nstatus\n")
        os.close(write)
        player.client.run(read)
        assert " systems" in player.said
        state = player.session.screen
        assert state is not None and state["orders"] == ["course 7", "speed 2"]
    os.close(read)


# --- the command ---------------------------------------------------------------------------


def test_once_prints_one_screen(game: Game, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url(game), "--once", "--ship", "Gath"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].startswith(" Kolvar Starship Gath") and rows[0].endswith("scan only")
    assert len(rows) <= 24 and "\x1b" not in "".join(rows)


def test_json_prints_the_state(game: Game, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([url(game), "--json", "--ship", "gath"]) == 0
    state = json.loads(capsys.readouterr().out)
    assert state["ship"]["name"] == "Gath" and "srs" in state


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--once", "--ship", "Nobody"], "there is no ship Nobody"),
        (["--once"], "no ship yet"),
        (["--once", "--create", "no good", "F"], "A name has 2 to 16"),
        (["--once", "--create", "Bounty2", "X"], "Races are"),
    ],
    ids=["missing", "none", "name", "race"],
)
def test_what_is_refused_is_told_with_exit_code_1(
    words: list[str], text: str, game: Game, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([url(game), *words]) == 1
    assert text in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--once", "--ship", "Gath"], [], ["--create", "Bounty", "F"]])
def test_without_a_server_the_exit_code_is_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["localhost:1", *words]) == 2
    assert "no game at http://localhost:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ftp://game", "ftp://game is no URL of a web site; expected http://HOST:PORT"),
        (
            "ipc:starship",
            "ipc:starship is where servers come; players go to the web site, http://HOST:PORT,"
            " which the log of the game tells",
        ),
        ("tcp://key@host:4500", "tcp://key@host:4500 is where servers come; players go to"),
        ("localhost:port", "localhost:port is no URL of a web site; expected http://HOST:PORT"),
        ("localhost:70000", "localhost:70000 is no URL of a web site; expected http://HOST:PORT"),
        ("http://[::1", "http://[::1 is no URL of a web site; expected http://HOST:PORT"),
    ],
)
def test_a_mistake_in_the_address_is_told(
    address: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([address]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("words", [[], ["localhost", "--what"], ["localhost", "--create", "a"]])
def test_a_mistake_in_the_command_line_is_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


def test_a_folder_that_cannot_be_written_is_told_and_the_game_goes_on(
    game: Game, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    with Player(game) as player:
        player.type("create Homeless F")
        trouble = player.client._memory.trouble
    assert "you will not come back to your ship" in trouble


@pytest.mark.parametrize(
    ("option", "environ", "coloured"),
    [
        (False, {"TERM": "xterm"}, True),
        (False, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (False, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (False, {"TERM": "dumb"}, False),
        (False, {"TERM": "vt100"}, False),
        (True, {"TERM": "xterm"}, False),
    ],
    ids=str,
)
def test_colours_are_a_matter_of_taste(
    option: bool, environ: dict[str, str], coloured: bool
) -> None:
    assert has_colour(option, environ) is coloured


# --- what comes from another version -------------------------------------------------------


@pytest.mark.parametrize("change", [{"nav": {}}, {"srs": None}, {"weapons": 7}, {"status": {}}],
                         ids=str)  # fmt: skip
def test_a_screen_of_another_version_is_told_and_not_drawn(change: dict[str, object]) -> None:
    rows = safely_drawn({**example(), **change}, Sight(typed="quit"), (80, 24))
    assert "another version" in text_of(rows[0])
    assert len(rows) == 24 and text_of(rows[-1]) == " > quit"


anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every value in a screen."""
    rows: Any = ()
    if isinstance(value, dict):
        rows = value.items()
    elif isinstance(value, list):
        rows = enumerate(value)
    for key, inner in rows:
        yield (*path, key)
        yield from _places(inner, (*path, key))


PLACES = list(_places(example()))


@settings(max_examples=120, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PLACES), anything), min_size=1, max_size=3), st.data())
def test_no_screen_from_a_server_makes_the_client_fail(
    changes: list[tuple[tuple[str | int, ...], Any]], data: st.DataObject
) -> None:
    screen = json.loads(json.dumps(example()))
    for path, value in changes:
        inner = screen
        try:
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = value
        except (LookupError, TypeError):
            continue  # an earlier change took the place away
    if not is_screen(screen):
        return
    session = Session("Lexington", own=True, key="k")
    session.screen_received(example())
    session.screen_received(screen)
    post = Post("order", {"command": "fire", "args": ["p1"]})
    names = st.sampled_from(["ok", "left", "step", "text"])
    session.answered(post, data.draw(st.dictionaries(names, anything)))
    for text in ("n", "dest 1", "l", "target 2", "status", "lock p1"):
        session.entered(text)
    for text in ("dest ", "lock ", "lock p1 "):
        session.completions(text)
    view = data.draw(st.sampled_from(sorted(VIEWS)))
    rows = safely_drawn(session.screen, replace(session.sight(""), view=view), (80, 24))
    assert len(rows) == 24
    seconds_to_next(session.screen or {}, 0, streams=False)


@pytest.mark.parametrize("next_in", [None, "soon", -1, 1e9])
def test_a_state_that_does_not_say_when_is_asked_for_again_soon(next_in: object) -> None:
    assert seconds_to_next({"next_in": next_in}, 0, streams=False) == 2.0
