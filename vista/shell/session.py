"""A session at the prompt: the variables it begins with, its words, and what there is to name."""

from __future__ import annotations

import functools
import pydoc
import shutil
from types import ModuleType
from typing import TYPE_CHECKING

import vista
from vista.shell import show
from vista.shell.complete import Completer, find_value
from vista.shell.guide import banner, guide
from vista.shell.names import NodeNames
from vista.values import Reference

if TYPE_CHECKING:
    from vista.ids import Id
    from vista.kernel.node import Node
    from vista.kernel.refs import Ref


class Session:
    """What a prompt and a script share: a ``__main__`` module full of vista's names.

    ``module`` holds the variables: vista's public names, ``vista``, ``node``, a ``help`` that knows
    objects, and those of ``namespace``, which win.
    """

    def __init__(
        self,
        node: Node,
        namespace: dict[str, object],
        rc_file: str | None,
        linked: str = "",
    ) -> None:
        self.node = node
        self.names = NodeNames(node)
        self.module = ModuleType("__main__")
        self.variables = vars(self.module)
        self.variables.update({name: getattr(vista, name) for name in vista.__all__})
        self.variables.update({"vista": vista, "node": node, "help": self.help})
        self.variables["statistics"] = self._statistics()
        self.variables.update(namespace)
        self.completer = Completer(self.names, self.variables)
        self.banner = banner(vista.__version__, str(node.name), rc_file, linked)

    @staticmethod
    def _statistics() -> object:
        @functools.wraps(vista.statistics)
        def statistics(at: Ref | Id | None = None) -> show.Figures:
            return show.Figures(vista.statistics(at))

        return statistics

    def help(self, subject: object = None) -> None:
        """Print vista's functions; with a Ref what its object answers; else what Python knows."""
        if subject is None:
            print(guide(self.variables, shutil.get_terminal_size().columns))
        elif isinstance(subject, Reference):
            print(self._about_object(subject))
        else:
            pydoc.help(subject)

    def about(self, expression: str) -> str | None:
        """Return what there is to say of a Ref or of a method of one, as ``ref.method``.

        The object itself is asked, wherever it lives. None when the expression is neither, or the
        object does not answer soon.
        """
        head, dot, name = expression.rpartition(".")
        try:
            target = find_value(expression, self.variables)
        except LookupError:
            target = None
        if isinstance(target, Reference):
            return self._about_object(target)
        try:
            target = find_value(head, self.variables) if dot else None
        except LookupError:
            return None
        row = self.names.method_rows(target).get(name) if isinstance(target, Reference) else None
        return None if row is None else show.method_text(f"{head}.{name}", row)

    def _about_object(self, target: Reference) -> str:
        rows = self.names.method_rows(target)
        parts = [repr(target), *(show.method_text(name, rows[name]) for name in sorted(rows))]
        return "\n\n".join(parts)
