"""Page templates: a folder of files with server-side includes, and what is put into them.

Three rules. A template names a file of its own folder and nothing else. What is put in is escaped
unless the template says otherwise, and never read for directives. A mistake in a template shows in
its place on the page, and stops nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import vista
from apps.http.content.paths import Refusal, Roots, resolve
from apps.http.content.ssi.errors import LoadFailed
from apps.http.content.ssi.limits import SsiLimits
from apps.http.content.ssi.loading import Document, Facts, show
from apps.http.content.ssi.processor import process
from apps.http.errors import FileChanged
from apps.http.objects.files import read_whole
from apps.solidstate.web.bounds import (
    PAGE_CHARACTERS_MAX,
    ROWS_DEEP_MAX,
    ROWS_MAX,
    TEMPLATE_BYTES_MAX,
    TEMPLATES_MAX,
)
from vista import BadValueError

CHECK_SECONDS = 1.0
"""How long a file is taken to be what it was; then the disk is asked again."""

_PAGE = re.compile(r"[A-Za-z0-9_-]{1,64}\.html")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_LIMITS = SsiLimits(output_chars_max=PAGE_CHARACTERS_MAX)


def is_page_name(name: str) -> bool:
    """Tell whether a template may be called so: ``cart.html``, in no other folder."""
    return _PAGE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Made:
    """A page that was made, and the mistakes in its templates as ``/name:line:column: what``."""

    text: str
    problems: tuple[str, ...] = ()


class Templates:
    """The templates of a folder. Raises `BadValueError` when there is no such folder."""

    def __init__(self, directory: str) -> None:
        folder = Path(directory).absolute()
        if not folder.is_dir():
            raise BadValueError(f"no folder {directory}: name the one with the page templates")
        self._roots = Roots((str(folder),), index_names=())
        # Name to (text, when it was looked at); None for a file that is not there.
        self._known: dict[str, tuple[str | None, float]] = {}

    def has(self, page: str, now: float) -> bool:
        """Tell whether there is a page of this name; ``now`` is in seconds since 1970."""
        return is_page_name(page) and self.source(page, now) is not None

    def source(self, name: str, now: float) -> str | None:
        """Return what is in a file, None where there is none that can be read."""
        known = self._known.get(name)
        if known is not None and 0 <= now - known[1] < CHECK_SECONDS:
            return known[0]
        text = self._read(name)
        if len(self._known) >= TEMPLATES_MAX:
            self._known.clear()
        if text is not None or known is not None:
            self._known[name] = (text, now)
        return text

    def _read(self, name: str) -> str | None:
        found = resolve(self._roots, (name,))
        if isinstance(found, Refusal):
            return None
        with found:
            if found.size > TEMPLATE_BYTES_MAX:
                return None
            try:
                return read_whole(found).decode("utf-8", "replace")
            except (OSError, FileChanged):
                return None

    def make(self, page: str, values: Mapping[str, Any], now: float) -> Made:
        """Make a page: put values into its template.

        ``values`` are texts, numbers, bools, None and lists of dicts by name. Raises
        `BadValueError` for others, and where a template is missing or the page grows too large.
        """
        making = _Making(self, now)
        text = making.document(page, making.texts(values, {}, 0))
        # Halves of surrogate pairs are values, and no page can be sent with them.
        return Made(text.encode("utf-8", "replace").decode(), tuple(making.problems))


class _Making:
    """One page while it is made; also the `Loader` of its includes."""

    def __init__(self, templates: Templates, now: float) -> None:
        self._templates = templates
        self._now = now
        self._rows = 0
        self._characters = 0
        self.problems: list[str] = []

    def document(self, name: str, texts: Mapping[str, str]) -> str:
        """Return a template with texts put in."""
        source = self._templates.source(name, self._now)
        if source is None:
            raise BadValueError(f"template {name} is not there, or is too large")
        page = process(source, texts, self, self._now, path=(name,), limits=_LIMITS)
        self.problems += page.problems
        self._characters += len(page.text)
        if self._characters > PAGE_CHARACTERS_MAX:
            raise BadValueError(f"a page has {PAGE_CHARACTERS_MAX} characters at most")
        return page.text

    def texts(
        self, values: Mapping[str, Any], outer: Mapping[str, str], deep: int
    ) -> dict[str, str]:
        """Return values as the texts that a template shows; lists as the rows made of them."""
        if not isinstance(values, dict):
            raise BadValueError(f"what a page shows is a dict, not {vista.outline(values, 40)}")
        texts = dict(outer)
        lists = {}
        for name, value in values.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise BadValueError(f"no template can name {vista.outline(name, 40)}")
            if isinstance(value, list):
                lists[name] = value
            else:
                texts[name] = _text(name, value)
        # Rows see what stands beside their list, and not one another's lists.
        return texts | {
            name: "".join(self._row(name, row, texts, deep) for row in rows)
            for name, rows in lists.items()
        }

    def _row(self, name: str, row: Any, outer: Mapping[str, str], deep: int) -> str:
        self._rows += 1
        if self._rows > ROWS_MAX or deep >= ROWS_DEEP_MAX:
            raise BadValueError(
                f"{name}: a page has {ROWS_MAX} rows at most, {ROWS_DEEP_MAX} lists deep"
            )
        return self.document(f"{name}.row.html", self.texts(row, outer, deep + 1))

    # --- what a template includes ----------------------------------------------------------

    def load(self, path: tuple[str, ...], query: str) -> Document:
        """Return another template of the folder."""
        source = self._templates.source(path[0], self._now) if len(path) == 1 else None
        if source is None:
            raise LoadFailed(f"{show(path)} is no template of the folder")
        return Document(source, processed=True)

    def look(self, path: tuple[str, ...]) -> Facts:
        """Refuse: a template tells nothing of the disk."""
        raise LoadFailed(f"{show(path)}: templates tell nothing of files")

    def call(self, name: str, method: str, arguments: tuple[str, ...]) -> Document:
        """Refuse: what is shown comes from the group."""
        raise LoadFailed(f"{name}.{method}: what templates show comes from the state variable")


def _text(name: str, value: Any) -> str:
    """Return a value as text; True is ``true``, False and None are empty, so that ``if`` works."""
    if value is None or value is False:
        return ""
    if value is True:
        return "true"
    if isinstance(value, str | int | float):
        try:
            return str(value)
        except ValueError as error:
            raise BadValueError(f"{name} is a number that is too long to be shown") from error
    raise BadValueError(
        f"{name} is {vista.outline(value, 40)}: a page shows texts, numbers and lists of dicts"
    )


def with_own(values: Any, own: Mapping[str, str]) -> Any:
    """Return values with those that the adapter gives every page; what is no dict as it is."""
    return {**values, **own} if isinstance(values, dict) else values
