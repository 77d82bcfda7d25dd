"""Sets the site of the game up on a server of HTTP, as soon as both are there."""

from __future__ import annotations

import logging
from importlib import resources

import vista
from apps.http.objects.found import service_name
from apps.starship.web.answers import LOGIN
from apps.starship.web.limits import read_words
from apps.starship.web.site import ROOT, StarshipSite

_log = logging.getLogger("vista.starship")

LOOK_SECONDS = 0.25
"""How often it is looked for what is not there yet."""
LOOKS_SILENT = 40
"""Looks after which the log says what is missing."""
PROVING = "StarshipServer"
"""The class of those servers that have to prove who their captains are."""
SERVERS = frozenset({"StarshipOwnSecondary", "StarshipSecondary", PROVING})
"""The classes of the objects that have a game's state; a primary makes one on its node."""


class StarshipHTTPsetup(vista.Object, namespace="StarShip"):
    """Puts the web site of the game on a site of this node's HTTP server.

    rc line: ``StarshipHTTPsetup www.domain.com``

    ``create(site, *words)``: ``site`` is the logical name of the site. The game is shown as the
    `StarshipPrimary`, `StarshipSecondary` or `StarshipServer` of this node has it; the order of the
    rc lines does not matter. The login page is ``/starshipLogin.html``, everything else stands
    below ``/starship/``. The original's second argument, whether Flash draws, is taken, and
    answered in the log: SVG draws. Further words are bounds such as ``requests_per_second=100``, of
    `SiteLimits`.

    The original's StarshipHTTPsetup.
    """

    def create(self, site: str, *words: str) -> None:
        """Begin to look for the server of HTTP and that of the game."""
        flash, self.limits = read_words(words)
        if flash:
            _log.warning("Flash is gone since 2020: the game of %s is drawn with SVG", site)
        self.site_name = site
        self.site: vista.Ref | None = None
        self.files: vista.Ref | None = None
        self.server: vista.Ref | None = None
        self.introduces = False
        self.looks = 0
        vista.self_ref(self).look.post()

    def delete(self) -> None:
        """Take the site along."""
        # In flight and not waited for: they may be gone, which is nobody's mistake.
        for part in (self.site, self.files):
            if part is not None:
                vista.future(part, "delete_yourself")

    def get_site(self) -> vista.Ref | None:
        """Return the object of the pages, None while there is no server of HTTP."""
        return self.site

    def get_server(self) -> vista.Ref | None:
        """Return the server whose state is shown, None while there is none."""
        return self.server

    def look(self) -> None:
        """See whether what is missing is there; the site posts it when its server is gone."""
        if self.site is None:
            self._open_site()
        found = self._find_server()
        self.server = self.server if found is not None else None
        if self.site is not None and found is not None and found != self.server:
            self.server = found
            self.site.set_server(found, self.introduces)
            root = self._root()
            found.set_url(root)
            _log.info("the game is played at %s%s", root or f"site {self.site_name}: ", LOGIN)
        if self.site is None or found is None:
            self._look_again()

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Look again; the timer sends it."""
        self.look()

    def _look_again(self) -> None:
        self.looks += 1
        if self.looks == LOOKS_SILENT:
            what = (
                f"an HTTPdaemon of site {self.site_name}"
                if self.site is None
                else "a StarshipPrimary, a StarshipSecondary or a StarshipServer"
            )
            _log.warning("StarshipHTTPsetup waits for %s on this node", what)
        vista.create("TimerEvent", vista.self_ref(self), LOOK_SECONDS)

    def _open_site(self) -> None:
        directory = self._own_directory()
        if directory is None:
            return
        me = vista.self_ref(self)
        static = str(resources.files("apps.starship.pages").joinpath("static"))
        self.site = vista.create(StarshipSite, directory, self.limits, me)
        self.files = vista.create(
            "URLfileLoader", directory, "HTTPrawCachedFile", f"{ROOT}/static/", None, static
        )

    def _own_directory(self) -> vista.Ref | None:
        """Return the directory of the site on this node: a peer may have a site of that name."""
        node, name = vista.id_of(vista.here()).node, service_name(self.site_name)
        for row in vista.services():
            if row.name == name and row.object.node == node:
                return vista.ref_of(row.object)
        return None

    def _root(self) -> str:
        """Return the URL of the site without a slash at its end; empty where nobody listens."""
        for row in vista.objects():
            if row.class_name.rpartition(".")[2] == "HTTPdaemon":
                daemon = vista.ref_of(row.id)
                told = daemon.extract_instance_variables("site").get("site")
                if told == self.site_name:
                    return str(daemon.get_url()).rstrip("/")
        return ""

    def _find_server(self) -> vista.Ref | None:
        for row in vista.objects():
            name = row.class_name.rpartition(".")[2]
            if name in SERVERS:
                self.introduces = name == PROVING
                return vista.ref_of(row.id)
        return None
