"""Arguments that a person types: Python values, read and never run."""

from __future__ import annotations

import ast
from typing import Any

import vista
from apps.http.browser.bounds import ARGUMENTS_CHARACTERS_MAX, ARGUMENTS_DEPTH_MAX
from vista.parsing import parse_expression

_CALLED = "message"
_REFERRING = frozenset({"Id", "ref"})


class Mistyped(Exception):
    """What was typed stands for no arguments; the text says why."""


def read_arguments(text: str) -> tuple[list[Any], dict[str, Any]]:
    """Return the positional and the named arguments that a text stands for.

    They are literals with commas between them; ``name=value`` is a named one, and ``Id("...")`` or
    ``ref("...")`` the object with that Id. Raises `Mistyped`.

    >>> read_arguments('5, "abc", by=[1, 2]')
    ([5, 'abc'], {'by': [1, 2]})
    """
    if len(text) > ARGUMENTS_CHARACTERS_MAX:
        raise Mistyped(f"The arguments are longer than {ARGUMENTS_CHARACTERS_MAX:,} characters.")
    _check_depth(text)
    try:
        # The line break ends a comment, which would take the bracket along.
        call = parse_expression(f"{_CALLED}(\n{text}\n)")
    except SyntaxError as error:
        line = max(1, (error.lineno or 2) - 1)
        raise Mistyped(f"Line {line} is no Python value: {error.msg.rstrip('.?')}.") from None
    except (ValueError, MemoryError, RecursionError):
        raise Mistyped("This is no Python value.") from None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
        # The text closed the bracket that was put around it.
        raise Mistyped("Write values with commas between them, without brackets around all.")
    if any(keyword.arg is None for keyword in call.keywords):
        raise Mistyped("** cannot stand here: write name=value.")
    named = {str(keyword.arg): _value(keyword.value) for keyword in call.keywords}
    if len(named) < len(call.keywords):
        raise Mistyped("A name stands twice.")
    return [_value(argument) for argument in call.args], named


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.GeneratorExp | ast.Starred):
        raise Mistyped("Only values can stand here: numbers, texts, lists and the like.")
    try:
        return ast.literal_eval(_Referring().visit(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise Mistyped(f"{_written(node)} is no value; write a text in quotes.") from None


def _written(node: ast.expr) -> str:
    """Return the beginning of what was typed, as far as it can be written again."""
    try:
        return ast.unparse(node)[:80]
    except RecursionError:
        return "What is nested so deep"


class _Referring(ast.NodeTransformer):
    """Puts the object in the place of ``Id("...")``."""

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replace a call that names an object, and leave the others, which are no values."""
        match node:
            case ast.Call(
                func=ast.Name(id=name), args=[ast.Constant(value=str() as text)], keywords=[]
            ) if name in _REFERRING:
                try:
                    return ast.Constant(vista.Id.parse(text))
                except vista.BadValueError as error:
                    raise Mistyped(f"{error}.") from None
        return node


def _check_depth(text: str) -> None:
    """Raise `Mistyped` for brackets that nest too deep; those in texts are counted, too."""
    depth = deepest = 0
    for letter in text:
        if letter in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif letter in ")]}":
            depth -= 1
    if deepest > ARGUMENTS_DEPTH_MAX:
        raise Mistyped(f"More than {ARGUMENTS_DEPTH_MAX} brackets are nested.")
