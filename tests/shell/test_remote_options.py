"""The command lines of the commands that ask a running node."""

from __future__ import annotations

import pytest

from vista.shell.command import COMMANDS, main
from vista.shell.command_help import COMMAND_HELP
from vista.shell.options import take_options
from vista.shell.remote import QUESTIONS, read_options


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_of_its_own_that_fits_a_screen(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    assert text == COMMAND_HELP[name]
    assert text.startswith(f"usage: vista {name}")
    lines = text.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


def test_help_is_for_commands_there_are() -> None:
    assert set(COMMAND_HELP) == set(COMMANDS)


@pytest.mark.parametrize("name", [*QUESTIONS, "top"])
def test_each_command_takes_a_url_a_timeout_and_json(name: str) -> None:
    given = read_options(name, ["--connect", "ipc:hub", "--timeout", "0.5", "--json"])
    assert (given.connect, given.timeout, given.json) == ("ipc:hub", 0.5, True)


def test_what_follows_the_target_belongs_to_the_message() -> None:
    given = read_options("send", ["--json", "Lamp", "dim", "--json", "-1"])
    assert (given.json, given.words) == (True, ["Lamp", "dim", "--json", "-1"])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (
            ["ps", "--timeout", "0"],
            "argument --timeout: a number of seconds above 0, 86400 at most, not 0",
        ),
        (
            ["ps", "--timeout", "nan"],
            "argument --timeout: a number of seconds above 0, 86400 at most, not nan",
        ),
        (
            ["ps", "--timeout", "x"],
            "argument --timeout: a number of seconds above 0, 86400 at most, not x",
        ),
        (["top", "--count", "0"], "argument --count: a whole number above 0, not 0"),
        (["top", "--count", "x"], "argument --count: a whole number above 0, not x"),
        (
            ["top", "--interval", "1e9"],
            "argument --interval: a number of seconds above 0, 86400 at most, not 1e9",
        ),
        (["ps", "--count", "1"], "unrecognized arguments: --count 1"),
        (["send", "Lamp"], "TARGET and METHOD are missing"),
        (["repl", "--connect"], "the URL is missing after --connect"),
        (["repl", "--connect=", "a.rc"], "the URL is missing after --connect"),
        (["repl", "a.rc", "--state"], "the DIRECTORY is missing after --state"),
        (["repl", "--state", ""], "the DIRECTORY is missing after --state"),
        (["repl", "--conect", "u"], "unrecognized arguments: --conect; did you mean --connect?"),
        (["repl", "-x"], "unrecognized arguments: -x"),
    ],
)
def test_a_mistake_in_the_command_line_ends_with_2_and_one_line(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err == f"vista: {text}; vista {words[0]} --help says more\n"


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ([], ({}, [])),
        (["a.rc", "1"], ({}, ["a.rc", "1"])),
        (["--connect", "ipc:hub"], ({"--connect": "ipc:hub"}, [])),
        (["--connect=ipc:hub", "a.rc", "-1"], ({"--connect": "ipc:hub"}, ["a.rc", "-1"])),
        (["a.rc", "--connect", "ipc:hub", "1"], ({"--connect": "ipc:hub"}, ["a.rc", "1"])),
        (["--state", "d", "a.rc"], ({"--state": "d"}, ["a.rc"])),
        (
            ["--state=d=e", "--connect", "ipc:hub"],
            ({"--state": "d=e", "--connect": "ipc:hub"}, []),
        ),
        (["a.rc", "--", "--connect", "1"], ({}, ["a.rc", "--connect", "1"])),
    ],
)
def test_a_prompt_takes_its_options_before_and_after_its_file(
    words: list[str], wanted: tuple[dict[str, str], list[str]]
) -> None:
    assert take_options(words) == wanted
