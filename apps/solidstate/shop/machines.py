"""The machines behind a shop, as a page: how each is, and in a demonstration switches to break one.

A switch kills processes and makes replicas lie. So there are none unless the rc line says so, and
not where anybody but this machine's own users could reach the page.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import vista
from apps.http.browser.entrance import is_same_origin
from apps.http.content.resources import Request, Response
from apps.solidstate.objects.mail import pool_service
from apps.solidstate.shop.front import ask_members
from apps.solidstate.shop.server import MACHINES_PAGE
from apps.solidstate.web.pages import SECURITY, plain_page, see_page
from apps.solidstate.web.reading import fields_of_form
from apps.solidstate.web.templates import Templates

MACHINES_MAX = 100
"""Machines that the page remembers when they do not answer."""

WORDS_CHARACTERS_MAX = 200
"""Characters of a machine's name, and of what it says it lacks, that the page shows."""

HOWS = {"kill": "killed", "stop": "stopped", "lie": "lies", "well": "well again"}
"""What the switches do, and what is said of it."""

SILENT = "does not answer"
"""How a machine is that does not say how it is."""

TOLD = HOWS | {"nothing": f"{SILENT}, so it is told nothing; make it well again first"}
"""What the page says of a switch that was thrown."""

_log = logging.getLogger("vista.solidstate")

_PANEL = str(Path(__file__).parent / "panel")


class ShopMachines(vista.Object, namespace="SolidState"):
    """The page ``/machines`` of a shop: its machines, each with view, primary and lag.

    rc line: ``ShopMachines carts $front``, on the node of the front end; with switches
    ``ShopMachines carts $front yes``

    ``create(pool, front, switches=False, site="machines")``: ``front`` is the `ForwardToPool` that
    the clients come by. The `ShopServer` objects have the page answered by ``site``, which this
    object makes. ``switches`` are for demonstrations: whoever sees the page can kill and stop
    machines and make them lie, which they do if their members of the pool know the message
    ``fail``, as those of ``rc/solidstate-cart.rc`` do. Raises `BadValueError` for switches behind a
    front end that listens anywhere but at a loopback address.
    """

    def create(
        self, pool: str, front: vista.Ref, switches: bool = False, site: str = "machines"
    ) -> None:
        """Make the site."""
        self.pool = pool
        self.front = front
        self.switches = switches
        if switches and not _is_loopback(front.get_address().removeprefix("tcp:")):
            raise vista.BadValueError(
                f"switches that kill machines are for a front end at a loopback address, not at "
                f"{front.get_address()}"
            )
        self._key = secrets.token_urlsafe(32)
        self._templates = Templates(_PANEL)
        # By node, and not by name: what a machine says it is called may be the name of another.
        self._known: dict[bytes, dict[str, Any]] = {}
        self.url_directory = vista.create("URLdirectory", site)
        self.url_directory.register_object(MACHINES_PAGE, vista.self_ref(self))
        root = front.get_url().rstrip("/")
        _log.info("the shop is at %s/ and its machines are at %s%s", root, root, MACHINES_PAGE)

    def delete(self) -> None:
        """Take the site away."""
        if "url_directory" in vars(self):
            vista.post(self.url_directory, "delete_yourself")

    # --- the page --------------------------------------------------------------------------

    def get_request(self, request: Request) -> Response:
        """Answer with the page."""
        rows = self._look()
        servers = [
            {key: value for key, value in row.items() if key != "member"}
            for row in rows
            if row["number"] != ""
        ]
        wrong = sum(row["state"] != "well" for row in servers)
        values = {
            "machines": servers,
            "group": self.pool,
            "wrong": wrong,
            "tolerated": max((row["faults"] for row in servers), default=1),
            "told": TOLD.get(_told(request), ""),
            "about": _about(request, rows),
        }
        made = self._templates.make("machines.html", values, time.time())
        return Response(made.text, 200, SECURITY)

    def post_request(self, request: Request) -> Response:
        """Throw a switch."""
        fields = fields_of_form(request)
        given = fields.get("key", "").encode()
        if not self.switches:
            return plain_page(403, "This page has no switches.")
        host = request.field("Host")
        if not (is_same_origin(request.field("Origin"), host) and _is_loopback(host)):
            return plain_page(403, "The form comes from another site.")
        if not hmac.compare_digest(given, self._key.encode()):
            return plain_page(403, "The form is an old one. Load the page again.")
        how, _, name = fields.get("do", "").partition(" ")
        self._look()
        meant = [row for row in self._known.values() if row["name"] == name]
        if how not in HOWS or not meant:
            return plain_page(404, "There is no such machine, or no such switch.")
        if len(meant) > 1:
            return plain_page(409, "Two machines say that they are this one, and one of them lies.")
        [machine] = meant
        if how != "well" and machine["state"] == SILENT:
            # 1. A machine that serves this page stops and does not answer the form. 2. The browser
            # sends the form again. 3. That waits at the machine until it is woken, and stops it.
            how = "nothing"
        else:
            self._throw(how, machine)
        return see_page(f"{MACHINES_PAGE}?did={how}&machine={machine['number']}")

    def _throw(self, how: str, machine: dict[str, Any]) -> None:
        if how == "well":
            # One that is stopped hears nothing: this node's own member wakes it up.
            vista.post(self._own_member(), "wake", machine["pid"])
        # Not waited for: one that is killed does not answer.
        vista.post(machine["member"], "fail", how)

    def _own_member(self) -> vista.Id:
        here = vista.id_of(vista.here()).node
        return self._members()[here]

    def _members(self) -> dict[bytes, vista.Id]:
        name = pool_service(self.pool)
        return {row.object.node: row.object for row in vista.services() if row.name == name}

    def _look(self) -> list[dict[str, Any]]:
        """Ask the machines, and return a row for each, also for those that do not answer."""
        members = self._members()
        told = ask_members(members)
        found = [_server_of(status, self.pool) for status in told.values()]
        furthest = max((_whole(server.get("executed")) for server in found), default=0)
        clients = {row["name"].partition(" at ")[0]: row for row in self.front.get_servers()}
        for node, status in told.items():
            row = _row(status, self.pool, furthest)
            row["member"] = members[node]
            if node in self._known or len(self._known) < MACHINES_MAX:
                self._known[node] = row
        self._forget(told)
        for node, row in self._known.items():
            if node not in told:
                row |= {"state": SILENT, "bad": True, "primary": False}
            served = clients.get(row["name"])
            row["front"] = served["state"] if served else "out: not there"
            row["open"] = served["open"] if served else 0
            row["key"] = self._key if self.switches else ""
        return sorted(self._known.values(), key=lambda row: (str(row["number"]), row["name"]))

    def _forget(self, told: Mapping[bytes, Any]) -> None:
        """Forget machines that do not answer where another one has come under their names."""
        heard = {self._known[node]["name"] for node in told if node in self._known}
        for node in [node for node in self._known if node not in told]:
            if self._known[node]["name"] in heard:
                del self._known[node]


