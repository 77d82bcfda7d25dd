"""The rc line: what it finds, in whatever order, and what it says."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

import vista
from tests.http.objects.served import Answer, Site, at_last, wait_until

LINES = (
    "HTTPdaemon - tcp:127.0.0.1:0 www.domain.com",
    "StarshipHTTPsetup www.domain.com",
    "StarshipPrimary 0 42",
)


def login_of(node: vista.Node) -> Answer:
    """The login page of the site of a node, as soon as it has a game."""
    wait_until(lambda: any("HTTPdaemon" in row.class_name for row in vista.objects()))
    daemon = next(row.id for row in vista.objects() if "HTTPdaemon" in row.class_name)
    site = Site(node, vista.ref_of(daemon), "www.domain.com")
    wait_until(lambda: site.get("/starshipLogin.html").status == 200)
    return site.get("/starshipLogin.html")


@pytest.mark.parametrize("order", ["012", "021", "102", "120", "201", "210"])
def test_the_order_of_the_lines_does_not_matter(tmp_path: Path, order: str) -> None:
    rc = tmp_path / "starship.rc"
    rc.write_text("\n".join(LINES[int(place)] for place in order))
    with vista.run(str(rc)) as node:
        assert b"Create a new starship" in login_of(node).body


def test_the_lines_of_the_original_boot_with_their_flag(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    rc = tmp_path / "starship.rc"
    rc.write_text("\n".join((LINES[0], "StarshipHTTPsetup www.domain.com true", LINES[2])))
    with caplog.at_level(logging.INFO, "vista.starship"), vista.run(str(rc)) as node:
        assert login_of(node).status == 200
    told = [record.getMessage() for record in caplog.records if "Flash" in record.getMessage()]
    assert told == ["Flash is gone since 2020: the game of www.domain.com is drawn with SVG"]


def test_a_word_that_means_nothing_is_a_mistake(tmp_path: Path) -> None:
    rc = tmp_path / "starship.rc"
    rc.write_text("StarshipHTTPsetup www.domain.com stream_max=3")
    with pytest.raises(vista.RcError, match=r"did you mean streams_max"):
        vista.run(str(rc))


def test_until_the_game_is_there_the_page_asks_again() -> None:
    with vista.Node("game") as node:
        daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "www.domain.com")
        vista.create("StarshipHTTPsetup", "www.domain.com")
        site = Site(node, daemon, "www.domain.com")
        wait_until(lambda: site.get("/starshipLogin.html").status == 503)
        answer = site.get("/starshipLogin.html")
        assert answer.fields["refresh"] == "2" and b"The game is starting" in answer.body
        told = site.get("/starship/state.json?ship=Gath", "Accept: application/json")
        assert told.status == 503 and b"E_LINK" in told.body


def test_a_site_whose_server_is_gone_finds_the_next_one() -> None:
    with vista.Node("game") as node:
        daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "www.domain.com")
        vista.create("StarshipHTTPsetup", "www.domain.com")
        first = vista.create("StarshipPrimary", 0, 42)
        site = Site(node, daemon, "www.domain.com")

        def status() -> int:
            return site.get("/starshipLogin.html").status

        assert at_last(status, 200) == 200
        vista.delete(first)
        assert at_last(status, 503) == 503
        vista.create("StarshipPrimary", 0, 43)
        assert at_last(status, 200) == 200


def test_the_address_is_told_to_the_operator_and_to_the_game(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with vista.Node("game"), caplog.at_level(logging.INFO, "vista.starship"):
        daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "www.domain.com")
        setup = vista.create("StarshipHTTPsetup", "www.domain.com")
        vista.create("StarshipPrimary", 0, 42)
        wait_until(lambda: setup.get_server() is not None)
        root = daemon.get_url().rstrip("/")
        wait_until(lambda: f"the game is played at {root}/starshipLogin.html" in caplog.text)
        server = setup.get_server()
        assert server.extract_instance_variables("url") == {"url": root}


def test_what_is_deleted_leaves_nothing_behind() -> None:
    with vista.Node("game") as node:
        daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "www.domain.com")
        vista.create("StarshipPrimary", 0, 42)
        before = {row.id for row in vista.objects()}
        setup = vista.create("StarshipHTTPsetup", "www.domain.com")
        site = Site(node, daemon, "www.domain.com")
        wait_until(lambda: site.get("/starshipLogin.html").status == 200)
        assert site.get("/starship/static/bridge.css").status == 200
        vista.delete(setup)
        wait_until(lambda: site.get("/starshipLogin.html").status == 404)
        wait_until(
            lambda: not {row.id for row in vista.objects() if "Star" in row.class_name} - before
        )


def test_the_files_of_the_pages_have_tags_by_which_they_are_kept() -> None:
    with vista.Node("game") as node:
        daemon = vista.create("HTTPdaemon", "-", "tcp:127.0.0.1:0", "www.domain.com")
        vista.create("StarshipHTTPsetup", "www.domain.com")
        site = Site(node, daemon, "www.domain.com")
        wait_until(lambda: site.get("/starship/static/bridge.css").status == 200)
        answer = site.get("/starship/static/bridge.css")
        assert answer.fields["content-type"].startswith("text/css")
        again = site.get("/starship/static/bridge.css", f"If-None-Match: {answer.fields['etag']}")
        assert again.status == 304 and again.body == b""
        assert site.get("/starship/static/../login.py").status == 404
