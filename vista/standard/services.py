"""Services every node may have: an orderly end, and statistics to ask for."""

from __future__ import annotations

import difflib
import logging
import socket

from vista.api import current_user, future, register_service, self_ref, statistics
from vista.counted import counted
from vista.errors import AccessDenied, BadValueError, CallError, CallTimeout, Overloaded
from vista.kernel.current import kernel
from vista.kernel.objects import Object
from vista.standard.bounds import READ_BYTES_DEFAULT, SUBSCRIBERS_MAX, VECTORS_MAX
from vista.standard.notices import Target, client_or_sender

_log = logging.getLogger(__name__)


class ShutdownService(Object, namespace="Standard"):
    """Ends the node in good order: tells who asked to be told, waits for them, then stops it.

    rc line: ``ShutdownService``

    ``create()`` registers service ``ShutdownService``; a node has one at most. The `vista` command
    sends it `shutdown` when it gets SIGTERM or SIGINT.

    Notification: ``system_shutdown()``, sent to all subscribers at once. They have together
    ``limits.drain_seconds`` to answer; who fails or takes longer is named in the log.

    The original's ShutdownService, whose page is lost; its users show what it did.
    """

    def create(self) -> None:
        """Register the service."""
        self.subscribers: list[Target] = []
        self.reason: str | None = None
        register_service("ShutdownService", self_ref(self))

    def register(self, client: Target | None = None) -> None:
        """Have ``client``, the sender when left out, told when the node is about to stop.

        Registering twice is registering once. Raises `Overloaded` when there are 1,000 already.
        """
        target = client_or_sender(client)
        if target not in self.subscribers:
            if len(self.subscribers) >= SUBSCRIBERS_MAX:
                raise Overloaded(f"a ShutdownService has at most {SUBSCRIBERS_MAX} subscribers")
            self.subscribers.append(target)

    def subscribe(self, client: Target | None = None) -> None:
        """`register` by the name other services use."""
        self.register(client_or_sender(client))

    def unregister(self, client: Target | None = None) -> None:
        """Have ``client``, the sender when left out, told no more."""
        target = client_or_sender(client)
        if target in self.subscribers:
            self.subscribers.remove(target)

    def get_reason(self) -> str | None:
        """Return why the node stops, or None when it does not."""
        return self.reason

    def shutdown(self, reason: str = "") -> dict[str, int]:
        """Tell everybody and stop the node. Waits for the subscribers, not for the stop.

        ``reason`` goes into the log. Returns how many subscribers were ``told`` and how many
        ``failed``. A second request while the first is under way tells nobody again.

        Raises `AccessDenied` for another than the node's own user, unless the object has an access
        list, which then decides.
        """
        user = current_user()
        if user != kernel().user and self.get_acl() is None:
            raise AccessDenied(f"user {user!r} may not stop this node")
        if self.reason is not None:
            return {"told": 0, "failed": 0}
        self.reason = reason
        told = counted(len(self.subscribers), "subscriber")
        _log.info("shutdown%s: telling %s", f" ({reason})" if reason else "", told)
        failures = self._tell_all()
        for target, error in failures:
            _log.warning("shutdown: %s did not end in good order: %s", target, error)
        kernel().request_stop(reason or "shutdown")
        return {"told": len(self.subscribers) - len(failures), "failed": len(failures)}

    def _tell_all(self) -> list[tuple[Target, BaseException]]:
        """Send to all at once, wait within the bound, and return who failed and how."""
        clock = kernel().hub.time
        due = clock() + kernel().limits.drain_seconds
        failures: list[tuple[Target, BaseException]] = []
        calls = []
        for target in self.subscribers:
            try:
                calls.append((target, future(target, "system_shutdown")))
            except CallError as error:
                failures.append((target, error))
        for target, call in calls:
            try:
                failure = call.exception(timeout=max(0.0, due - clock()))
            except CallTimeout as late:
                call.cancel()
                failure = late
            if failure is not None:
                failures.append((target, failure))
        return failures


class Statistics(Object, namespace="Standard"):
    """Answers what the node has counted, by message: so that peers and displays can ask.

    rc line: ``Statistics``

    ``create()`` registers service ``Statistics``. The attributes are those of ``vista.statistics``;
    input and output are counted under the original's names, ``IOtotalFileReads`` and so on, an
    attribute appearing when it is first counted. ``IOmaxReadBuffer`` and ``IOmaxVectors`` are
    bounds: bytes a ``read_bytes`` returns when no length is given, and vectors one write takes.

    The original keeps these as system information attributes.
    """

    def create(self) -> None:
        """Register the service."""
        register_service("Statistics", self_ref(self))

    def get_statistics(self) -> dict[str, object]:
        """Return every attribute with its present value."""
        return {
            **statistics(),
            "hostName": socket.gethostname(),
            "IOmaxReadBuffer": READ_BYTES_DEFAULT,
            "IOmaxVectors": VECTORS_MAX,
        }

    def get_attribute(self, name: str) -> object:
        """Return one attribute; 0 for one of input and output that was not counted yet.

        Raises `BadValueError` for a name there is none of, with near misses.
        """
        everything = self.get_statistics()
        if name not in everything and name.startswith("IOtotal"):
            return 0
        if name not in everything:
            near = difflib.get_close_matches(name, everything, 3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise BadValueError(f"no statistics attribute {name!r}{hint}")
        return everything[name]