def _row(status: dict[str, Any], pool: str, furthest: int) -> dict[str, Any]:
    """Return what the page shows of a machine that answers; what it tells may be anything."""
    server = _server_of(status, pool)
    row = {
        "name": _name_of(status), "pid": _whole(status.get("pid")), "number": "", "faults": 1,
        "view": "", "executed": "", "behind": "", "primary": False, "state": "well", "bad": False,
    }  # fmt: skip
    if server:
        row |= {"number": _whole(server.get("id")), "faults": _whole(server.get("faults"))}
        if server.get("runs"):
            executed = _whole(server.get("executed"))
            row |= {"view": _whole(server.get("view")), "executed": executed}
            row["behind"] = furthest - executed
            row["primary"] = server.get("primary") == row["number"]
        else:
            row["state"] = str(server.get("ails") or "starts")[:WORDS_CHARACTERS_MAX]
        if not server.get("voting", True):
            row["state"] = "follows without a vote"
    if status.get("lies"):
        row["state"] = "lies"
    row["bad"] = row["state"] != "well"
    return row


def _server_of(status: dict[str, Any], pool: str) -> dict[str, Any]:
    servers = status.get("servers")
    server = servers.get(pool) if type(servers) is dict else None
    return server if type(server) is dict else {}


def _name_of(status: dict[str, Any]) -> str:
    return str(status.get("node"))[:WORDS_CHARACTERS_MAX]


def _whole(value: Any) -> int:
    return value if type(value) is int else 0


def _told(request: Request) -> str:
    return _parameter(request, "did")


def _about(request: Request, rows: list[dict[str, Any]]) -> str:
    number = _parameter(request, "machine")
    return next((row["name"] for row in rows if str(row["number"]) == number), "")


def _parameter(request: Request, name: str) -> str:
    for part in request.query.split("&"):
        found, _, value = part.partition("=")
        if found == name and value.isalnum():
            return value
    return ""


def _is_loopback(place: str) -> bool:
    """Tell whether a host, with or without a port, is this machine as it alone sees it."""
    try:
        host = urlsplit(f"//{place}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
