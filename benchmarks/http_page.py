"""The page that is measured."""

from __future__ import annotations

import vista
from apps.http.content.resources import Request


class HelloPage(vista.Object, namespace="Benchmarks"):
    """A small page."""

    def create(self) -> None:
        """Have nothing."""

    def get_request(self, request: Request) -> str:
        """Return the page."""
        return "Hello, world!"
