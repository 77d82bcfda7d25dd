"""The expressions of ``if`` and ``elif``: what they look like and whether they hold.

::

    expression = all { "||" all }
    all        = one { "&&" one }
    one        = { "!" } ( "(" expression ")" | text [ comparison ] )
    comparison = ( "=" | "==" | "!=" ) ( text | "/" pattern "/" )
               | ( "<" | "<=" | ">" | ">=" ) text
    text       = ( word | quoted ) { word | quoted }

Variables are put into the texts of an expression that is parsed already: no value can change what
is asked. Two whole numbers are ordered as numbers, anything else by its characters; ``=`` compares
characters always. Words side by side are one text with single spaces. Source: the expressions of
Apache's mod_include, where, other than here, ``10`` comes before ``9``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from apps.http.content.ssi.errors import DirectiveError

_SPACE = re.compile(r"\s*")
_OPERATOR = re.compile(r"&&|\|\||==|!=|<=|>=|[=<>!()]")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", re.DOTALL)
# An & or | alone is a character like others, and so is a ! that does not begin a word.
_WORD = re.compile(
    r"(?:[^\s'\"()!&|=<>]|&(?!&)|\|(?!\|))(?:[^\s'\"()!&|=<>]|&(?!&)|\|(?!\|)|!(?!=))*"
)
_PATTERN = re.compile(r"/((?:[^/\\]|\\.)*)/", re.DOTALL)
# 18 digits fit the machine's own integers; longer numbers are compared as texts.
_NUMBER = re.compile(r"-?[0-9]{1,18}", re.ASCII)

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Scope(Protocol):
    """What an expression asks the page while it is decided."""

    def text(self, written: str) -> str:
        """Return a text with its variables put in."""

    def matches(self, pattern: str, text: str) -> bool:
        """Tell whether a regular expression matches somewhere in a text, and keep its groups."""


class Expression(Protocol):
    """A parsed expression."""

    def holds(self, scope: Scope) -> bool:
        """Tell whether it is true. Raises `DirectiveError` for what only shows when it is asked."""


@dataclass(frozen=True, slots=True)
class _Any:
    parts: tuple[Expression, ...]

    def holds(self, scope: Scope) -> bool:
        return any(part.holds(scope) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _All:
    parts: tuple[Expression, ...]

    def holds(self, scope: Scope) -> bool:
        return all(part.holds(scope) for part in self.parts)


@dataclass(frozen=True, slots=True)
class _Not:
    part: Expression

    def holds(self, scope: Scope) -> bool:
        return not self.part.holds(scope)


@dataclass(frozen=True, slots=True)
class _Filled:
    written: str

    def holds(self, scope: Scope) -> bool:
        return scope.text(self.written) != ""


@dataclass(frozen=True, slots=True)
class _Same:
    left: str
    right: str

    def holds(self, scope: Scope) -> bool:
        return scope.text(self.left) == scope.text(self.right)


@dataclass(frozen=True, slots=True)
class _Ordered:
    left: str
    order: str
    right: str

    def holds(self, scope: Scope) -> bool:
        left, right = scope.text(self.left), scope.text(self.right)
        compare = _ORDERS[self.order]
        if _NUMBER.fullmatch(left) and _NUMBER.fullmatch(right):
            return compare(int(left), int(right))
        return compare(left, right)


@dataclass(frozen=True, slots=True)
class _Matches:
    left: str
    pattern: str

    def holds(self, scope: Scope) -> bool:
        return scope.matches(self.pattern, scope.text(self.left))


def parse_expression(text: str, depth_max: int) -> Expression:
    """Parse the expression of an ``if`` or ``elif``.

    ``depth_max`` bounds how many parentheses may be open at once. Raises `DirectiveError` that
    says where ``text`` is not what the grammar allows.
    """
    parser = _Parser(text, depth_max)
    expression = parser.either()
    if not parser.at_end():
        raise parser.error("expected an operator or the end")
    return expression


class _Parser:
    """Walks over the text once, from left to right."""

    def __init__(self, text: str, depth_max: int) -> None:
        self._text = text
        self._depth_max = depth_max
        self._depth = 0
        self._position = 0
        self._skip()

    def at_end(self) -> bool:
        return self._position == len(self._text)

    def error(self, expected: str) -> DirectiveError:
        rest = self._text[self._position : self._position + 20]
        found = repr(rest) if rest else "the end"
        return DirectiveError(f"{expected} in the expression, found {found}")

    def either(self) -> Expression:
        parts = [self._both()]
        while self._take("||"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else _Any(tuple(parts))

    def _both(self) -> Expression:
        parts = [self._one()]
        while self._take("&&"):
            parts.append(self._one())
        return parts[0] if len(parts) == 1 else _All(tuple(parts))

    def _one(self) -> Expression:
        negated = False
        while self._take("!"):
            negated = not negated
        expression = self._inside() if self._take("(") else self._comparison()
        return _Not(expression) if negated else expression

    def _inside(self) -> Expression:
        self._depth += 1
        if self._depth > self._depth_max:
            raise DirectiveError(
                f"more than expression_depth_max = {self._depth_max} parentheses are open"
            )
        expression = self.either()
        if not self._take(")"):
            raise self.error("expected )")
        self._depth -= 1
        return expression

    def _comparison(self) -> Expression:
        left = self._words()
        order = self._peek()
        if order in ("=", "==", "!="):
            self._take(order)
            same = self._pattern(left) if self._text.startswith("/", self._position) else None
            same = same or _Same(left, self._words())
            return _Not(same) if order == "!=" else same
        if order in _ORDERS:
            self._take(order)
            return _Ordered(left, order, self._words())
        return _Filled(left)

    def _pattern(self, left: str) -> Expression:
        found = _PATTERN.match(self._text, self._position)
        if found is None:
            raise self.error("expected a regular expression that ends with /, or a quoted text,")
        self._go(found.end())
        return _Matches(left, found[1])

    def _words(self) -> str:
        words: list[str] = []
        while True:
            if found := _QUOTED.match(self._text, self._position):
                quote = found[0][0]
                words.append((found[1] or found[2] or "").replace("\\" + quote, quote))
            elif found := _WORD.match(self._text, self._position):
                words.append(found[0])
            else:
                break
            self._go(found.end())
        if not words:
            raise self.error("expected a text, ! or (")
        return " ".join(words)

    def _peek(self) -> str:
        found = _OPERATOR.match(self._text, self._position)
        return found[0] if found else ""

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._go(self._position + len(token))
        return True

    def _go(self, position: int) -> None:
        self._position = position
        self._skip()

    def _skip(self) -> None:
        found = _SPACE.match(self._text, self._position)
        assert found is not None  # it matches nothing, too
        self._position = found.end()
