"""Addresses that lead elsewhere: one, and all below one."""

from __future__ import annotations

from pathlib import Path

import pytest

import vista
from apps.http.errors import AnswerError
from apps.http.objects.redirect import HTTPredirect
from tests.http.objects.served import Site, served
from tests.live.process import ROOT


def test_one_address_leads_elsewhere(site: Site) -> None:
    vista.create(HTTPredirect, "localhost", "/old", "/new")
    answer = site.get("/old?q")
    assert (answer.status, answer.fields["location"]) == (307, "/new")


def test_a_permanent_one_is_308(site: Site) -> None:
    vista.create(HTTPredirect, "localhost", "/old", "/new", True)
    assert site.get("/old", method="POST", body=b"x").status == 308


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/", "https://harbour.example/"),
        ("/a/b.html?x=%2f&y", "https://harbour.example/a/b.html?x=%2f&y"),
        ("/a%20b/%C3%A4?", "https://harbour.example/a%20b/%C3%A4"),
        ("//evil.example/x", "https://harbour.example/evil.example/x"),
        ("/a%3Fb", "https://harbour.example/a%3Fb"),
    ],
)
def test_all_addresses_lead_to_the_site_with_tls(path: str, location: str) -> None:
    with served() as site:
        vista.create(HTTPredirect, "localhost", "/*", "https://harbour.example")
        answer = site.get(path)
        assert (answer.status, answer.fields["location"]) == (307, location)


@pytest.mark.parametrize("new", ["/", "/new/", "/new"])
def test_a_path_never_becomes_a_host(new: str) -> None:
    with served() as site:
        vista.create(HTTPredirect, "localhost", "/old/*", new)
        location = site.get("/old///evil.example").fields["location"]
    assert location == f"{new.rstrip('/')}/evil.example"


def test_what_another_object_has_does_not_lead_away(site: Site) -> None:
    made = vista.create(HTTPredirect, "localhost", "/docs/*", "https://harbour.example/d")
    assert site.get("/a.txt").status == 200
    assert site.get("/docs/x").fields["location"] == "https://harbour.example/d/x"
    vista.delete(made)
    assert site.get("/docs/").status == 200


def test_a_location_that_cannot_be_sent_is_refused_at_once(site: Site) -> None:
    with pytest.raises(AnswerError, match=r"the value of field Location"):
        vista.create(HTTPredirect, "localhost", "/old", "/new\r\nSet-Cookie: a=b")
    assert site.get("/old").status == 404


@pytest.mark.parametrize("name", ["starship.rc", "starship-secondary.rc", "starship-solidstate.rc"])
def test_who_names_the_site_of_a_game_alone_comes_to_its_first_page(
    name: str, tmp_path: Path
) -> None:
    words = [line.split() for line in (ROOT / "rc" / name).read_text().splitlines()]
    [redirect] = (line[:4] for line in words if line[:1] == ["HTTPredirect"])
    rc = tmp_path / name
    rc.write_text(f"HTTPdaemon - tcp:127.0.0.1:0 localhost\n{' '.join(redirect)}\n")
    with vista.run(str(rc)) as node:
        daemon = next(row.id for row in vista.objects() if "HTTPdaemon" in row.class_name)
        answer = Site(node, vista.ref_of(daemon), "localhost").get("/")
    assert (answer.status, answer.fields["location"]) == (307, "/starshipLogin.html")
