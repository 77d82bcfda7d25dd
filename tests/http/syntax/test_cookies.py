"""Cookies: RFC 6265, with the prefixes and SameSite of its revision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import AnswerError
from apps.http.syntax.cookies import (
    COOKIES_MAX,
    NAME_VALUE_BYTES_MAX,
    parse_cookies,
    set_cookie,
)
from apps.http.syntax.fields import Fields


@pytest.mark.parametrize(
    ("line", "cookies"),
    [
        ("SID=31d4d96e407aad42", {"SID": "31d4d96e407aad42"}),
        ("SID=31d4; lang=en-US", {"SID": "31d4", "lang": "en-US"}),
        ("a=1;b=2;  c=3", {"a": "1", "b": "2", "c": "3"}),
        ("a=", {"a": ""}),
        ("a=b=c", {"a": "b=c"}),
        ('a="b c"', {"a": "b c"}),
        ('a="', {"a": '"'}),
        ("a = b ", {"a": "b"}),
        ("a={1,2}", {"a": "{1,2}"}),
        ("a=1; A=2", {"a": "1", "A": "2"}),
        ("", {}),
        (";;", {}),
        ("a", {}),
        ("=a", {}),
        ("a b=c; d=1", {"d": "1"}),
        ("a=\0; b=\x7f; d=1", {"d": "1"}),
    ],
)
def test_5_4_cookies_are_read_and_what_is_none_is_skipped(
    line: str, cookies: dict[str, str]
) -> None:
    assert parse_cookies(line) == cookies


def test_5_4_of_two_cookies_with_one_name_the_first_counts() -> None:
    assert parse_cookies("a=1; a=2; a=3") == {"a": "1"}


def test_cookies_may_come_in_several_lines() -> None:
    lines = Fields([("Cookie", "a=1"), ("Cookie", "b=2, 3")])
    assert parse_cookies(lines.combined["cookie"]) == {"a": "1", "b": "2, 3"}


def test_cookies_are_bounded() -> None:
    names = [f"c{number}" for number in range(COOKIES_MAX + 9)]
    assert list(parse_cookies("; ".join(f"{name}=1" for name in names))) == names[:COOKIES_MAX]
    # What is none counts as well: a line of nothing else is not looked through.
    assert parse_cookies(";" * COOKIES_MAX + "a=1") == {}


@given(st.text())
def test_any_line_is_read(line: str) -> None:
    assert len(parse_cookies(line)) <= line.count("=")


def test_4_1_a_cookie_with_every_attribute() -> None:
    cookie = set_cookie(
        "__Secure-id",
        "31d4",
        path="/docs",
        domain="example.com",
        max_age=3600,
        expires=784_111_777,
        secure=True,
        same_site="Strict",
    )
    assert cookie == (
        "__Secure-id=31d4; Path=/docs; Domain=example.com; Max-Age=3600; "
        "Expires=Sun, 06 Nov 1994 08:49:37 GMT; Secure; HttpOnly; SameSite=Strict"
    )


def test_safe_attributes_are_the_default_and_can_be_left_out() -> None:
    assert set_cookie("a", "1") == "a=1; HttpOnly; SameSite=Lax"
    assert set_cookie("a", "1", http_only=False, same_site=None) == "a=1"


def test_5_2_3_a_dot_before_a_domain_is_left_out() -> None:
    assert set_cookie("a", "1", domain=".example.com").startswith("a=1; Domain=example.com; ")


NAMES = st.text("abcXYZ019-_.!#$%&'*+^`|~", min_size=1, max_size=20)
VALUES = st.text([chr(code) for code in range(0x21, 0x7F) if chr(code) not in '",;\\'], max_size=30)


@given(NAMES, VALUES)
def test_what_is_set_comes_back(name: str, value: str) -> None:
    if name.lower().startswith(("__host-", "__secure-")):
        return
    sent = set_cookie(name, value).partition(";")[0]
    assert parse_cookies(sent) == {name: value}


@given(st.text(max_size=8), st.text(max_size=8), st.none() | st.text(max_size=8))
def test_what_is_set_can_stand_in_a_field_or_is_refused(
    name: str, value: str, path: str | None
) -> None:
    try:
        cookie = set_cookie(name, value, path=path, domain=path)
    except AnswerError:
        return
    assert Fields([("Set-Cookie", cookie)]).get("Set-Cookie") == cookie
    assert cookie.count(";") == 2 + 2 * (path is not None)


@pytest.mark.parametrize("name", ["", "a b", "a=b", "a;b", "a\r\nb", "\u00e9", '"a"'])
def test_4_1_1_a_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(AnswerError, match="is no name of a cookie"):
        set_cookie(name, "1")


@pytest.mark.parametrize("value", ["a b", "a;b", "a,b", 'a"b', "a\\b", "a\r\nb", "\u00e9", "\x7f"])
def test_4_1_1_a_value_with_other_characters_is_refused(value: str) -> None:
    with pytest.raises(AnswerError, match="encode it"):
        set_cookie("a", value)


def test_6_1_a_cookie_larger_than_browsers_keep_is_refused() -> None:
    assert set_cookie("a", "1" * (NAME_VALUE_BYTES_MAX - 1))
    with pytest.raises(AnswerError, match="have 4097 bytes"):
        set_cookie("a", "1" * NAME_VALUE_BYTES_MAX)


@pytest.mark.parametrize("path", ["", "docs", "/a;b", "/a\r\nb", "/\u00e9"])
def test_4_1_2_4_a_bad_path_is_refused(path: str) -> None:
    with pytest.raises(AnswerError, match="is no path"):
        set_cookie("a", "1", path=path)


@pytest.mark.parametrize(
    "domain", ["", ".", "..a", "a..b", "a;b", "-a", "a-", "a_b", "a\n", "a" * 64, "\u00e9.example"]
)
def test_4_1_2_3_a_bad_domain_is_refused(domain: str) -> None:
    with pytest.raises(AnswerError, match="is no domain"):
        set_cookie("a", "1", domain=domain)


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("a", {"same_site": "None"}, "SameSite=None without Secure"),
        ("a", {"same_site": "lax"}, "SameSite is Strict, Lax or None"),
        ("__Secure-a", {}, "without Secure"),
        ("__secure-a", {}, "without Secure"),
        ("__Host-a", {"path": "/"}, "without Secure"),
        ("__Host-a", {"secure": True}, "takes path='/' and no domain"),
        ("__Host-a", {"secure": True, "path": "/a"}, "takes path='/' and no domain"),
        ("__Host-a", {"secure": True, "path": "/", "domain": "a.b"}, "takes path='/' and no"),
    ],
)
def test_6265bis_what_browsers_drop_in_silence_is_refused(
    name: str, attributes: dict[str, Any], message: str
) -> None:
    with pytest.raises(AnswerError, match=message):
        set_cookie(name, "1", **attributes)


def test_6265bis_a_host_cookie_that_keeps_its_promise_is_set() -> None:
    assert set_cookie("__Host-a", "1", path="/", secure=True).startswith("__Host-a=1; Path=/; Sec")
