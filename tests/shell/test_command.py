"""The command line of ``vista``: what it accepts, prints and returns."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from vista.shell.command import COMMANDS, HELP, installed_rows, main, read_command_line
from vista.shell.options import options_of_file
from vista.standard import CLASSES


def test_help_fits_a_screen() -> None:
    lines = HELP.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_help_names_every_command(name: str) -> None:
    assert re.search(rf"^  ([a-z]+, )*{name}\b", HELP, re.MULTILINE)


@pytest.mark.parametrize(
    "option", ["--keep-going", "--name", "--log-level", "--log-json", "--version", "--help"]
)
def test_help_names_every_option(option: str) -> None:
    assert f"\n  {option}" in HELP


def test_help_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == HELP


def test_what_follows_the_file_belongs_to_the_file() -> None:
    options = read_command_line(["--keep-going", "a.rc", "--name", "x", "-1"])
    assert options.words == ["a.rc", "--name", "x", "-1"]
    assert (options.keep_going, options.name) == (True, None)


def test_options_have_values() -> None:
    options = read_command_line(["--name", "tower", "--log-level", "debug", "--log-json", "repl"])
    assert (options.name, options.log_level, options.log_json) == ("tower", "debug", True)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "vista: an rc file or a command is missing; vista --help says more\n"),
        (
            ["--keep-goin", "a.rc"],
            "vista: unrecognized arguments: --keep-goin; vista --help says more\n",
        ),
        (
            ["--log-level", "loud", "a.rc"],
            "vista: argument --log-level: invalid choice: 'loud' (choose from debug, info, "
            "warning, error, critical); vista --help says more\n",
        ),
        (["doc"], "vista: usage: vista doc CLASS\n"),
        (["doc", "A", "B"], "vista: usage: vista doc CLASS\n"),
        (
            ["classes", "A"],
            "vista: unrecognized arguments: A; vista classes --help says more\n",
        ),
        (["check"], "vista: usage: vista check FILE [ARGUMENTS]\n"),
    ],
)
def test_a_mistake_in_the_command_line_ends_with_2(
    words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert (
        capsys.readouterr().err.replace(
            "'debug', 'info', 'warning', 'error', 'critical'",
            "debug, info, warning, error, critical",
        )
        == text
    )


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["nowhere.rc"], "nowhere.rc: No such file or directory\n"),
        (["repl", "nowhere.rc"], "nowhere.rc: No such file or directory\n"),
        (["chekc"], "chekc: No such file or directory; did you mean vista check?\n"),
        (["demp.rc"], "demp.rc: No such file or directory; did you mean demo.rc?\n"),
        (["doc", "TimerEvnt"], 'vista: no class "TimerEvnt"; did you mean TimerEvent?\n'),
        (["doc", "Xyzzy"], 'vista: no class "Xyzzy"\n'),
    ],
)
def test_a_name_that_is_not_found_is_answered_with_the_nearest(
    words: list[str],
    text: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "demo.rc").write_text("")
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert capsys.readouterr() == ("", text)


def test_check_prints_every_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "boot.rc"
    path.write_text("TimerEvnt\nVirtualConsole a b\n")
    assert main(["check", str(path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.removeprefix(str(path)).partition(" ")[0] for line in lines] == [":1:1:", ":2:18:"]


def test_check_of_a_file_in_order_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "boot.rc"
    path.write_text("console = VirtualConsole\nConsoleDisplay $console\n")
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: no mistakes found\n"


def test_check_takes_arguments_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "boot.rc"
    path.write_text("VirtualConsole a $1\n")
    assert main(["check", str(path), "7"]) == 0
    assert main(["check", str(path), "seven"]) == 2
    assert '"seven"' in capsys.readouterr().out


def test_classes_lists_every_installed_class(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["classes"]) == 0
    lines = capsys.readouterr().out.splitlines()
    listed = {word for line in lines for word in line.split()[1:2]}
    assert set(CLASSES) <= listed


def test_every_installed_class_is_in_its_module_and_says_what_it_is() -> None:
    rows = installed_rows()
    assert [row.name for row in rows if row.module != CLASSES.get(row.name, row.module)] == []
    assert [row.name for row in rows if not row.summary] == []


@pytest.mark.parametrize("name", ["TimerEvent", "Standard.TimerEvent"])
def test_doc_shows_what_a_class_takes_and_answers(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doc", name]) == 0
    shown = capsys.readouterr().out
    assert "TimerEvent(client" in shown
    assert "Standard.TimerEvent, version 0" in shown


def test_version_is_that_of_the_distribution(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    name, version = capsys.readouterr().out.split()
    assert name == "vista"
    assert version[0].isdigit()


# --- options in the first line of a file ---------------------------------------------------


@pytest.mark.parametrize(
    ("first", "found"),
    [
        ("#!/usr/bin/env -S vista --processes 5", ["--processes", "5"]),
        ("#!/usr/local/bin/vista --keep-going", ["--keep-going"]),
        ("#!/usr/bin/env vista", []),
        ("#!/usr/bin/env python --processes 5", []),
        ("# vista --processes 5", []),
        ("", []),
    ],
)
def test_the_first_line_of_a_file_gives_options(
    tmp_path: Path, first: str, found: list[str]
) -> None:
    file = tmp_path / "a.rc"
    file.write_text(f"{first}\nShutdownService\n")
    assert options_of_file(str(file)) == found


def test_a_file_that_is_not_there_gives_no_options(tmp_path: Path) -> None:
    assert options_of_file(str(tmp_path / "none.rc")) == []


def test_a_pipe_is_left_to_whoever_reads_the_whole_of_it() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"#!/usr/bin/env -S vista --processes 5\n")
    os.close(writing)
    assert options_of_file(f"/dev/fd/{reading}") == []
    with os.fdopen(reading, "rb") as file:
        assert file.read().endswith(b"--processes 5\n")


def test_options_of_the_first_line_are_followed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.rc"
    file.write_text("#!/usr/bin/env -S vista --processes none\n")
    with pytest.raises(SystemExit):
        main([str(file)])
    assert "argument --processes" in capsys.readouterr().err


@pytest.mark.parametrize("words", ["other.rc", "--keep-going other.rc", "repl"])
def test_words_of_the_first_line_that_are_no_options_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: str
) -> None:
    file = tmp_path / "a.rc"
    file.write_text(f"#!/usr/bin/env -S vista {words}\n")
    with pytest.raises(SystemExit) as caught:
        main([str(file)])
    assert caught.value.code == 2
    told = f"{file}:1: vista takes options there, not {words}\n"
    assert capsys.readouterr().err == told
