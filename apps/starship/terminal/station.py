"""The terminal client as an object, for rc files."""

from __future__ import annotations

import asyncio
import logging
import sys

import vista
from apps.starship.errors import BadAddress
from apps.starship.terminal.address import read_address

_log = logging.getLogger("vista.starship")

END_SECONDS = 3.0
"""How long the client may take to give the terminal back; then it is killed."""


class StarshipTerminal(vista.Object, namespace="StarShip"):
    """Plays StarShip on the terminal that its node was started on, and stops the node afterwards.

    rc line: ``StarshipTerminal http://localhost:4321``

    ``create(url)``: ``url`` is that of the web site of any server of the game. The client is a
    process of its own, `vista starship`, so that neither waits for the other. The service
    ``ShutdownService`` is needed. Raises `BadValueError` for what is no URL, and on a node without
    a terminal.

    The original's startty.
    """

    def create(self, url: str) -> None:
        """Begin to play."""
        try:
            self._address = str(read_address(url))
        except BadAddress as error:
            raise vista.BadValueError(str(error)) from None
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise vista.BadValueError("the node has no terminal to play on; start it on one")
        self._process: asyncio.subprocess.Process | None = None
        me = vista.self_ref(self)
        vista.service("ShutdownService").register(me)
        me.play.post()

    async def play(self) -> None:
        """Run the client until the player leaves, then stop the node; the object posts it."""
        if self._process is not None:
            return
        words = ("-m", "vista", "starship", self._address)
        self._process = await asyncio.create_subprocess_exec(sys.executable, *words)
        status = await self._process.wait()
        if status:
            _log.error("the terminal client ended with exit code %d", status)
        vista.post("ShutdownService", "shutdown", "the player left")

    async def system_shutdown(self) -> None:
        """End the client; the ShutdownService sends it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
