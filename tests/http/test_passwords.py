"""The command that writes files of passwords."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from apps.http.content.passwords import read_passwords
from apps.http.passwords import main


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the command writes."""
    return tmp_path / "passwords"


def run(monkeypatch: pytest.MonkeyPatch, password: str, *arguments: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return main(arguments)


def test_it_makes_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "a secret", str(path), "kim") == 0
    account = read_passwords(path)["kim"]
    assert account.scrypt is not None and account.scrypt.fits("a secret")
    assert not account.digests and account.allows("GET") and not account.allows("POST")


def test_it_changes_one_user_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "a secret", str(path), "kim")
    run(monkeypatch, "other", str(path), "max")
    before = read_passwords(path)
    run(monkeypatch, "changed", str(path), "max", "--methods", "get", "post")
    after = read_passwords(path)
    assert after["kim"] == before["kim"] and after["max"] != before["max"]
    assert after["max"].methods == {"GET", "POST"}


def test_it_keeps_what_digest_needs_if_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "a secret", str(path), "kim", "--digest", "the harbour")
    assert {realm for realm, _ in read_passwords(path)["kim"].digests} == {"the harbour"}


def test_it_takes_a_user_out(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch, "a secret", str(path), "kim")
    assert main([str(path), "kim", "--remove"]) == 0
    assert read_passwords(path) == {}


@pytest.mark.parametrize(
    "arguments",
    [("a:b",), ("kim", "--remove"), ("kim", "--digest", 'a"b'), ("kim", "--methods", "G T")],
    ids=["user", "remove", "realm", "method"],
)
def test_a_mistake_changes_nothing(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    assert run(monkeypatch, "a secret", str(path), *arguments) == 2
    assert capsys.readouterr().err.startswith("passwords: ")
    assert not path.exists()


def test_a_file_that_cannot_be_read_is_not_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text("kim secret\n")
    assert run(monkeypatch, "a secret", str(path), "max") == 2
    assert ":1:" in capsys.readouterr().err and path.read_text() == "kim secret\n"


def test_a_directory_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a secret", str(tmp_path / "none" / "passwords"), "kim") == 1
    assert "No such file" in capsys.readouterr().err
