"""A machine's part in the shop: a site with the pages, the pictures and the sessions."""

from __future__ import annotations

from pathlib import Path

import vista
from apps.http.objects.daemon import HTTPdaemon
from apps.http.objects.health import HTTPhealth
from apps.http.objects.loader import URLfileLoader
from apps.http.objects.proxy import HTTPproxy
from apps.http.objects.redirect import HTTPredirect
from apps.solidstate.web.classes import RegisterReplicaHTTPclass
from apps.solidstate.web.creating import PAGE, CreateReplicaHTTPsession

SITE = "shop"
"""The site of the shop, on each of its machines."""

HEALTH_PAGE = "/health"
MACHINES_PAGE = "/machines"

_HERE = Path(__file__).parent
TEMPLATES = str(_HERE / "templates")
STATIC = str(_HERE / "static")


class ShopServer(vista.Object, namespace="SolidState"):
    """Serves the shop on a machine of a pool, whose group has the sessions.

    rc line: ``ShopServer carts tcp:10.0.0.7:8080``

    ``create(pool, address="tcp:127.0.0.1:0", sessions_per_minute=0, machines="machines")``:
    ``pool`` is the name of the group; its founder has brought the class `ShopCart` into it.
    ``address`` is where the site listens, ``sessions_per_minute`` as of `CreateReplicaHTTPsession`;
    any number, since clients come through a front end. ``machines`` is a site elsewhere that
    answers for ``/machines``, where the foot of each page leads: see `ShopMachines`.

    ``/health`` says whether the machine wants clients: not before it is a member of the group.
    """

    def create(
        self,
        pool: str,
        address: str = "tcp:127.0.0.1:0",
        sessions_per_minute: float = 0.0,
        machines: str = "machines",
    ) -> None:
        """Make the site."""
        self.pool = pool
        self.daemon = vista.create(HTTPdaemon, "-", address, SITE)
        self.health = vista.create(HTTPhealth, SITE, HEALTH_PAGE)
        self.health.add_check("group", vista.self_ref(self))
        self._parts = [
            vista.create(URLfileLoader, SITE, "HTTPcachedFile", "/shop/", None, STATIC),
            vista.create(HTTPredirect, SITE, "/", f"{PAGE}?type={SITE}"),
            vista.create(HTTPproxy, SITE, MACHINES_PAGE, machines),
            vista.create(RegisterReplicaHTTPclass, SITE, SITE, "ShopCart", TEMPLATES),
            vista.create(CreateReplicaHTTPsession, SITE, "", pool, PAGE, sessions_per_minute),
        ]

    def delete(self) -> None:
        """Serve it no more."""
        for made in (*vars(self).get("_parts", ()), vars(self).get("health")):
            if made is not None:
                vista.post(made, "delete_yourself")
        if "daemon" in vars(self):
            vista.post(self.daemon, "delete_yourself")

    def get_url(self) -> str:
        """Return where the shop is on this machine."""
        told: str = self.daemon.get_url()
        return told

    def check_health(self) -> str | bool:
        """Tell whether this machine has a part in the group; its page of health asks."""
        here = vista.id_of(vista.here()).node
        found = any(row.name == self.pool and row.object.node == here for row in vista.services())
        return found or f"no member of group {self.pool} yet"
