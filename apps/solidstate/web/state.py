"""What the state variable of a web application inherits from.

Its methods are executed by every replica, so nothing here knows pages, addresses or the world.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from apps.solidstate.web.bounds import ANSWERS_MAX, SESSION_SECONDS, UNUSED_SECONDS


class HTTPreplicaStateVariable(ReplicatedObject, namespace="SolidState", abstract=True):
    """What a class inherits from whose objects are the sessions of a web application.

    The servers of a group keep a session, and each of them serves it::

        class TeaCart(HTTPreplicaStateVariable):
            def create(self) -> None:
                self.items = {}

            @read_only
            def show(self, page: str, query: dict[str, str]) -> dict[str, Any]:
                rows = [{"name": name, "count": self.items[name]} for name in sorted(self.items)]
                return {"lines": rows, "kinds": len(rows)}

            def process_request(self, fields: dict[str, str]) -> dict[str, Any]:
                name = fields.get("name", "")
                if not name:
                    raise ValueError("Say what you would like.")
                self.items[name] = self.items.get(name, 0) + 1
                return {"page": "index.html", "query": {"added": name}}

    `RegisterReplicaHTTPclass` makes it a transaction type with a folder of page templates, and
    `CreateReplicaHTTPsession` serves it. What `ReplicatedObject` says of methods holds here too.
    ``create`` takes no arguments. The class bounds what a session may hold: users are strangers.

    A session ends in which nothing was changed for ``idle_seconds``, by default a day, or nothing
    ever for ``unused_seconds``, an hour; not before its outbox is empty.

    The original's HTTPreplicaStateVariable. Of its messages ``noteServerName`` and
    ``loadAndRegister`` are answered by `HTTPreplicaClientProxy`, since replicas have no sites.
    """

    idle_seconds: ClassVar[float] = SESSION_SECONDS
    unused_seconds: ClassVar[float] = UNUSED_SECONDS
    answers_max: ClassVar[int] = ANSWERS_MAX

    @read_only
    def show(self, page: str, query: dict[str, str]) -> dict[str, Any]:
        """Return what a page shows: its substitutions by name.

        ``page`` is the name of the template, such as ``index.html``, ``query`` the parameters of
        the address. A substitution is a text, a number, a bool or None, or a list of dicts, each of
        which is a row of the page.
        """
        return {}

    def process_request(self, fields: dict[str, str]) -> dict[str, Any]:
        """Do what a form asks for; return which page comes next.

        ``fields`` are the values of the form by name. The result has ``page``, and may have
        ``query``, texts or numbers by name: the browser is led there, so that reloading the page
        does nothing twice. The words of a `ValueError` are shown to the user.
        """
        raise ValueError("This page takes no forms.")

    def note_use(self) -> None:
        """Take note that the session is used, which any call does that may change it."""

    @staticmethod
    def collapse_form(data: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return pairs of names and values as a dict; of a name that stands twice the last one.

        >>> HTTPreplicaStateVariable.collapse_form([("tea", "1"), ("tea", "2")])
        {'tea': '2'}
        """
        return dict(data)
