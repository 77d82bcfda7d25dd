"""A site in memory that pages take their pieces from; it notes what it was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from apps.http.content.ssi.errors import LoadFailed
from apps.http.content.ssi.limits import SsiLimits
from apps.http.content.ssi.loading import Document, Facts, Path, show
from apps.http.content.ssi.processor import Page, process
from apps.http.content.ssi.state import ERROR_TEXT

NOW = 784_111_777.5
"""Half a second after Sun, 06 Nov 1994 08:49:37 GMT."""
PAGE: Path = ("docs", "page.shtml")
E = ERROR_TEXT


class Site:
    """A `Loader`: files by their address, those that end with .shtml are processed."""

    def __init__(self, files: Mapping[str, str | Document] | None = None) -> None:
        self.files = dict(files or {})
        self.asked: list[str] = []
        self.answers: dict[str, Document] = {}

    def load(self, path: Path, query: str) -> Document:
        address = show(path)
        self.asked.append(f"{address}?{query}" if query else address)
        found = self.files.get(address)
        if found is None:
            raise LoadFailed(f"{address} is not there")
        if isinstance(found, Document):
            return found
        return Document(found, processed=address.endswith(".shtml"))

    def look(self, path: Path) -> Facts:
        return Facts(len(self.load(path, "").text), NOW)

    def call(self, name: str, method: str, arguments: tuple[str, ...]) -> Document:
        self.asked.append(f"{name}.{method}({', '.join(arguments)})")
        found = self.answers.get(f"{name}.{method}")
        if found is None:
            raise LoadFailed(f"no object {name}")
        return found


def make(
    source: str,
    site: Site | None = None,
    limits: SsiLimits | None = None,
    **environment: str,
) -> Page:
    """Make a page at /docs/page.shtml."""
    return process(source, environment, site or Site(), NOW, path=PAGE, limits=limits)


def text(source: str, files: Mapping[str, str | Document] | None = None, **environment: str) -> str:
    """The text of a page at /docs/page.shtml."""
    return make(source, Site(files), None, **environment).text
