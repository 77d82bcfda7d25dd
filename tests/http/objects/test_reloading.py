"""Profiles that are read again while the site goes on."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

import vista
from apps.http.errors import BadLimitError, ProfileError
from apps.http.objects.certificates import self_signed
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.logs import HTTPcommonLogFormat
from apps.http.objects.reloading import HTTPreload
from tests.http.objects.served import Site, get, read_until, served


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The profile of a site."""
    path = tmp_path / "http.profile"
    path.write_text("keep_alive_seconds 600\n")
    (tmp_path / "lost.html").write_text("<p>lost</p>")
    return path


class HttpOddDaemon(vista.Object):
    """Stands where a daemon is looked for, and takes no message of one."""

    def create(self) -> None:
        vista.register_service("HTTPdaemon:a", vista.self_ref(self))


def shown_by(site: Site, name: str = "localhost") -> bytes | None:
    """The certificate that a client which asks for a site is shown."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with site.connect() as plain, context.wrap_socket(plain, server_hostname=name) as client:
        return client.getpeercert(binary_form=True)


def test_error_pages_count_at_once(profile: Path) -> None:
    with served(profile=str(profile)) as site:
        profile.write_text("errorPage 404 lost.html\n")
        site.daemon.reload()
        assert site.get("/nothing").body == b"<p>lost</p>"
        profile.write_text("")
        site.daemon.reload()
        assert b"lost" not in site.get("/nothing").body


def test_bounds_count_for_connections_that_come(profile: Path) -> None:
    long = get("/" + "a" * 1_000)
    with served(profile=str(profile)) as site, site.connect() as open_before:
        open_before.sendall(get("/"))
        read_until(open_before, b"</html>")
        profile.write_text("target_bytes_max 500\n")
        site.daemon.reload()
        assert site.talk(long).startswith(b"HTTP/1.1 414 ")
        open_before.sendall(long)
        assert read_until(open_before, b"</html>").startswith(b"HTTP/1.1 404 ")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("colour blue", ProfileError),
        ("errorPage 404 gone.html", ProfileError),
        ("head_bytes_max 10", BadLimitError),
        ("trustedProxies harbour", ProfileError),
    ],
)
def test_a_profile_that_cannot_be_used_changes_nothing(
    text: str, error: type[Exception], profile: Path
) -> None:
    with served(profile=str(profile)) as site:
        profile.write_text(f"errorPage 404 lost.html\n{text}\n")
        with pytest.raises(error):
            site.daemon.reload()
        assert b"lost" not in site.get("/nothing").body


def test_a_certificate_that_cannot_be_used_changes_nothing(profile: Path) -> None:
    pem = self_signed(profile.parent, "localhost")
    profile.write_text(f"certificate {pem}\n")
    with served(profile=str(profile), address="tls:127.0.0.1:0") as site:
        before = shown_by(site)
        profile.write_text(f"certificate {pem}\nerrorPage 404 lost.html\n")
        pem.write_text("damaged")
        (problem,) = vista.create(HTTPreload).reload()
        assert "certificate" in problem
        assert site.directory.get_error_page_source(404) is None
        assert shown_by(site) == before


def test_a_further_site_may_get_a_certificate_and_lose_it(profile: Path) -> None:
    pem = self_signed(profile.parent, "localhost")
    (profile.parent / "own").mkdir()
    own = self_signed(profile.parent / "own", "further")
    profile.write_text(f"certificate {pem}\n")
    further = profile.parent / "further.profile"
    further.write_text("")
    with served(profile=str(profile), address="tls:127.0.0.1:0") as site:
        daemon = vista.create(HTTPdaemon, str(further), site.daemon.get_address(), "further", True)
        shared = shown_by(site, "further")
        further.write_text(f"certificate {own}\n")
        daemon.reload()
        site.daemon.reload()
        assert shown_by(site, "further") != shared == shown_by(site) == shown_by(site, "unknown")
        further.write_text("")
        daemon.reload()
        assert shown_by(site, "further") == shared
        vista.delete(daemon)


def test_what_a_site_is_made_of_takes_a_start(
    profile: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with served(profile=str(profile)) as site:
        profile.write_text(f"directoryRoot {profile.parent}\n")
        site.daemon.reload()
        assert site.get("/lost.html").status == 404
    assert "directoryRoot takes effect when the site is started again" in caplog.text


def test_a_site_without_a_profile_stays_as_it_is(site: Site) -> None:
    site.daemon.reload()
    assert site.get("/a.txt").status == 200


def test_all_sites_of_the_node_and_their_logs_are_told(profile: Path, tmp_path: Path) -> None:
    with served() as site:
        made = vista.create(HTTPdaemon, str(profile), site.daemon.get_address(), "further", True)
        log = tmp_path / "log"
        vista.create(HTTPcommonLogFormat, str(log), "localhost")
        log.rename(tmp_path / "old")
        profile.write_text("errorPage 404 lost.html\n")
        assert vista.create(HTTPreload).reload() == []
        assert b"lost" in site.talk(get("/nothing", "further"))
        assert log.exists()
        vista.delete(made)


def test_one_bad_profile_keeps_no_other_site_from_its_own(profile: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.profile"
    other.write_text("")
    with served(profile=str(profile)) as site:
        daemon = vista.create(HTTPdaemon, str(other), "tcp:127.0.0.1:0", "other")
        profile.write_text("colour blue\n")
        other.write_text("errorPage 404 lost.html\n")
        (problem,) = vista.create(HTTPreload).reload()
        assert "no attribute 'colour'" in problem
        assert b"lost" in Site(site.node, daemon, "other").get("/nothing").body


def test_a_daemon_that_fails_keeps_no_other_site_from_its_own(profile: Path) -> None:
    with served(profile=str(profile)) as site:
        vista.create(HttpOddDaemon)
        profile.write_text("errorPage 404 lost.html\n")
        problems = vista.create(HTTPreload).reload()
        assert problems and all(problem.startswith("HTTPdaemon:a") for problem in problems)
        assert site.get("/nothing").body == b"<p>lost</p>"
