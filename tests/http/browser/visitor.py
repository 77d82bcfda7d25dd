"""Somebody at the object browser, who speaks HTTP and keeps a cookie; and what there is to see."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urlsplit

import vista
from apps.http.browser.service import HTTPcreateObjectBrowserSession
from tests.http.objects.served import Answer, Site, served

KEY = {"secret_key": b"k" * 32}


class BrowsedLamp(vista.Object):
    """A lamp <that> shines."""

    def create(self, watts: int = 60, other: vista.Ref | None = None) -> None:
        self.watts = watts
        self.other = other

    def dim(self, by: int = 1) -> int:
        """Make it darker."""
        if by > self.watts:
            raise ValueError("too dark <b>")
        self.watts -= by
        return self.watts

    def get_self(self) -> vista.Ref:
        return vista.self_ref(self)

    def whoever(self) -> str:
        return vista.current_user()

    def describe_user(self) -> dict[str, Any]:
        return {"user": vista.current_user(), "text": "x" * 100_000}


class BrowsedLiar(vista.Object):
    """Tells nonsense of itself."""

    def describe(self) -> Any:  # type: ignore[override]
        return ["nothing"]

    def methods(self) -> Any:
        raise RuntimeError("not <today>")

    def get_acl(self) -> Any:
        return "none"


class BrowsedOdd(vista.Object):
    """Tells nonsense of its parts."""

    def describe(self) -> Any:
        return {"class": 5, "doc": 6, "bases": 7, "variables": {"a": 1, 2: 3}, "services": None}

    def extract_instance_variables(self, *names: str, **bounds: int) -> Any:
        return {"a": b"\xff", "c": 5}

    def methods(self) -> Any:
        return {"x": 5}


class Visitor:
    """A client with a cookie."""

    def __init__(self, site: Site, service: vista.Ref, path: str = "/browser") -> None:
        self.site = site
        self.service = service
        self.path = path
        self.cookie = ""

    def get(self, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
        """The answer at an address below that of the browser."""
        cookie = [f"Cookie: {self.cookie}"] if self.cookie else []
        address = f"{self.path}{path}"
        return self.site.get(address, *cookie, *fields, method=method, body=body)

    def page(self, path: str, status: int = 200) -> str:
        """The text of a page."""
        answer = self.get(path)
        assert answer.status == status, answer.body
        return answer.body.decode()

    def post(self, path: str, *fields: str, **form: str) -> Answer:
        """The answer to a form."""
        kind = "Content-Type: application/x-www-form-urlencoded"
        return self.get(path, kind, *fields, method="POST", body=urlencode(form).encode())

    def enter(self, link: str = "") -> Answer:
        """Come in by a link, and keep the cookie."""
        link = link or self.service.new_link()
        query = urlsplit(link).query
        answer = self.get(f"/?{query}")
        self.cookie = answer.fields.get("set-cookie", "").partition(";")[0]
        return answer

    @property
    def csrf(self) -> str:
        """What this session's forms carry."""
        _, _, rest = self.page("/").partition('name="csrf" value="')
        return rest.partition('"')[0]

    def send(self, id: vista.Id, method: str, arguments: str = "") -> str:
        """Send a message by the form; return the page."""
        answer = self.post(f"/object/{id}/send", csrf=self.csrf, method=method, arguments=arguments)
        return answer.body.decode()


@contextmanager
def visited(user: str = "", authentication: str = "link", enter: bool = True) -> Iterator[Visitor]:
    """A site with the object browser, and somebody who has come in."""
    with served(settings=dict(KEY)) as site:
        made = vista.create(
            HTTPcreateObjectBrowserSession, "localhost", "/browser", user, authentication
        )
        visitor = Visitor(site, made)
        if enter and authentication == "link":
            visitor.enter()
        yield visitor


@contextmanager
def linked() -> Iterator[tuple[Visitor, vista.Node, vista.Ref]]:
    """The same with another node that is linked, and its ObjectCreator."""
    far = vista.Node("far", settings=dict(KEY)).start()
    try:
        url = far.call(lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url())
        with visited() as visitor:
            yield visitor, far, vista.create("ConnectToPeer", url).wait(30)
    finally:
        far.stop()


def node_text(creator: vista.Ref) -> str:
    """The identity of a node in text form."""
    return str(vista.id_of(creator)).partition("-")[0]
