"""Python source as a tree, from any thread.

Until Python 3.13 `ast.parse` counts the depth of its tree in one place for all threads, and says
SystemError where two of them meet (https://github.com/python/cpython/issues/106905). Classes are
loaded in threads of the operating system while the loop reads others, so all of vista parses here.
"""

from __future__ import annotations

import ast
import threading
from typing import Any, Final

ATTEMPTS: Final = 20
"""How often a source is parsed at most: what does not parse here, as pytest, may still meet it."""

_lock = threading.Lock()


def parse_module(source: str | bytes, file_name: str = "<unknown>") -> ast.Module:
    """Return the tree of a source with any number of statements.

    ``file_name`` stands in its errors. Raises `SyntaxError`, `ValueError` for null characters, and
    `RecursionError` or `MemoryError` where it is nested too deeply.
    """
    tree: ast.Module = _parse(source, file_name, "exec")
    return tree


def parse_expression(source: str) -> ast.expr:
    """Return the tree of one expression. Raises as `parse_module`."""
    body: ast.expr = _parse(source, "<unknown>", "eval").body
    return body


def _parse(source: str | bytes, file_name: str, mode: str) -> Any:
    with _lock:
        for _ in range(ATTEMPTS - 1):
            try:
                return ast.parse(source, file_name, mode)
            except SystemError:
                continue
        return ast.parse(source, file_name, mode)
