"""Targets and hosts: RFC 9112, section 3.2, RFC 9110, sections 4.2 and 7, RFC 3986, section 5.2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import RequestRejected
from apps.http.syntax.fields import Fields
from apps.http.syntax.targets import Target, TargetForm, parse_target, split_path

SITE = Fields([("Host", "a.example:4321")])
ORIGIN = TargetForm.ORIGIN


def target(raw: bytes, method: str = "GET", fields: Fields = SITE) -> Target:
    """The target of a request of HTTP/1.1."""
    return parse_target(raw, method, fields, (1, 1))


def refuse(raw: bytes, method: str = "GET", fields: Fields = SITE) -> str:
    """Why a target of HTTP/1.1 gets 400."""
    with pytest.raises(RequestRejected) as caught:
        target(raw, method, fields)
    assert caught.value.status == 400
    return caught.value.explain


def test_9112_3_2_1_origin_form() -> None:
    assert target(b"/a/b.html?x=%20&y") == Target(
        ORIGIN, ("a", "b.html"), b"/a/b.html", "x=%20&y", "a.example", 4321
    )


def test_9112_3_2_1_only_the_first_question_mark_begins_the_query() -> None:
    assert target(b"/a?b?c").query == "b?c"
    assert target(b"/%41?b?c").query == "b?c"


@pytest.mark.parametrize(
    ("raw", "path", "raw_path", "query"),
    [
        (b"http://B.example/a?x", ("a",), b"/a", "x"),
        (b"HTTPS://b.example", ("",), b"/", ""),
        (b"http://b.example?x", ("",), b"/", "x"),
    ],
)
def test_9112_3_2_2_absolute_form_wins_over_host(
    raw: bytes, path: tuple[str, ...], raw_path: bytes, query: str
) -> None:
    found = target(raw)
    assert found == Target(TargetForm.ABSOLUTE, path, raw_path, query, "b.example", None)


@pytest.mark.parametrize("raw", [b"ftp://b/", b"http:/b/", b"http:b", b"a", b"?x", b"a:80", b"//"])
def test_9112_3_2_what_has_none_of_the_four_forms_is_refused(raw: bytes) -> None:
    if raw.startswith(b"/"):
        assert target(raw).path == ("", "")
    else:
        assert "must start with a slash or be a URL" in refuse(raw)


def test_9110_4_2_1_an_empty_host_in_a_url_is_refused() -> None:
    assert "the host in the target is no host name" in refuse(b"http:///a")


def test_9110_4_2_4_a_name_and_password_in_a_url_are_refused() -> None:
    assert "the host in the target is no host name" in refuse(b"http://user:word@b.example/")


def test_9112_3_2_3_connect_takes_a_host_and_a_port() -> None:
    found = target(b"b.example:80", "CONNECT")
    assert found == Target(TargetForm.AUTHORITY, (), b"", "", "b.example", 80)
    assert "must name a port" in refuse(b"b.example", "CONNECT")
    assert "is no host name" in refuse(b"/a", "CONNECT")


def test_9112_3_2_4_the_asterisk_goes_with_options_only() -> None:
    found = target(b"*", "OPTIONS")
    assert found == Target(TargetForm.ASTERISK, (), b"", "", "a.example", 4321)
    assert "goes with OPTIONS only" in refuse(b"*")


def test_9112_3_2_a_missing_host_is_refused_from_http_1_1_on() -> None:
    assert "Host is missing" in refuse(b"/", fields=Fields())
    assert parse_target(b"/", "GET", Fields(), (1, 0)).host is None


def test_9112_3_2_two_hosts_are_refused_even_where_they_agree() -> None:
    fields = Fields([("Host", "a"), ("Host", "a")])
    assert "more than once" in refuse(b"/", fields=fields)
    with pytest.raises(RequestRejected, match="more than once"):
        parse_target(b"/", "GET", fields, (1, 0))


def test_9112_3_2_host_is_checked_even_when_the_target_names_one() -> None:
    assert "Host is missing" in refuse(b"http://b.example/", fields=Fields())
    assert "Host is no host" in refuse(b"http://b.example/", fields=Fields([("Host", "a b")]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a b",
        "a,b",
        "a/b",
        "user@a",
        "a:b",
        "a:80:80",
        ":80",
        "aä",
        "[::1",
        "::1",
        "a?b",
        "[::1]a",
        "a%00",
        "<a>",
        "a:-1",
        "a:+1",
        "a: 1",
    ],
)
def test_9112_3_2_a_malformed_host_is_refused(text: str) -> None:
    assert "the field Host is no host name" in refuse(b"/", fields=Fields([("Host", text)]))


@pytest.mark.parametrize("text", ["[a]", "[:::]", "[1]", "[1.2.3.4]", "[::1::]"])
def test_a_malformed_ipv6_address_is_refused(text: str) -> None:
    assert "no IPv6 address" in refuse(b"/", fields=Fields([("Host", text)]))


@pytest.mark.parametrize("port", ["65536", "100000", pytest.param("9" * 5000, id="5000 digits")])
def test_a_port_that_cannot_be_is_refused(port: str) -> None:
    assert "a port above 65535" in refuse(b"/", fields=Fields([("Host", f"a:{port}")]))


def test_a_host_longer_than_dns_allows_is_refused() -> None:
    assert "more than 255" in refuse(b"/", fields=Fields([("Host", "a" * 256)]))


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("A.Example", "a.example", None),
        ("a:", "a", None),
        ("a:80", "a", 80),
        ("127.0.0.1:65535", "127.0.0.1", 65535),
        ("[::1]", "::1", None),
        ("[2001:DB8:0::1]:8080", "2001:db8::1", 8080),
        ("[::ffff:1.2.3.4]", "::ffff:102:304", None),
        ("under_score-1", "under_score-1", None),
    ],
)
def test_9110_7_2_hosts(text: str, host: str, port: int | None) -> None:
    found = target(b"/", fields=Fields([("Host", text)]))
    assert (found.host, found.port) == (host, port)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/", ("",)),
        (b"/a", ("a",)),
        (b"/a/", ("a", "")),
        (b"//a", ("", "a")),
        (b"/a//b", ("a", "", "b")),
        (b"/a%20b", ("a b",)),
        (b"/%41%c3%A4", ("A\xe4",)),
        (b"/a;b=c", ("a;b=c",)),
        (b"/a+b", ("a+b",)),
        (b"/[a]|{b}^", ("[a]|{b}^",)),
        (b"/%23%3F%25", ("#?%",)),
        (b"/%2541", ("%41",)),
        (b"/.hidden/...", (".hidden", "...")),
        (b"/a.", ("a.",)),
    ],
)
def test_paths_are_decoded_once_segment_by_segment(raw: bytes, path: tuple[str, ...]) -> None:
    assert split_path(raw) == target(raw).path == target(raw + b"?x").path == path


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"/.", ("",)),
        (b"/..", ("",)),
        (b"/a/.", ("a", "")),
        (b"/a/./b", ("a", "b")),
        (b"/a/..", ("",)),
        (b"/a/../b", ("b",)),
        (b"/a/b/../../c", ("c",)),
        (b"/../../a", ("a",)),
        (b"/%2e%2E/a", ("a",)),
        (b"/a/.%2e/%2e/b", ("b",)),
        (b"/a/b/%2e%2e", ("a", "")),
        (b"/a//../b", ("a", "b")),
    ],
)
def test_3986_5_2_4_dot_segments_are_removed_encoded_or_not(
    raw: bytes, path: tuple[str, ...]
) -> None:
    assert split_path(raw) == target(raw).path == target(raw + b"?x").path == path


@pytest.mark.parametrize("raw", [b"/a%00b", b"/%0a", b"/%0d%0a", b"/%7f", b"/%c2%85", b"/%1F"])
def test_encoded_controls_are_refused(raw: bytes) -> None:
    assert "encoded control character" in refuse(raw)


@pytest.mark.parametrize("raw", [b"/a%2fb", b"/..%2F..%2fetc", b"/a%5cb", b"/..%5C"])
def test_encoded_slashes_and_backslashes_are_refused(raw: bytes) -> None:
    assert "encoded slash or backslash" in refuse(raw)


@pytest.mark.parametrize("raw", [b"/a%", b"/%4", b"/%zz", b"/%%41", b"/%-1", b"/% 1", b"/%u0041"])
def test_percent_signs_without_two_hex_digits_are_refused(raw: bytes) -> None:
    assert "must be percent-encoded" in refuse(raw) if b" " in raw else "two hex" in refuse(raw)


@pytest.mark.parametrize("raw", [b"/%ff", b"/%c0%af", b"/%c0%ae%c0%ae/", b"/%ed%a0%80", b"/%e4"])
def test_paths_that_are_no_utf_8_are_refused(raw: bytes) -> None:
    assert "no UTF-8" in refuse(raw)


@pytest.mark.parametrize(
    "raw", [b"/a#b", b"/a\\b", b"/a b", b"/\xe4", b"/a\0", b'/"', b"/<", b"/`"]
)
def test_characters_that_must_be_encoded_are_refused(raw: bytes) -> None:
    assert "the path has a character that must be percent-encoded" in refuse(raw)


@pytest.mark.parametrize("raw", [b"/?a#b", b"/?a b", b"/?\xe4", b"/?\0", b"http://a/?b#c"])
def test_a_query_is_visible_ascii_without_a_fragment(raw: bytes) -> None:
    assert "the query has a character" in refuse(raw)


def test_a_query_is_left_as_it_was_sent() -> None:
    assert target(b'/?a=%zz&b=[]{}|\\^`"<>%00').query == 'a=%zz&b=[]{}|\\^`"<>%00'


@given(
    st.one_of(
        st.binary(),
        st.lists(
            st.sampled_from(
                [
                    b"/",
                    b".",
                    b"..",
                    b"%2e",
                    b"%2f",
                    b"%5c",
                    b"%00",
                    b"a",
                    b"%",
                    b"\\",
                    b"%c3%a4",
                    b"?",
                    b"http://",
                    b"#",
                    b"@",
                    b":",
                    b"[",
                    b"]",
                    b"*",
                ]
            )
        ).map(b"".join),
    ),
    st.sampled_from(["GET", "OPTIONS", "CONNECT"]),
)
def test_any_target_gives_safe_segments_or_400(raw: bytes, method: str) -> None:
    try:
        found = target(raw, method)
    except RequestRejected as fault:
        assert fault.status == 400
        return
    for segment in found.path:
        assert segment not in (".", "..")
        assert not set(segment) & {"/", "\\", *map(chr, range(32)), "\x7f"}
        segment.encode("utf-8")
    assert (found.path == ()) == (found.form in (TargetForm.AUTHORITY, TargetForm.ASTERISK))
