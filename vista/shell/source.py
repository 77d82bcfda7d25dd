"""Remembers the source of classes typed at a prompt, so that ``inspect.getsource`` finds it.

Functions lead to the text of the cell they were typed in, but a class leads only to its module, and
a prompt's module is in no file. So the module gets a name of a file that exists in `linecache`
alone, with the newest definition of each class and nothing else: any Python then finds the right
one.
"""

from __future__ import annotations

import ast
import linecache
from types import ModuleType

from vista.parsing import parse_module

FILE_NAME = "<prompt>"


class PromptSource:
    """The classes typed so far at the prompt whose variables are those of ``module``."""

    def __init__(self, module: ModuleType) -> None:
        self._module = module
        self._texts: dict[str, list[str]] = {}
        vars(module)["__file__"] = FILE_NAME

    def note(self, cell: str) -> None:
        """Take in what was typed; text that is no Python is passed over."""
        try:
            statements = parse_module(cell).body
        except (SyntaxError, ValueError):
            return
        lines = cell.splitlines(keepends=True)
        for statement in statements:
            if isinstance(statement, ast.ClassDef):
                self._note_class(statement, lines)
        text = [line for lines in self._texts.values() for line in lines]
        linecache.cache[FILE_NAME] = (sum(map(len, text)), None, text, FILE_NAME)

    def _note_class(self, statement: ast.ClassDef, lines: list[str]) -> None:
        starts = [statement.lineno, *(mark.lineno for mark in statement.decorator_list)]
        text = [line.rstrip("\n") + "\n" for line in lines[min(starts) - 1 : statement.end_lineno]]
        self._texts.pop(statement.name, None)
        first_line = 1 + sum(map(len, self._texts.values()))
        self._texts[statement.name] = [*text, "\n"]
        self._place(statement.name, first_line)

    def _place(self, name: str, first_line: int) -> None:
        """Say where the class begins, to Pythons that keep that in the class (3.13 and newer)."""
        defined = vars(self._module).get(name)
        if isinstance(defined, type) and "__firstlineno__" in vars(defined):
            defined.__firstlineno__ = first_line  # type: ignore[attr-defined]
