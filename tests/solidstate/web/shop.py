"""A web application on a pool of servers in a simulated world, and browsers that visit it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import vista
from apps.http.content.resources import Request, Response, prepare
from apps.http.errors import RequestRejected
from apps.http.objects.asking import ask
from apps.solidstate.objects.member import ReplicaPoolMember
from apps.solidstate.objects.replicated import read_only
from apps.solidstate.web.creating import CreateReplicaHTTPsession
from apps.solidstate.web.session import HTTPreplicaClientProxy
from apps.solidstate.web.state import HTTPreplicaStateVariable
from tests.solidstate.objects.pool import POOL, TIN, Pool
from vista.testing import SimulatedNode, World

SITE = "shop.example"
AT_ONCE = 8
LOCAL_MAX = 12
TOUCH_SECONDS = 10.0
RETIRE_SECONDS = 40.0
TEMPLATES = str(Path(__file__).parent / "templates")
_KEY = re.compile(r'name="key" value="([0-9a-f]{64})"')


def drawn(count: int) -> bytes:
    """Bytes that the world's seed draws, in the place of the machine's own."""
    assert TIN.world is not None
    return TIN.world.hub.random.randbytes(count)


class SimulatedHTTPsessions(CreateReplicaHTTPsession, namespace="SolidState"):
    """Begins sessions with what the seed draws; few at once, and has objects for few."""

    sessions_at_once = AT_ONCE
    local_sessions_max = LOCAL_MAX
    retire_seconds = RETIRE_SECONDS

    def _draw(self) -> str:
        return drawn(32).hex()[:43]


class SimulatedHTTPproxy(HTTPreplicaClientProxy, namespace="SolidState"):
    """Draws keys by the seed; soon tells the group that a session is used."""

    touch_seconds = TOUCH_SECONDS

    def _draw(self) -> bytes:
        return drawn(16)


class WebCart(HTTPreplicaStateVariable):
    """A cart that counts, and fails in every way when it is asked to."""

    def create(self) -> None:
        self.items: dict[str, int] = {}

    @read_only
    def show(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        if "fail" in query:
            raise KeyError("secret of the class")
        if "odd" in query:
            return {"lines": {1, 2}}
        rows: list[Any] = [{"name": name, "count": self.items[name]} for name in sorted(self.items)]
        return {"lines": rows, "kinds": len(rows)}

    def process_request(self, fields: dict[str, str]) -> dict[str, Any]:
        name = fields.get("name", "")
        if name == "endless":
            while True:
                name = "endless"
        if name == "broken":
            raise KeyError("secret of the class")
        if name == "unfit":
            return {"page": object()}
        if name == "nowhere":
            return {"page": "../index.html"}
        if not name:
            raise ValueError("Say what you <would> like.")
        self.items[name] = self.items.get(name, 0) + 1
        return {"page": "index.html", "query": {"count": self.items[name]}}


class ShopPool(Pool):
    """A pool of four servers, some of which serve the site, also when they come back."""

    def __init__(
        self,
        world: World,
        serving: Sequence[str],
        serve: Callable[[], None],
        members: dict[str, type[ReplicaPoolMember]] | None = None,
    ) -> None:
        self._serving = frozenset(serving)
        self._serve = serve
        super().__init__(world, members=members)

    def _boot(self, node: SimulatedNode) -> None:
        super()._boot(node)
        if node.name in self._serving:
            self._serve()


class Shop:
    """A site that servers of a pool serve; the front end founds the group.

    ``serving`` are the servers, ``serve`` what their rc files do, ``cls`` the class of sessions.
    """

    def __init__(
        self,
        world: World,
        serving: Sequence[str] = ("server-0", "server-1"),
        serve: Callable[[], None] | None = None,
        cls: type[HTTPreplicaStateVariable] = WebCart,
        found: bool = True,
        members: dict[str, type[ReplicaPoolMember]] | None = None,
    ) -> None:
        self.pool = ShopPool(world, serving, serve or serve_site, members)
        if found:
            self.pool.found(POOL, 1, cls.__name__, "sessions/pattern", cls=cls)

    def browser(self, client: str = "10.0.0.1") -> Browser:
        """A browser without cookies."""
        return Browser(self, client)


def serve_site(kind: str = "WebCart", templates: str = TEMPLATES, per_minute: float = 60) -> None:
    """What the rc file of a server does."""
    vista.create("URLdirectory", SITE)
    vista.create("RegisterReplicaHTTPclass", SITE, "shop", kind, templates)
    sessions = vista.create(
        SimulatedHTTPsessions, SITE, "SimulatedHTTPproxy", "", "/transactions", per_minute
    )
    vista.register_service("sessions", sessions)


@dataclass
class Browser:
    """Somebody's browser: it keeps cookies, and follows where it is led if asked to."""

    shop: Shop
    client: str = "10.0.0.1"
    cookies: dict[str, str] = field(default_factory=dict)
    at: str = ""
    text: str = ""

    def ask(
        self, server: str, method: str, target: str, form: dict[str, str] | None = None, **more: str
    ) -> Response:
        """Ask a server for an address; from outside of its node."""
        node = self.shop.pool.node(server)
        answer: Response = node.call(lambda: self.ask_here(method, target, form, **more))
        return answer

    def ask_here(
        self, method: str, target: str, form: dict[str, str] | None = None, **more: str
    ) -> Response:
        """Ask the node on which this runs."""
        return self.send_here(self.request(method, target, form, **more))

    def send(self, server: str, request: Request) -> Response:
        """Send a request to a server."""
        answer: Response = self.shop.pool.node(server).call(lambda: self.send_here(request))
        return answer

    def send_here(self, request: Request) -> Response:
        """Send a request to the node on which this runs."""
        try:
            answer = ask(vista.service(f"URLdirectory:{SITE}"), request)
        except RequestRejected as error:
            return Response(error.explain, error.status)
        assert isinstance(answer, Response)
        assert prepare(answer).prepared, "a connection has to be able to send it"
        self.take(answer)
        return answer

    def request(
        self, method: str, target: str, form: dict[str, str] | None = None, **more: str
    ) -> Request:
        """The request that is sent."""
        path, _, query = target.partition("?")
        header = {"host": SITE, **{name.replace("_", "-"): value for name, value in more.items()}}
        if self.cookies:
            pairs = [f"{name}={value}" for name, value in self.cookies.items()]
            header.setdefault("cookie", "; ".join(pairs))
        body = b""
        if form is not None:
            header.setdefault("origin", f"http://{SITE}")
            header["content-type"] = "application/x-www-form-urlencoded"
            body = urlencode(form).encode()
        return Request(
            method, path, query, "\n".join(header), "\n".join(header.values()), body,
            SITE, SITE, self.client,
        )  # fmt: skip

    def take(self, answer: Response) -> None:
        """Keep what an answer brought."""
        for name, value in answer.fields or ():
            if name == "Set-Cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
            if name == "Location":
                self.at = value
        self.text = answer.body if isinstance(answer.body, str) else answer.body.decode()

    # --- what people do --------------------------------------------------------------------

    def begin(self, server: str) -> None:
        """Begin a session and look at its first page."""
        self.ask(server, "GET", "/transactions?type=shop")
        self.look(server)

    def look(self, server: str) -> Response:
        """Look at where one was led."""
        return self.ask(server, "GET", self.at)

    @property
    def key(self) -> str:
        """The key of the form on the page."""
        found = _KEY.search(self.text)
        assert found is not None, self.text
        return found.group(1)

    @property
    def address(self) -> str:
        """The address of the session, without parameters."""
        return self.at.partition("?")[0]

    @property
    def id(self) -> str:
        """The Id of the session."""
        return self.address.split("/")[3]

    def put(self, server: str, name: str, key: str | None = None, **more: str) -> Response:
        """Send the form on the page."""
        form = {"key": self.key if key is None else key, "name": name}
        return self.ask(server, "POST", self.address, form, **more)


def field_of(answer: Response, name: str) -> str:
    """The field of an answer, empty if it has none."""
    return next((value for own, value in answer.fields or () if own.lower() == name.lower()), "")
