"""The test hooks as addresses: steps by hand, other galaxies, hashes, dropped servers."""

from __future__ import annotations

import ipaddress
import json
import time
from typing import Any

import vista
from apps.http.content.resources import Request, Response

PRIMARY = "StarshipPrimary"
ROOT = "/starship/test"
PAGES = ("step", "scenario", "hash", "kill", "trace", "servers")
STEPS_MAX = 1_000
"""Steps that one request asks for."""
STEP_SECONDS = 30.0
"""How long one step may take."""
LOOK_SECONDS = 0.002
"""How often it is looked whether a step is done."""


class StarshipTestHooks(vista.Object, namespace="StarShip"):
    """Lets tests make steps by hand, choose the galaxy, ask for hashes and drop servers.

    rc line: ``StarshipTestHooks localhost``

    ``create(site)``: the addresses are below ``/starship/test/`` of the site: POST ``step?n=3``,
    ``scenario`` (JSON, see `apps.starship.rules.scenario`), ``kill?server=1&at=half``; GET
    ``hash``, ``servers`` and ``trace?step=7``. They answer JSON, to clients of the same machine
    alone, for no page of another site, and with a `StarshipPrimary` that has ``test_hooks=1``; to
    others there is nothing at these addresses.
    """

    def create(self, site: str) -> None:
        """Register for the addresses."""
        self.url_directory = vista.service(f"URLdirectory:{site}")
        me = vista.self_ref(self)
        for page in PAGES:
            self.url_directory.register_object(f"{ROOT}/{page}", me)

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        for page in PAGES:
            # In flight and not waited for: the directory may be gone, which is nobody's mistake.
            vista.future(self.url_directory, "unregister_object", f"{ROOT}/{page}", me)

    def get_request(self, request: Request) -> Response:
        """Answer ``hash``, ``servers`` and ``trace``."""
        pages = {"hash": self._hash, "servers": self._servers, "trace": self._trace}
        return self._answer(request, pages)

    def post_request(self, request: Request) -> Response:
        """Answer ``step``, ``scenario`` and ``kill``."""
        return self._answer(
            request, {"step": self._step, "scenario": self._scenario, "kill": self._kill}
        )

    def _answer(self, request: Request, pages: dict[str, Any]) -> Response:
        page = pages.get(request.path.removeprefix(f"{ROOT}/"))
        if page is None or not _is_local(request):
            return _json(404, {"error": "There is nothing at this address."})
        try:
            game = vista.service(PRIMARY)
            if not game.has_test_hooks():
                return _json(404, {"error": "There is nothing at this address."})
            return _json(200, page(game, request))
        except vista.NoSuchService:
            return _json(503, {"error": "There is no game here."})
        except (vista.BadValueError, ValueError) as error:
            return _json(400, {"error": str(error)})
        except vista.CallTimeout as error:
            return _json(504, {"error": str(error)})

    def _hash(self, game: vista.Ref, request: Request) -> dict[str, Any]:
        return {"step": game.get_step(), "hash": game.get_hash(), "epoch": game.get_epoch()}

    def _servers(self, game: vista.Ref, request: Request) -> dict[str, Any]:
        found: dict[str, Any] = game.get_servers_table()
        return found

    def _trace(self, game: vista.Ref, request: Request) -> dict[str, Any]:
        found: dict[str, Any] = game.get_trace(_number(request, "step", game.get_step()))
        return found

    def _step(self, game: vista.Ref, request: Request) -> dict[str, Any]:
        count = _number(request, "n", 1)
        if count > STEPS_MAX:
            raise ValueError(f"n is at most {STEPS_MAX}")
        for _ in range(count):
            self._one_step(game)
        return self._hash(game, request)

    def _one_step(self, game: vista.Ref) -> None:
        """Make a step, and wait until this node shows it."""
        wanted = game.get_step() + 1
        game.step()
        due = time.monotonic() + STEP_SECONDS
        shown = game.get_own_server()
        while shown.get_step() < wanted:
            if time.monotonic() > due:
                raise vista.CallTimeout(f"step {wanted} was not done in {STEP_SECONDS:.0f} s")
            vista.sleep(LOOK_SECONDS)

    def _scenario(self, game: vista.Ref, request: Request) -> dict[str, Any]:
        return {"objects": game.load_scenario(request.body.decode())}

    def _kill(self, game: vista.Ref, request: Request) -> dict[str, Any]:
        at = request.parameter("at", "begin")
        return {"server": game.drop_server(_number(request, "server", 0), at)}


def _number(request: Request, name: str, usual: int) -> int:
    text = request.parameter(name, str(usual))
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise ValueError(f"{name} is a number from 0, not {text[:80]!r}")
    return int(text)


def _is_local(request: Request) -> bool:
    """Tell whether a request comes from this machine, and from no page of a browser elsewhere."""
    try:
        near = ipaddress.ip_address(request.client).is_loopback
    except ValueError:
        return False
    origin = request.field("origin")
    host = request.field("host")
    return near and origin in ("", f"http://{host}", f"https://{host}") and _is_own_name(host)


def _is_own_name(host: str) -> bool:
    # Against a name of somebody else's that was made to mean this machine.
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdecimal() else host
    return name in ("localhost", "127.0.0.1", "[::1]")


def _json(status: int, body: dict[str, Any]) -> Response:
    fields = (("Content-Type", "application/json"), ("Cache-Control", "no-store"))
    return Response(json.dumps(body), status, fields)
