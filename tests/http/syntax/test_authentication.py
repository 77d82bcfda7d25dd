"""The fields of Basic and Digest authentication: RFC 7617 and 7616."""

from __future__ import annotations

import base64
import contextlib
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.http.errors import FieldSyntaxError
from apps.http.syntax.authentication import (
    ALGORITHMS,
    MD5,
    SHA_256,
    BasicCredentials,
    DigestCredentials,
    basic_challenge,
    check_realm,
    digest_challenge,
    digest_response,
    parse_credentials,
    secret_hash,
)

NONCE = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
MUFASA = {
    MD5: "8ca523f5e9506fed4657c9700eebdbec",
    SHA_256: "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
}


def mufasa(kind: str, without: str = "", **others: str) -> str:
    """The field of the example in RFC 7616, section 3.9.1, changed in places."""
    parts = {
        "username": '"Mufasa"',
        "realm": '"http-auth@example.org"',
        "uri": '"/dir/index.html"',
        "algorithm": kind,
        "nonce": f'"{NONCE}"',
        "nc": "00000001",
        "cnonce": f'"{CNONCE}"',
        "qop": "auth",
        "response": f'"{MUFASA[kind]}"',
        "opaque": '"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"',
        **others,
    }
    parts.pop(without, None)
    return "Digest " + ", ".join(f"{name}={value}" for name, value in parts.items())


def digest(value: str) -> DigestCredentials:
    found = parse_credentials(value)
    assert isinstance(found, DigestCredentials)
    return found


def basic(data: bytes) -> str:
    return "Basic " + base64.b64encode(data).decode()


def test_rfc_7617_2_the_example() -> None:
    found = parse_credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    assert found == BasicCredentials("Aladdin", "open sesame")


def test_rfc_7617_2_1_the_example_in_utf_8() -> None:
    assert parse_credentials("Basic dGVzdDoxMjPCow==") == BasicCredentials("test", "123\u00a3")


def test_rfc_9110_11_1_the_scheme_is_not_case_sensitive() -> None:
    assert parse_credentials("bAsIc dGVzdDoxMjPCow==") == BasicCredentials("test", "123\u00a3")


def test_a_password_may_have_colons() -> None:
    assert parse_credentials(basic(b"kim:a:b")) == BasicCredentials("kim", "a:b")


def test_one_letter_written_in_two_ways_is_one_password() -> None:
    composed, combined = "caf\u00e9".encode(), "cafe\u0301".encode()
    assert parse_credentials(basic(b"kim:" + composed)) == parse_credentials(
        basic(b"kim:" + combined)
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic !",
        basic(b"no colon"),
        basic(b"kim:\xff"),
        basic(b"kim:a\nb"),
        "Basic a2ltOmE=, Basic a2ltOmE=",
    ],
)
def test_malformed_basic_credentials_are_refused(value: str) -> None:
    with pytest.raises(FieldSyntaxError):
        parse_credentials(value)


def test_another_scheme_is_nobody_s_credentials() -> None:
    assert parse_credentials("Bearer abc") is None


