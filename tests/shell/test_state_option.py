"""Mistakes with ``--state DIRECTORY``."""

from __future__ import annotations

from pathlib import Path

import pytest

from vista.shell.command import COMMANDS, main


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed when a command line ends with 2."""
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    return capsys.readouterr().err


@pytest.mark.parametrize("command", [[], ["repl"]], ids=["file", "repl"])
def test_a_state_directory_that_is_a_file_ends_with_2(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "boot.rc").touch()
    words = ["--state", str(tmp_path / "boot.rc"), *command, str(tmp_path / "boot.rc")]
    assert refused(words, capsys) == (
        f"vista: {tmp_path}/boot.rc is no directory, and a state directory is to be one; "
        "name another\n"
    )


def test_a_state_directory_without_a_name_is_a_mistake(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = refused(["--state", "", "boot.rc"], capsys)
    assert text == "vista: argument --state: a directory, not nothing; vista --help says more\n"


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"repl"}))
def test_a_command_that_keeps_nothing_refuses_a_state_directory(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = refused(["--state", str(tmp_path / "state"), command], capsys)
    assert text.startswith(f"vista: {command} keeps nothing: --state is for FILE and repl; ")
    assert not (tmp_path / "state").exists()
