"""The login page: a file with server-side includes, carried out for whoever asks.

The lists of the page are addresses of the site, so a page of one's own may include them as well.
Here they are made for the visitor: his token is in his form, and what he typed.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from urllib.parse import parse_qsl

import vista
from apps.http.browser.markup import tag
from apps.http.content.ssi.errors import LoadFailed
from apps.http.content.ssi.loading import Document, Facts, Path, show
from apps.http.content.ssi.processor import process
from apps.starship.pages.login import create_html, list_html
from apps.starship.pages.page import Notice
from apps.starship.web.answers import Outcome
from apps.starship.web.captaincy import new_nonce

_log = logging.getLogger("vista.starship")

PATH: Path = ("starshipLogin.html",)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody at the login page: his forms' token, and what came of a form.

    ``form`` is the one that was sent, ``create`` or ``take``, or ``""`` for one of another page;
    ``typed`` is what was typed into it. ``left`` is the ship he has just left.
    """

    token: str = ""
    form: str = ""
    typed: Mapping[str, str] | None = None
    outcome: Outcome | None = None
    left: str = ""

    @property
    def notice(self) -> Notice | None:
        """What a form is told."""
        found = self.outcome
        return None if found is None else Notice(found.ok, found.code, found.text)


NOBODY = Visit()


class VisitLoader:
    """Gets what the login page includes, for one visitor; a `Loader` of the SSI processor."""

    def __init__(self, fragments: Mapping[str, Callable[[str], str]]) -> None:
        self._fragments = fragments

    def load(self, path: Path, query: str) -> Document:
        """Return one of the lists."""
        fragment = self._fragments.get(show(path))
        if fragment is None:
            raise LoadFailed(f"{show(path)} is no part of the login page")
        return Document(fragment(query))

    def look(self, path: Path) -> Facts:
        """Refuse: the page shows no files."""
        raise LoadFailed(f"{show(path)} is no part of the login page")

    def call(self, name: str, method: str, arguments: tuple[str, ...]) -> Document:
        """Refuse: the page calls nobody."""
        raise LoadFailed(f"{name} is no part of the login page")


def list_fragment(server: vista.Ref, query: str, visit: Visit = NOBODY) -> str:
    """Return a list of the ships as a part of a page; ``for`` in the query says which."""
    which = dict(parse_qsl(query, keep_blank_values=True)).get("for", "scan")
    own = visit if visit.form == which else replace(visit, typed=None, outcome=None)
    lists, typed = server.get_lists(), own.typed
    if which == "take" and visit.left:
        # It has a captain until the next step, who may well want to come back before that.
        own_rows = [row for row in lists["scan"] if row["name"] == visit.left]
        others = [row for row in lists["take"] if row["name"] != visit.left]
        lists, typed = {**lists, "take": [*own_rows, *others]}, {"ship": visit.left}
    return list_html(lists, which, visit.token, typed, own.notice)


def create_fragment(server: vista.Ref, query: str, visit: Visit = NOBODY) -> str:
    """Return the form that makes a ship, for somebody."""
    own = visit if visit.form == "create" else replace(visit, typed=None, outcome=None)
    return create_html(server.get_lists(), own.token, own.typed, own.notice, key=new_nonce())


def _notice_fragment(visit: Visit) -> str:
    """Return what came of a form that is not on the page, such as leaving a ship."""
    if visit.outcome is None or visit.form:
        return ""
    kind, role = ("notice", "status") if visit.outcome.ok else ("error", "alert")
    return tag("p", visit.outcome.text, class_=kind, role=role, data_testid="notice")


def draw_login(server: vista.Ref, visit: Visit) -> str:
    """Return the login page as one visitor sees it."""
    loader = VisitLoader(
        {
            "/starship/list.html": lambda query: list_fragment(server, query, visit),
            "/starship/create.html": lambda query: create_fragment(server, query, visit),
            "/starship/notice.html": lambda query: _notice_fragment(visit),
        }
    )
    made = process(_template(), {}, loader, time.time(), path=PATH)
    for problem in made.problems:
        _log.warning("%s", problem)
    return made.text


@lru_cache(maxsize=1)
def _template() -> str:
    folder = resources.files("apps.starship.pages").joinpath("templates")
    return folder.joinpath("starshipLogin.html").read_text("utf-8")