def test_credentials_do_not_show_in_their_repr() -> None:
    assert "sesame" not in repr(parse_credentials("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="))
    assert MUFASA[MD5] not in repr(digest(mufasa(MD5)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rfc_7616_3_9_1_the_example(algorithm: str) -> None:
    credentials = digest(mufasa(algorithm))
    secret = secret_hash(algorithm, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert digest_response(credentials, secret, "GET") == credentials.response
    assert credentials.count == 1


def test_rfc_7616_3_4_6_the_method_is_a_part_of_the_response() -> None:
    credentials = digest(mufasa(MD5))
    secret = secret_hash(MD5, "Mufasa", "http-auth@example.org", "Circle of Life")
    assert digest_response(credentials, secret, "POST") != credentials.response


def test_rfc_7616_3_4_a_name_may_come_encoded() -> None:
    extended = {"username*": "UTF-8''J%C3%A4s%C3%B8n%20Doe"}
    assert digest(mufasa(SHA_256, "username", **extended)).user == "J\u00e4s\u00f8n Doe"


def test_a_name_in_utf_8_may_come_as_it_is() -> None:
    name = "J\u00e4s\u00f8n".encode().decode("latin-1")
    assert digest(mufasa(SHA_256, username=f'"{name}"')).user == "J\u00e4s\u00f8n"


def test_rfc_7616_3_3_an_algorithm_that_is_not_said_is_md5() -> None:
    assert digest(mufasa(MD5, "algorithm")).algorithm == MD5


def hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_rfc_7616_3_4_3_auth_int_counts_the_body() -> None:
    given = digest(mufasa(SHA_256, qop="auth-int"))
    target = hashed(f"PUT:{given.uri}:{hashed('the body')}")
    uses = f"{given.nonce}:{given.nc}:{given.cnonce}:auth-int"
    expected = hashed(f"secret:{uses}:{target}")
    assert digest_response(given, "secret", "PUT", b"the body") == expected
    assert digest_response(given, "secret", "PUT", b"another") != expected


def test_rfc_7616_3_4_2_the_key_of_a_session_is_made_with_its_nonces() -> None:
    plain, session = digest(mufasa(SHA_256)), digest(mufasa(SHA_256, algorithm="SHA-256-sess"))
    assert (session.algorithm, session.session, plain.session) == (SHA_256, True, False)
    key = hashed(f"secret:{session.nonce}:{session.cnonce}")
    assert digest_response(session, "secret", "GET") == digest_response(plain, key, "GET")


@pytest.mark.parametrize(
    "missing", ["username", "realm", "nonce", "uri", "response", "nc", "cnonce", "qop"]
)
def test_digest_credentials_without_a_part_are_refused(missing: str) -> None:
    with pytest.raises(FieldSyntaxError):
        parse_credentials(mufasa(MD5, missing))


@pytest.mark.parametrize(
    "others",
    [
        {"username*": "UTF-8''Mufasa"},
        {"qop": "auth-conf"},
        {"algorithm": "SHA-512-256"},
        {"algorithm": "MD5-session"},
        {"nc": "1"},
        {"nc": "0000000g"},
        {"userhash": "true"},
        {"username": '"\xff"'},
        {"REALM": '"twice"'},
        {"odd one": "x"},
    ],
    ids=["both-names", "qop", "hash", "session", "short", "no-hex", "userhash", "utf8", "2", "odd"],
)
def test_malformed_digest_credentials_are_refused(others: dict[str, str]) -> None:
    with pytest.raises(FieldSyntaxError):
        parse_credentials(mufasa(MD5, **others))


@pytest.mark.parametrize("value", ["latin-1''kim", "UTF-8'kim", "UTF-8''%ff", "UTF-8''a b", "kim"])
def test_a_malformed_encoded_name_is_refused(value: str) -> None:
    with pytest.raises(FieldSyntaxError):
        parse_credentials(mufasa(MD5, "username", **{"username*": value}))


@given(st.text(st.characters(max_codepoint=255), max_size=200))
def test_whatever_comes_is_credentials_or_the_named_error(text: str) -> None:
    for scheme, kind in (("Basic ", BasicCredentials), ("Digest ", DigestCredentials)):
        try:
            found = parse_credentials(scheme + text)
        except FieldSyntaxError:
            continue
        assert isinstance(found, kind)
    with contextlib.suppress(FieldSyntaxError):
        parse_credentials(text)


def test_rfc_7617_2_1_the_challenge_asks_for_utf_8() -> None:
    assert basic_challenge("the harbour") == 'Basic realm="the harbour", charset="UTF-8"'


def test_rfc_7616_3_3_a_challenge_says_when_only_the_nonce_was_bad() -> None:
    fresh = digest_challenge("harbour", SHA_256, "n1")
    assert fresh == (
        'Digest realm="harbour", qop="auth, auth-int", algorithm=SHA-256, nonce="n1", charset=UTF-8'
    )
    assert digest_challenge("harbour", SHA_256, "n1", stale=True) == f"{fresh}, stale=true"


@pytest.mark.parametrize("realm", ["", 'a"b', "a\\b", "a\r\nb", "caf\u00e9", "x" * 129])
def test_a_realm_that_could_be_written_in_two_ways_is_refused(realm: str) -> None:
    with pytest.raises(FieldSyntaxError, match=r"a realm has"):
        check_realm(realm)
