"""Coming in by the passwords of the site, in the name the profile gives."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import vista
from apps.http.browser.service import HTTPcreateObjectBrowserSession
from apps.http.objects.protected import URLprotectedFile
from tests.http.browser.visitor import BrowsedLamp, Visitor
from tests.http.objects.served import Answer, served
from vista import BadValueError


@contextmanager
def guarded(directory: Path, profile: str = "") -> Iterator[Visitor]:
    """A site whose browser is behind the passwords of alice and bob."""
    path = directory / "profile"
    path.write_text(profile or "ServerName localhost\n")
    with served(profile=str(path)) as site:
        guard = vista.create(URLprotectedFile, "localhost", "/browser", None, "harbour")
        for name in ("alice", "bob"):
            guard.add_user(name, f"{name}'s", "GET", "HEAD", "POST")
        made = vista.create(
            HTTPcreateObjectBrowserSession, "localhost", "/browser", authentication="site"
        )
        yield Visitor(site, made)


def as_user(name: str) -> str:
    """The field by which a user tells the password."""
    return f"Authorization: Basic {base64.b64encode(f'{name}:{name}{chr(39)}s'.encode()).decode()}"


def send(visitor: Visitor, name: str, id: vista.Id, csrf_of: str = "") -> Answer:
    """Have a user send ``whoever`` by the form."""
    page = visitor.get("/", as_user(csrf_of or name)).body.decode()
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    if not csrf:
        page = visitor.get(f"/object/{id}/send", as_user(csrf_of or name)).body.decode()
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    form = {"csrf": csrf, "method": "whoever", "arguments": ""}
    return visitor.post(f"/object/{id}/send", as_user(name), **form)


def test_the_password_opens_the_browser_and_nothing_else_does(tmp_path: Path) -> None:
    with guarded(tmp_path) as visitor:
        assert visitor.get("/").status == 401
        assert visitor.get("/?key=x").status == 401
        page = visitor.get("/", as_user("alice"))
        assert page.status == 200 and b"<h1>Nodes</h1>" in page.body
        assert b"Sign out" not in page.body and "set-cookie" not in page.fields
        with pytest.raises(BadValueError, match=r"by the passwords of the site"):
            visitor.service.new_link()


def test_forms_carry_the_word_of_their_user(tmp_path: Path) -> None:
    with guarded(tmp_path) as visitor:
        id = vista.id_of(vista.create(BrowsedLamp))
        assert send(visitor, "alice", id).status == 200
        assert send(visitor, "alice", id, csrf_of="bob").status == 403


def test_users_act_as_the_profile_says(tmp_path: Path) -> None:
    profile = "ServerName localhost\nactAs alice guest\n"
    with guarded(tmp_path, profile) as visitor:
        id = vista.id_of(vista.create(BrowsedLamp))
        assert b"<strong>guest</strong>" in send(visitor, "alice", id).body
        user = visitor.site.node.kernel.user
        assert f"<strong>{user}</strong>".encode() in send(visitor, "bob", id).body


def test_without_a_guard_nobody_comes_in() -> None:
    with served() as site:
        made = vista.create(
            HTTPcreateObjectBrowserSession, "localhost", "/browser", authentication="site"
        )
        answer = Visitor(site, made).get("/", as_user("alice"))
        assert answer.status == 403
        assert b"behind no HTTPprotectedDirectory" in answer.body


def test_it_is_either_a_link_or_the_site() -> None:
    with served(), pytest.raises(BadValueError, match=r"link or site, not 'none'"):
        vista.create(HTTPcreateObjectBrowserSession, "localhost", authentication="none")
