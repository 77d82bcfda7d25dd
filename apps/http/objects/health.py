"""Whether a site is well, for those who send it requests and those who restart it.

Two questions, which must not be mixed up: a node that does not answer *live* is restarted, one that
is not *ready* gets no requests for a while. So what a node depends on counts for the second only.
"""

from __future__ import annotations

import contextlib
import json
import logging
import time

import vista
from apps.http.content.resources import Request, Response
from apps.http.objects.found import service_name

_log = logging.getLogger("vista.http")

CHECK_SECONDS = 2.0
"""How long all checks together may take; one that has not answered by then failed."""
CHECKED_SECONDS = 1.0
"""How long an outcome is good: however often somebody asks, the checks run once a second."""
CHECKS_MAX = 100
"""Checks that a page has at most: each is a message each second."""
REASON_CHARS_MAX = 200
"""Characters of what a check says is wrong."""


class HTTPhealth(vista.Object, namespace="HTTP"):
    """Two pages that say whether the node is well, as JSON.

    rc line: ``HTTPhealth localhost /health``

    ``create(site, path)``. ``PATH/live`` is 200 as long as the node answers at all. ``PATH`` and
    ``PATH/ready`` are 200 when requests are welcome, and 503 while the node stops, after
    `take_out`, and when one of the checks that were added failed::

        {"status": "failed", "checks": {"database": "no connection"}}

    An object that knows whether something works registers with `add_check`. The checks run side by
    side, once a second at most.
    """

    def create(self, site: str, path: str = "/health") -> None:
        """Register for the addresses."""
        self.path = path.rstrip("/")
        self.checks: dict[str, tuple[vista.Ref, str]] = {}
        self.out: str | None = None
        self.stopping = False
        self._outcome: dict[str, str] = {}
        self._checked: float | None = None
        me = vista.self_ref(self)
        self.url_directory = vista.service(service_name(site))
        for place in self._places():
            self.url_directory.register_object(place, me)
        with contextlib.suppress(vista.NoSuchService):
            vista.send("ShutdownService", "register", me)

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        for place in self._places():
            # In flight and not waited for: the directory may be gone, which is nobody's mistake.
            vista.future(self.url_directory, "unregister_object", place, me)

    def add_check(
        self, name: str, target: vista.Ref | vista.Id | str, message: str = "check_health"
    ) -> None:
        """Have an object asked whether it is well; ``target`` is a Ref, an Id or a service name.

        It is sent ``check_health()``, or another message, and returns None or True when it is.
        False and a text, which says what is wrong, make the node not ready; so does an error, or
        no answer in 2 seconds. ``name`` names the check in the page, in the place of another one of
        that name. Raises `Overloaded` when there are 100 already.
        """
        if name not in self.checks and len(self.checks) >= CHECKS_MAX:
            raise vista.Overloaded(f"a HTTPhealth has at most {CHECKS_MAX} checks")
        self.checks[name] = (vista.ref_of(target), message)
        self._outcome[name] = "not checked yet"
        self._checked = None

    def remove_check(self, name: str) -> bool:
        """Remove a check; return whether there was one of this name."""
        self._outcome.pop(name, None)
        return self.checks.pop(name, None) is not None

    def take_out(self, reason: str = "taken out") -> None:
        """Say from here on that no requests are welcome, though all are answered; see `put_back`.

        Done some seconds before a stop, nobody sends requests to a node that goes.
        """
        self.out = reason

    def put_back(self) -> None:
        """Undo `take_out`."""
        self.out = None

    def system_shutdown(self) -> None:
        """Say from here on that no requests are welcome; ``ShutdownService`` sends it."""
        self.stopping = True

    def get_request(self, request: Request) -> Response:
        """Answer whether the node is live, or ready."""
        if request.path.endswith("/live"):
            return _answer(200, "live", {})
        if self.stopping:
            return _answer(503, "stopping", {})
        if self.out is not None:
            return _answer(503, self.out, {})
        failed = self._failed()
        if not failed:
            return _answer(200, "ready", dict.fromkeys(self.checks, "ok"))
        return _answer(503, "failed", {name: failed.get(name, "ok") for name in self.checks})

    def _places(self) -> tuple[str, str, str]:
        return (self.path or "/", f"{self.path}/live", f"{self.path}/ready")

    def _failed(self) -> dict[str, str]:
        """Return what is wrong by the name of the check, as it was a second ago at most."""
        if not self.checks:
            return {}
        now = time.monotonic()
        if self._checked is None or now - self._checked >= CHECKED_SECONDS:
            # Before they run: who asks meanwhile gets the outcome before, and starts none.
            self._checked = now
            before, self._outcome = self._outcome, _run(self.checks)
            for name in sorted(self._outcome.keys() - before.keys()):
                _log.warning("check %s failed: %s", name, self._outcome[name])
        return self._outcome


def _run(checks: dict[str, tuple[vista.Ref, str]]) -> dict[str, str]:
    """Run the checks side by side; return what is wrong."""
    calls = {}
    failed = {}
    with vista.timeout(CHECK_SECONDS):
        for name, (target, message) in checks.items():
            try:
                calls[name] = vista.future(target, message)
            except vista.VistaError as refusal:  # such as that it has too much to do
                failed[name] = str(refusal)[:REASON_CHARS_MAX]
        for name, call in calls.items():
            error = call.exception()
            answer = str(error) or type(error).__name__ if error is not None else call.result()
            if answer is not None and answer is not True:
                wrong = answer if isinstance(answer, str) and answer else "not well"
                failed[name] = wrong[:REASON_CHARS_MAX]
    return failed


def _answer(status: int, words: str, checks: dict[str, str]) -> Response:
    body = json.dumps({"status": words, "checks": checks} if checks else {"status": words})
    retry = () if status == 200 else (("Retry-After", "5"),)
    fields = (("Content-Type", "application/json"), ("Cache-Control", "no-store"), *retry)
    return Response(body + "\n", status, fields)
