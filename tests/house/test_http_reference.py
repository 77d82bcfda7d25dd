"""The reference pages of the web server name every bound and every error; ``--rewrite`` writes
them."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import re
from pathlib import Path

import apps.http
from apps.http import errors
from apps.http.content.ssi.limits import SsiLimits
from apps.http.syntax.limits import HttpLimits
from tests.house.source import ROOT, Source, read_sources

LIMITS_PAGE = ROOT / "docs" / "reference" / "http-limits.rst"
ERRORS_PAGE = ROOT / "docs" / "reference" / "http-errors.rst"

_BOUND = re.compile(r"[A-Z][A-Z0-9_]*(?:_MAX|_MIN|_SECONDS|_BYTES)|BACKLOG")
_HINT = "is not up to date: pytest tests/house/test_http_reference.py --rewrite"


def test_every_bound_is_in_the_reference(rewrite: bool) -> None:
    page = _page(
        _heading("Limits of the web server", "="),
        ".. automodule:: apps.http.syntax.limits\n\n",
        _of_class(HttpLimits, "   :members: validate\n"),
        _heading("Pages with server-side includes", "-"),
        _of_class(SsiLimits, ""),
        _heading("Bounds that no profile changes", "-"),
        *(_of_module(source) for source in read_sources("apps/http")),
    )
    assert _written(LIMITS_PAGE, page, rewrite) == page, f"{LIMITS_PAGE.name} {_HINT}"


def test_every_error_is_in_the_reference(rewrite: bool) -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    page = _page(
        _heading("Errors of the web server", "="),
        ".. automodule:: apps.http.errors\n\n",
        *(f".. autoexception:: apps.http.errors.{kind.__name__}\n\n" for kind in kinds),
    )
    assert _written(ERRORS_PAGE, page, rewrite) == page, f"{ERRORS_PAGE.name} {_HINT}"


def test_every_class_of_the_server_is_in_the_docs() -> None:
    pages = [page.read_text("utf-8") for page in (ROOT / "docs").rglob("*.rst")]
    words = frozenset(word for page in pages for word in re.findall(r"\w+", page))
    assert sorted(set(apps.http.CLASSES) - words) == []


def test_a_bound_says_why_it_is_what_it_is() -> None:
    silent = [
        source.at(node.lineno, name)
        for source in read_sources("apps/http")
        for node, name, words in _assignments(source)
        if _BOUND.fullmatch(name) and not words
    ]
    assert not silent, "\n".join(silent)


def _page(*parts: str) -> str:
    return "".join(parts).rstrip("\n") + "\n"


def _written(path: Path, page: str, rewrite: bool) -> str:
    """What the file of a page says, after it was written if that is wished."""
    if rewrite:
        path.write_text(page, "utf-8")
    return path.read_text("utf-8")


def _heading(words: str, line: str) -> str:
    return f"{words}\n{line * len(words)}\n\n"


def _of_class(limits: type, options: str) -> str:
    name = f"{limits.__module__}.{limits.__name__}"
    fields = dataclasses.fields(limits)
    lines = (f"   .. autoattribute:: {name}.{field.name}\n\n" for field in fields)
    return "".join((f".. autoclass:: {name}\n{options}\n", *lines))


def _of_module(source: Source) -> str:
    """The bounds that stand beside what they bound."""
    names = [name for _, name, _ in _assignments(source) if _BOUND.fullmatch(name)]
    module = importlib.import_module(source.module) if names else None
    return "".join(
        f".. autodata:: {source.module}.{name}\n\n"
        for name in names
        if isinstance(getattr(module, name), int | float)
    )


def _assignments(source: Source) -> list[tuple[ast.stmt, str, str]]:
    """Each name that a module gives a value to, with the text below it."""
    body = source.tree.body
    found = []
    for node, after in zip(body, [*body[1:], None], strict=True):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = str(after.value.value)
        found += [(node, item.id, text) for item in targets if isinstance(item, ast.Name)]
    return found
