"""Transaction types: which class a session of a type has, and the templates of its pages."""

from __future__ import annotations

import logging
import math
import socket
import time
from typing import Any

import vista
from apps.http.objects.found import service_name
from apps.solidstate.objects.classes import find_class, full_name
from apps.solidstate.web.bounds import PROBLEMS_MAX, TYPES_MAX
from apps.solidstate.web.state import HTTPreplicaStateVariable
from apps.solidstate.web.templates import Templates
from apps.solidstate.web.tickets import check_type
from vista import BadValueError

FIRST_PAGE = "index.html"
"""The page that a session begins with."""

ERROR_PAGE = "error.html"
"""The template for what a method raised; without it there is a plain page."""

_SERVICE = "ReplicaHTTPclass:"

_log = logging.getLogger("vista.solidstate")


class RegisterReplicaHTTPclass(vista.Object, namespace="SolidState"):
    """Makes a class a transaction type of a site: its objects are sessions, with pages of a folder.

    rc line: ``RegisterReplicaHTTPclass localhost shop ShopCart templates``, once the class is
    loaded

    ``create(site, type, class_name, directory)``: ``type`` is what the parameter ``type`` of an
    address names, ``class_name`` a `HTTPreplicaStateVariable`, ``directory`` the folder of its page
    templates: a session begins with ``index.html``, and ``error.html`` shows what went wrong, if it
    is there. Every server of the group has the same lines.

    The original's RegisterReplicaHTTPclass, whose page is lost.
    """

    def create(self, site: str, type: str, class_name: str, directory: str) -> None:
        """Register the type."""
        self.site = site
        self.type = check_type(type)
        self.class_name = full_name(class_name)
        _check_class(self.class_name)
        self.directory = directory
        self._templates = Templates(directory)
        if not self._templates.has(FIRST_PAGE, time.time()):
            raise BadValueError(f"{directory} has no {FIRST_PAGE}, with which a session begins")
        if len(types_of(site)) >= TYPES_MAX:
            raise BadValueError(f"{site} has {TYPES_MAX} transaction types, the most there can be")
        self._told: set[str] = set()
        vista.register_service(f"{_SERVICE}{name_of_site(site)}/{type}", vista.self_ref(self))

    def get_class_name(self) -> list[Any]:
        """Return name space, name and version of the class."""
        return self.class_name

    def has_page(self, page: str) -> bool:
        """Tell whether the folder has a template of this name."""
        return self._templates.has(page, time.time())

    def make_page(self, page: str, substitutions: dict[str, Any]) -> str:
        """Return a page of the folder with substitutions put in.

        Raises `BadValueError` for what cannot be put in, and where a template is missing.
        """
        made = self._templates.make(page, substitutions, time.time())
        for problem in made.problems:
            if problem not in self._told and len(self._told) < PROBLEMS_MAX:
                self._told.add(problem)
                _log.warning("%s%s", self.directory, problem)
        return made.text


def find_type(site: str, type: str) -> vista.Ref | None:
    """Return the `RegisterReplicaHTTPclass` of a type on this node, None where there is none."""
    return types_of(site).get(type)


def types_of(site: str) -> dict[str, vista.Ref]:
    """Return the types that this node has for a site; those of its peers are their own affair."""
    here = vista.id_of(vista.here()).node
    before = f"{_SERVICE}{name_of_site(site)}/"
    return {
        row.name.removeprefix(before): vista.ref_of(row.object)
        for row in vista.services()
        if row.name.startswith(before) and row.object.node == here
    }


def name_of_site(site: str) -> str:
    """Return the name of a site; ``-`` stands for that of the machine's name."""
    named = socket.gethostname() if site == "-" else str(site)
    return str(service_name(named)).partition(":")[2]


def shortest_life(class_name: list[Any]) -> float:
    """Return after how many seconds a session of a class may end at the earliest; else infinity."""
    found = find_class(class_name)
    assert found is not None, "a type is registered with a class that is loaded"
    lives = (found.cls.idle_seconds, found.cls.unused_seconds)
    return min((seconds for seconds in lives if seconds > 0), default=math.inf)


def _check_class(name: list[Any]) -> None:
    found = find_class(name)
    if found is None or not issubclass(found.cls, HTTPreplicaStateVariable):
        raise BadValueError(f"{name[1]} is no web application: inherit HTTPreplicaStateVariable")
