"""Profiles: what they may say, and what is said about those that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from apps.http.errors import BadLimitError, ProfileError
from apps.http.objects.profile import parse_profile, read_profile, terms_of


def test_values_stand_after_their_attribute() -> None:
    profile = parse_profile("p", 'directoryRoot /a "/b c"  # both\n\n# nothing\nDirectoryRoot /d')
    assert profile.texts("directory_root") == ["/a", "/b c", "/d"]


def test_an_unknown_attribute_is_named_with_its_line() -> None:
    with pytest.raises(ProfileError, match=r"^p:2: no attribute .SeverName.; did you mean Server"):
        parse_profile("p", "ServerName a\nSeverName b")


def test_a_quote_without_end_is_named_with_its_line() -> None:
    with pytest.raises(ProfileError, match=r"^p:1: no closing quotation"):
        parse_profile("p", 'ServerName "a')


def test_every_limit_is_an_attribute() -> None:
    limits = parse_profile("p", "head_seconds 2.5\nkeepAliveSeconds 3").limits()
    assert dict(limits)["head_seconds"] == 2.5
    assert terms_of(limits).limits.keep_alive_seconds == 3.0


def test_a_limit_that_is_no_number_is_refused() -> None:
    with pytest.raises(ProfileError, match=r"head_seconds must be a number, not 'soon'"):
        parse_profile("p", "head_seconds soon").limits()


def test_a_limit_that_cannot_be_is_refused() -> None:
    with pytest.raises(BadLimitError, match=r"head_seconds must be a positive number"):
        parse_profile("p", "head_seconds -1").limits()


def test_a_limit_that_is_not_finite_is_refused() -> None:
    with pytest.raises(BadLimitError, match=r"head_seconds must be a positive number"):
        parse_profile("p", "head_seconds inf").limits()


def test_a_profile_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProfileError, match=r"nothing: No such file or directory$"):
        read_profile(str(tmp_path / "nothing"))


def test_a_profile_that_is_no_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\xff\xfe")
    with pytest.raises(ProfileError, match=r"p: this is not UTF-8 text"):
        read_profile(str(tmp_path / "p"))


def test_a_dash_is_a_profile_that_says_nothing() -> None:
    assert read_profile("-").text("ServerName", "default") == "default"


def test_relative_names_begin_at_the_profile_s_own_directory() -> None:
    profile = parse_profile("/etc/vista/http.profile", "directoryRoot site /srv/site ../x")
    assert profile.paths("directoryRoot") == ["/etc/vista/site", "/srv/site", "/etc/vista/../x"]


def test_pairs_are_two_by_two() -> None:
    profile = parse_profile("p", "actAs kim harbour\nactAs * guest")
    assert profile.pairs("actAs") == {"kim": "harbour", "*": "guest"}
    with pytest.raises(ProfileError, match=r"actAs takes pairs, and 'kim' is alone"):
        parse_profile("p", "actAs kim").pairs("actAs")


def test_where_uploads_go_bodies_may_be_large() -> None:
    assert dict(parse_profile("p", "").limits())["body_bytes_max"] == 1024 * 1024
    assert "body_bytes_max" not in dict(parse_profile("p", "uploads spool").limits())
    assert dict(parse_profile("p", "uploads spool\nbodyBytesMax 9").limits())["body_bytes_max"] == 9


def test_parts_are_protected_by_path_realm_and_file() -> None:
    profile = parse_profile("/etc/p", 'protected /staff "the harbour" passwords\nprotected /b c /d')
    assert profile.protected() == [
        ("/staff", "the harbour", "/etc/passwords"),
        ("/b", "c", "/d"),
    ]
    with pytest.raises(ProfileError, match=r"protected takes a path, a realm and a file for each"):
        parse_profile("p", "protected /staff harbour").protected()
