"""Files of passwords: what is kept, what is refused, and that a change on the disk takes effect."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.content import passwords
from apps.http.content.passwords import (
    CHECK_SECONDS,
    PASSWORD_FILE_BYTES_MAX,
    Account,
    PasswordFile,
    format_account,
    make_account,
    parse_passwords,
    read_passwords,
    write_passwords,
)
from apps.http.errors import PasswordFileError

KIM = make_account("kim", "a secret", "the harbour", frozenset({"GET", "POST"}))
LINE = format_account(KIM)


def fits(account: Account, password: str) -> bool:
    assert account.scrypt is not None
    return account.scrypt.fits(password)


def test_a_line_holds_all_of_an_account() -> None:
    assert parse_passwords("p", LINE) == {"kim": KIM}


def test_only_the_password_fits() -> None:
    assert fits(KIM, "a secret")
    assert not fits(KIM, "A secret")


def test_the_password_is_not_in_the_line() -> None:
    assert "secret" not in LINE


def test_nothing_secret_shows_in_a_repr() -> None:
    assert not any(word[-20:] in repr(KIM) for word in LINE.split()[1:4])


def test_who_has_no_methods_may_read() -> None:
    account = parse_passwords("p", LINE.removesuffix(" GET POST"))["kim"]
    assert account.allows("GET") and account.allows("HEAD") and not account.allows("POST")


def test_methods_are_exactly_those_that_are_named() -> None:
    assert KIM.allows("POST") and not KIM.allows("HEAD")


def test_a_star_allows_every_method() -> None:
    text = LINE.removesuffix(" GET POST") + " '*'"
    assert parse_passwords("p", text)["kim"].allows("PROPFIND")


def test_comments_and_empty_lines_mean_nothing() -> None:
    assert parse_passwords("p", f"# users\n\n{LINE}  # the boss\n") == {"kim": KIM}


def test_names_with_blanks_are_quoted() -> None:
    account = Account("kim of the harbour", KIM.scrypt)
    assert parse_passwords("p", format_account(account)) == {account.user: account}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kim secret", r"p:1: after the user stand scrypt"),
        ("kim", r"p:1: nothing is kept of the password"),
        ("kim GET", r"p:1: nothing is kept of the password"),
        ("a:b scrypt$1", r"p:1: a user's name has"),
        ("kim 'open", r"p:1: No closing quotation"),
        ("kim scrypt$16384$8$1$AA==", r"p:1: scrypt\$COST\$BLOCK"),
        ("kim scrypt$16383$8$1$AA==$AA==", r"p:1: scrypt's cost"),
        ("kim scrypt$1048576$8$1$AA==$AA==", r"takes more than 64 MiB"),
        ("kim scrypt$16384$8$999999999$AA==$AA==", r"takes more than 64 MiB"),
        ("kim scrypt$16384$8$1$AA==$!", r"p:1: salt and key"),
        ("kim digest$harbour$MD5", r"p:1: digest\$REALM"),
        ("kim digest$harbour$MD4$00", r"p:1: digest\$REALM"),
        ("kim digest$harbour$MD5$00", r"p:1: the hash of digest must be 32 hex digits"),
        ("kim digest$%22$MD5$" + "0" * 32, r"p:1: a realm has"),
        (f"{LINE}\n{LINE}", r"p:2: user 'kim' stands twice"),
    ],
    ids=lambda value: value[:12] if value[:3] in ("kim", "a:b") else "said",
)
def test_a_line_that_cannot_be_read_is_refused(text: str, said: str) -> None:
    with pytest.raises(PasswordFileError, match=said):
        parse_passwords("p", text)


def test_an_error_repeats_no_password() -> None:
    with pytest.raises(PasswordFileError) as caught:
        parse_passwords("p", "kim my-own-password")
    assert "my-own" not in str(caught.value)


@pytest.mark.parametrize(
    ("user", "password"), [("", "x"), ("a:b", "x"), ("kim", ""), ("kim", "\n")]
)
def test_what_cannot_be_a_user_or_password_is_refused(user: str, password: str) -> None:
    with pytest.raises(PasswordFileError):
        make_account(user, password, None)


def test_a_file_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    write_passwords(path, {"kim": KIM})
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_passwords(path) == {"kim": KIM}
    assert [found.name for found in tmp_path.iterdir()] == ["passwords"]


def test_a_change_on_the_disk_takes_effect(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    write_passwords(path, {"kim": KIM})
    file = PasswordFile(path)
    assert file.accounts(0.0) == {"kim": KIM}
    write_passwords(path, {})
    assert file.accounts(CHECK_SECONDS / 2) == {"kim": KIM}
    assert file.accounts(CHECK_SECONDS) == {}


def test_a_file_that_became_unreadable_has_no_accounts(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    write_passwords(path, {"kim": KIM})
    file = PasswordFile(path)
    assert file.accounts(0.0) is not None
    path.write_text("kim secret")
    assert file.accounts(1.0) is None
    assert file.error is not None and "passwords:1:" in file.error
    path.unlink()
    assert file.accounts(2.0) is None
    write_passwords(path, {"kim": KIM})
    assert file.accounts(3.0) == {"kim": KIM}


def test_a_fifo_is_no_file_of_passwords(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PasswordFileError, match=r"this is no file"):
        read_passwords(tmp_path / "pipe")


def test_a_file_that_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    with path.open("wb") as made:
        made.truncate(PASSWORD_FILE_BYTES_MAX + 1)
    with pytest.raises(PasswordFileError, match=r"longer than"):
        read_passwords(path)


def test_others_who_may_read_the_file_are_noticed(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    write_passwords(path, {"kim": KIM})
    file = PasswordFile(path)
    file.accounts(0.0)
    assert not file.open_to_others
    path.chmod(0o644)
    file.accounts(1.0)
    assert file.open_to_others


def test_what_was_read_before_counts_until_the_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "passwords"
    write_passwords(path, {"kim": KIM})
    file = PasswordFile(path)
    assert file.look(0.0) and file.known is None
    file.read()
    write_passwords(path, {})
    assert file.look(CHECK_SECONDS) and file.known == {"kim": KIM}
    assert not file.look(2 * CHECK_SECONDS)  # who was told reads it
    file.look_again()
    assert file.look(3 * CHECK_SECONDS)
    file.read()
    assert file.known == {}


@given(
    st.lists(
        st.text(st.sampled_from("ab$=-#'\"\\ \t\x0b\xa0\u2003é"), max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_a_line_is_cut_into_words_as_by_a_shell(words: list[str]) -> None:
    line = " ".join(words)
    if passwords._PLAIN.fullmatch(line):
        assert line.split() == shlex.split(line, comments=True)
