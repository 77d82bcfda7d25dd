"""``vista keygen`` and ``vista authorize``: what they accept, print, return and write."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from vista.peering.keys import load_key
from vista.peering.trust import read_peers
from vista.peering.urls import key_text
from vista.shell.command import main

ANN = key_text(b"a" * 32)
BOB = key_text(b"b" * 32)
PAGE = Path(__file__).parents[2] / "docs" / "keys.rst"


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the keys, not there yet."""
    directory = tmp_path / "vista"
    monkeypatch.setenv("VISTA_CONFIG_DIR", str(directory))
    return directory


def test_keygen_prints_the_public_key_and_where_the_secret_one_is(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keygen"]) == 0
    pair = load_key(directory)
    assert pair is not None
    assert capsys.readouterr() == (
        f"public key, for others: {key_text(pair.public)}\n"
        f"secret key, for nobody: kept in {directory}/secret_key\n",
        "",
    )


def test_keygen_keeps_a_key_that_exists(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["keygen"])
    pair = load_key(directory)
    capsys.readouterr()
    assert main(["keygen"]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"vista: {directory}/secret_key exists")
    assert load_key(directory) == pair


def test_keygen_makes_another_key_by_force(directory: Path) -> None:
    main(["keygen"])
    pair = load_key(directory)
    assert main(["keygen", "--force"]) == 0
    assert load_key(directory) not in (pair, None)


def test_keygen_uses_another_directory(directory: Path, tmp_path: Path) -> None:
    assert main(["keygen", "--directory", str(tmp_path / "other")]) == 0
    assert load_key(tmp_path / "other") is not None
    assert not directory.exists()


def test_no_command_prints_a_secret_key(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["keygen"])
    pair = load_key(directory)
    assert pair is not None
    secret = key_text(pair.secret)
    main(["keygen"])
    main(["authorize", f"vista-secret-1 {secret}", "ann", "all"])
    main(["authorize", ANN, f"vista-secret-1 {secret}", "all"])
    main(["authorize", ANN, "ann", secret])
    main(["authorize", "--remove", f"{secret}a"])
    assert secret[:20] not in "".join(capsys.readouterr())


def test_authorize_lists_a_peer(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["authorize", ANN.upper(), "ann", "create,call"]) == 0
    assert capsys.readouterr() == (
        f"{ANN} may link as ann with call,create, says {directory}/authorized_peers\n",
        "",
    )
    assert [str(peer) for peer in read_peers(directory / "authorized_peers")] == [
        f"{ANN} ann call,create"
    ]


def test_authorize_changes_a_peer(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["authorize", ANN, "ann", "call"])
    capsys.readouterr()
    assert main(["authorize", ANN, "anna", "all"]) == 0
    assert capsys.readouterr().out == (
        f"{ANN} may link as anna with all, says {directory}/authorized_peers; "
        "before that ann with call\n"
    )


def test_authorize_says_when_nothing_changes(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["authorize", ANN, "ann", "call"])
    capsys.readouterr()
    assert main(["authorize", ANN, "ann", "call"]) == 0
    assert capsys.readouterr().out.endswith("/authorized_peers already\n")


def test_authorize_uses_another_directory(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    assert main(["authorize", "--directory", str(other), ANN, "ann", "call"]) == 0
    assert [peer.user for peer in read_peers(other / "authorized_peers")] == ["ann"]
    assert not directory.exists()


def test_authorize_lists_the_peers_in_columns(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["authorize", BOB, "bobby", "code"])
    main(["authorize", ANN, "ann", "all"])
    capsys.readouterr()
    assert main(["authorize", "--list"]) == 0
    assert capsys.readouterr().out == f"{BOB}  bobby  code\n{ANN}  ann    all\n"


def test_authorize_lists_nobody(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["authorize", "--list"]) == 0
    assert capsys.readouterr() == ("", "")


def test_authorize_removes_a_peer(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["authorize", ANN, "ann", "call"])
    capsys.readouterr()
    assert main(["authorize", "--remove", ANN]) == 0
    assert capsys.readouterr().out == (
        f"{ANN} is out of {directory}/authorized_peers; before that ann with call\n"
    )
    assert main(["authorize", "--remove", ANN]) == 2
    assert capsys.readouterr().err == f"vista: {ANN} is not in {directory}/authorized_peers\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["ann", "ann", "call"], "KEY: a key has 52 characters, not 3"),
        ([ANN[:-1] + "1", "ann", "call"], "KEY: character 52 of the key is '1'"),
        ([ANN, "*", "call"], '"*" is no user name'),
        ([ANN, "ann", "cal"], '"cal" is no right; did you mean call?'),
        ([ANN, "ann", ""], '"" is no right; write call, create, code or all'),
        (["--remove", "ann"], "KEY: a key has 52 characters, not 3"),
    ],
)
def test_a_mistaken_word_ends_with_2_and_writes_nothing(
    words: list[str], text: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["authorize", *words]) == 2
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.startswith(f"vista: {text}")
    assert not (directory / "authorized_peers").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["authorize"], "usage: vista authorize KEY USER RIGHTS"),
        (["authorize", ANN, "ann"], "usage: vista authorize KEY USER RIGHTS"),
        (["authorize", ANN, "ann", "call", "create"], "usage: vista authorize KEY USER RIGHTS"),
        (["authorize", "--list", ANN], "usage: vista authorize --list or"),
        (["authorize", "--remove"], "argument --remove: expected one argument"),
        (["authorize", "--list", "--remove", ANN], "argument --remove: not allowed with"),
        (["keygen", "--farce"], "unrecognized arguments: --farce"),
        (["keygen", "here"], "unrecognized arguments: here"),
    ],
)
def test_a_mistake_in_the_form_ends_with_2(
    words: list[str], text: str, directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith(f"vista: {text}")
    assert not directory.exists()


def test_authorize_refuses_the_own_key(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["keygen"])
    pair = load_key(directory)
    assert pair is not None
    capsys.readouterr()
    assert main(["authorize", key_text(pair.public), "me", "all"]) == 2
    assert capsys.readouterr().err == (
        f"vista: this is the key of {directory} itself; nodes that share a key trust each other\n"
    )


def test_a_mistake_in_the_list_ends_with_2_and_names_the_place(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory.mkdir(mode=0o700)
    (directory / "authorized_peers").write_text(f"{ANN} ann\n")
    assert main(["authorize", BOB, "bob", "call"]) == 2
    assert capsys.readouterr().err.startswith(f"vista: {directory}/authorized_peers:1:57: RIGHTS")


def transcript() -> list[tuple[str, str]]:
    """The commands that the page shows, each with what it prints."""
    text = PAGE.read_text()
    lines = [
        line
        for block in re.findall(r":: console\n\n((?:   .*\n)+)", text)
        for line in block.splitlines()
    ]
    shown: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("   $ "):
            shown.append((line.removeprefix("   $ "), ""))
        else:
            command, output = shown[-1]
            shown[-1] = (command, f"{output}{line.removeprefix('   ')}\n")
    return shown


def test_the_page_on_keys_shows_what_the_commands_print(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Typed in from top to bottom; keys that are made differ from those shown."""
    steps = transcript()
    assert len(steps) > 8
    for command, shown in steps:
        words = shlex.split(command.replace("/home/ann/.config/vista", str(directory)))
        if words[0] == "vista":
            main(words[1:])
        else:
            assert words[0] == "chmod"
            os.chmod(words[2], int(words[1], 8))
        printed = "".join(capsys.readouterr()).replace(str(directory), "/home/ann/.config/vista")
        if command.startswith("vista keygen"):
            shown, printed = (re.sub(r"\b[a-z2-7]{52}\b", "KEY", text) for text in (shown, printed))
        assert (command, printed) == (command, shown)


def test_the_page_on_keys_shows_no_secret_key() -> None:
    assert re.findall(r"vista-secret-1 [a-z2-7]+", PAGE.read_text()) == []
