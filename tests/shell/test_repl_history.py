"""Where the prompt keeps its history."""

from __future__ import annotations

from pathlib import Path

from vista.shell.history import state_directory, writable_state_directory


def test_the_state_directory_follows_the_xdg_variable(tmp_path: Path) -> None:
    assert state_directory({"XDG_STATE_HOME": str(tmp_path)}) == tmp_path / "vista"


def test_without_the_variable_it_is_below_the_users_home() -> None:
    assert state_directory({}) == Path.home() / ".local" / "state" / "vista"


def test_a_relative_directory_does_not_count_as_the_xdg_rules_say() -> None:
    assert state_directory({"XDG_STATE_HOME": "state"}) == state_directory({})


def test_a_missing_directory_is_made_for_the_user_alone(tmp_path: Path) -> None:
    made = writable_state_directory({"XDG_STATE_HOME": str(tmp_path / "deep" / "state")})
    assert made is not None
    assert made.is_dir()
    assert made.stat().st_mode & 0o777 == 0o700


def test_a_directory_that_cannot_be_made_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert writable_state_directory({"XDG_STATE_HOME": str(tmp_path / "file")}) is None
