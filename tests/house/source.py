"""Source files as the house rules see them: a module name, a text, a tree and its imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Import:
    """One imported module or name: ``from a.b import c`` is ``a.b.c`` with `origin` ``a.b``."""

    line: int
    target: str
    origin: str
    relative: bool
    only_typing: bool


class Source:
    """One Python file: its path below the repository, its dotted module name and its text."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text

    @cached_property
    def tree(self) -> ast.Module:
        """The parsed file."""
        return ast.parse(self.text, self.path)

    @cached_property
    def module(self) -> str:
        """The dotted name that imports the file; a package is named without ``__init__``."""
        parts = self.path.removesuffix(".py").split("/")
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @cached_property
    def imports(self) -> list[Import]:
        """Every import of the file, those inside functions included."""
        return list(_imports(self.tree, only_typing=False))

    def forget(self) -> None:
        """Let go what was made of the text; it is made again when it is asked for."""
        self.__dict__.pop("tree", None)
        self.__dict__.pop("imports", None)

    def at(self, line: int, what: str) -> str:
        """A violation in words: ``path:line: what``."""
        return f"{self.path}:{line}: {what}"


def _imports(node: ast.AST, only_typing: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(node.lineno, alias.name, alias.name, False, only_typing)
    elif isinstance(node, ast.ImportFrom):
        origin = node.module or ""
        for alias in node.names:
            target = f"{origin}.{alias.name}"
            yield Import(node.lineno, target, origin, node.level > 0, only_typing)
    elif isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
        for child in node.body:
            yield from _imports(child, only_typing=True)
        for child in node.orelse:
            yield from _imports(child, only_typing)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _imports(child, only_typing)


def read_sources(*folders: str) -> list[Source]:
    """Every Python file below the folders, by path."""
    return [
        Source(path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]


def within(module: str, prefixes: tuple[str, ...]) -> bool:
    """Whether the module is one of the prefixes or lies below one."""
    return any(module == prefix or module.startswith(prefix + ".") for prefix in prefixes)


def imported_module(item: Import, known: frozenset[str]) -> str:
    """The module an import needs: ``from a import b`` needs ``a.b`` only when that is a module."""
    return item.target if item.target in known else item.origin
