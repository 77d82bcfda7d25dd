"""Clients behind a proxy: each counts by its own address, where the proxy is believed."""

from __future__ import annotations

from pathlib import Path

import pytest

import vista
from apps.http.content.attempts import FREE_ATTEMPTS
from apps.http.content.resources import Request
from apps.http.errors import ProfileError
from apps.http.objects.logs import HTTPcommonLogFormat
from apps.http.objects.profile import parse_profile
from apps.http.objects.protected import URLprotectedFile
from tests.http.objects.h2client import h2_client
from tests.http.objects.served import Site, served

WRONG = "Authorization: Basic a2ltOndyb25n"


class HttpWhoPage(vista.Object):
    """Says who asks."""

    def create(self) -> None:
        pass

    def get_request(self, request: Request) -> str:
        return f"{request.client}{' over TLS' if request.secure else ''}"


def behind(tmp_path: Path, *lines: str) -> str:
    """A profile of a site behind a proxy."""
    profile = tmp_path / "http.profile"
    profile.write_text("\n".join(lines) + "\n")
    return str(profile)


def who(site: Site, *fields: str) -> bytes:
    """Who asks, as a page sees it."""
    if not site.directory.has_object("/who"):
        site.directory.register_object("/who", vista.create(HttpWhoPage))
    return site.get("/who", *fields).body


def test_a_page_sees_the_client_and_not_the_proxy(tmp_path: Path) -> None:
    with served(profile=behind(tmp_path, "trustedProxies 127.0.0.1")) as site:
        assert who(site, "X-Forwarded-For: 6.6.6.6, 192.0.2.7") == b"192.0.2.7"
        assert who(site) == b"127.0.0.1"


def test_nobody_is_believed_unless_named(site: Site, tmp_path: Path) -> None:
    assert who(site, "X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.8") == b"127.0.0.1"
    with served(profile=behind(tmp_path, "trustedProxies 10.0.0.0/8"), name="other") as other:
        assert who(other, "X-Forwarded-For: 192.0.2.7") == b"127.0.0.1"


def test_the_field_of_rfc_7239_is_read_where_the_profile_says_so(tmp_path: Path) -> None:
    lines = ("trustedProxies 127.0.0.1", "forwardedField forwarded")
    with served(profile=behind(tmp_path, *lines)) as site:
        fields = ("Forwarded: for=192.0.2.7", "X-Forwarded-For: 6.6.6.6")
        assert who(site, *fields) == b"192.0.2.7"


def test_the_log_has_the_client(tmp_path: Path) -> None:
    with served(profile=behind(tmp_path, "trustedProxies 127.0.0.1")) as site:
        log = vista.create(HTTPcommonLogFormat, str(tmp_path / "log"), "localhost")
        site.get("/", "X-Forwarded-For: 192.0.2.7")
        vista.delete(log)
    assert (tmp_path / "log").read_text().startswith("192.0.2.7 - - ")


def test_one_client_that_guesses_locks_out_no_other(tmp_path: Path) -> None:
    with served(profile=behind(tmp_path, "trustedProxies 127.0.0.1")) as site:
        vista.create(URLprotectedFile, "localhost", "/staff", None, "harbour", "kim", "secret")
        own, other = "X-Forwarded-For: 192.0.2.7", "X-Forwarded-For: 192.0.2.8"
        # Ever longer is waited for, so one of them comes too soon on the slowest machine.
        assert 429 in (site.get("/staff", own, WRONG).status for _ in range(FREE_ATTEMPTS + 20))
        assert site.get("/staff", other, WRONG).status == 401


def test_clients_of_http_2_are_seen_as_well(tmp_path: Path) -> None:
    lines = ("trustedProxies 127.0.0.1", "http2 cleartext")
    with served(profile=behind(tmp_path, *lines)) as site:
        who(site)
        with h2_client(site) as client:
            assert client.get("/who", ("x-forwarded-for", "192.0.2.7")).body == b"192.0.2.7"


@pytest.mark.parametrize("line", ["trustedProxies harbour", "forwardedField x-real-ip"])
def test_what_names_no_proxy_is_refused(line: str) -> None:
    with pytest.raises(ProfileError, match=r"trustedProxies are|forwardedField must be"):
        parse_profile("p", line).proxies()


def test_a_page_sees_that_the_client_speaks_tls_with_its_proxy(tmp_path: Path) -> None:
    fields = ("X-Forwarded-For: 192.0.2.7", "X-Forwarded-Proto: https")
    lines = ("trustedProxies 127.0.0.1", "forwardedProto yes")
    with served(profile=behind(tmp_path, *lines)) as site:
        assert who(site, *fields) == b"192.0.2.7 over TLS"
        assert who(site, fields[0], "X-Forwarded-Proto: http") == b"192.0.2.7"


def test_nobody_says_by_himself_that_he_speaks_tls(site: Site) -> None:
    assert who(site, "X-Forwarded-Proto: https", "Forwarded: proto=https") == b"127.0.0.1"
