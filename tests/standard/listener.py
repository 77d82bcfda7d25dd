"""An object that hears notifications, for tests that wait for them."""

from __future__ import annotations

import asyncio
from typing import Any

import vista
from vista.kernel.current import kernel


class Listener(vista.Object):
    """Keeps every message it gets and gives them out by name, in order."""

    def create(self) -> None:
        """Begin with nothing heard."""
        self.heard: list[tuple[str, list[Any]]] = []
        self._waiting: list[asyncio.Future[None]] = []

    def handle_unknown_message(self, name: str, args: list[Any], kwargs: dict[str, Any]) -> None:
        """Keep any message."""
        self.heard.append((name, args))
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    def hear(self, name: str, seconds: float = 10.0) -> list[Any]:
        """Wait for a message called ``name`` and return its arguments."""
        due = kernel().hub.time() + seconds
        while True:
            for entry in self.heard:
                if entry[0] == name:
                    self.heard.remove(entry)
                    return entry[1]
            future = kernel().hub.loop.create_future()
            self._waiting.append(future)
            try:
                vista.wait(future, timeout=due - kernel().hub.time())
            finally:
                self._waiting.remove(future)

    def names(self) -> list[str]:
        """Return the names of what was heard and not given out."""
        return [name for name, _ in self.heard]
