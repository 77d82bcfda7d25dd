"""From the source of a page to its texts and directives.

A directive is ``<!--#name attribute="value" ... -->``. Values stand in ``"``, ``'`` or backquotes,
with a backslash before the same quote inside, or alone when they have no space; ``-->`` inside
quotes ends nothing. What begins as a directive and is none is an error up to the next ``-->``; if
there is none, up to the end, since browsers take all of it for a comment, too.

The work is linear: every character is looked at a bounded number of times.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from apps.http.content.ssi.errors import DirectiveError
from apps.http.content.ssi.limits import SsiLimits

ATTRIBUTES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    name: (frozenset(needed.split()), frozenset(allowed.split()))
    for name, needed, allowed in (
        ("include", "", "file virtual"),
        ("echo", "var", "encoding default"),
        ("set", "var value", ""),
        ("if", "expr", ""),
        ("elif", "expr", ""),
        ("else", "", ""),
        ("endif", "", ""),
        ("config", "", "errmsg echomsg sizefmt timefmt"),
        ("fsize", "", "file virtual"),
        ("flastmod", "", "file virtual"),
        ("printenv", "", ""),
        ("call", "object method", "arg encoding"),
    )
}
"""Every directive: the attributes it must have and the others it may have."""

ONE_OF: dict[str, frozenset[str]] = {
    name: frozenset({"file", "virtual"}) for name in ("include", "fsize", "flastmod")
}
"""Directives that need exactly one of some attributes."""

REPEATED = frozenset({("call", "arg")})
"""The attributes that may stand more than once; their order counts."""

_OPENING, _CLOSING = "<!--#", "-->"
_NAME = re.compile(r"[ \t\r\n]*([A-Za-z]*)")
_CLOSE = re.compile(r"[ \t\r\n]*-->")
# No part of a pattern repeats what itself repeats: matching is linear.
_ATTRIBUTE = re.compile(
    r"[ \t\r\n]+([A-Za-z]+)[ \t\r\n]*=[ \t\r\n]*"
    r"(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|`((?:[^`\\]|\\.)*)`|([^\s\"'`>]+?)(?=\s|-->))",
    re.DOTALL,
)
_QUOTES = '"', "'", "`", ""


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that are copied to the page."""

    text: str


@dataclass(frozen=True, slots=True)
class Directive:
    """One directive: its name, its attributes in order, and where in the source it starts.

    ``mistake`` says what is wrong with it as written; it is None for one that can be carried out.
    ``name`` is empty when there is none or no such directive.
    """

    name: str
    attributes: tuple[tuple[str, str], ...]
    position: int
    mistake: DirectiveError | None = None

    @property
    def chars(self) -> int:
        """Characters of its attributes: what it costs to carry out grows with them."""
        return sum(len(name) + len(value) for name, value in self.attributes)

    def get(self, attribute: str) -> str | None:
        """Return the value of an attribute as written, None when it is not there."""
        return next((value for name, value in self.attributes if name == attribute), None)

    def get_all(self, attribute: str) -> tuple[str, ...]:
        """Return the values of an attribute that may stand more than once, in order."""
        return tuple(value for name, value in self.attributes if name == attribute)


def parse_page(source: str, limits: SsiLimits) -> Iterator[Text | Directive]:
    """Take a page apart, in order; whatever the source is, there is no error but in a directive.

    >>> list(parse_page('a<!--#endif -->', SsiLimits()))
    [Text(text='a'), Directive(name='endif', attributes=(), position=1, mistake=None)]
    """
    position = 0
    while (start := source.find(_OPENING, position)) >= 0:
        if start > position:
            yield Text(source[position:start])
        directive, position = _parse_directive(source, start, limits)
        yield directive
    if position < len(source):
        yield Text(source[position:])


def _parse_directive(source: str, start: int, limits: SsiLimits) -> tuple[Directive, int]:
    """Return the directive at ``start`` and where it ends."""
    bound = start + limits.directive_chars_max
    match = _NAME.match(source, start + len(_OPENING), bound)
    assert match is not None  # it matches nothing, too
    name, position = match[1].lower(), match.end()
    attributes: list[tuple[str, str]] = []
    while found := _ATTRIBUTE.match(source, position, bound):
        attributes.append((found[1].lower(), _value(found)))
        position = found.end()
    closing = _CLOSE.match(source, position, bound)
    mistake: DirectiveError | None
    if closing is None:
        end = source.find(_CLOSING, start)
        end = len(source) if end < 0 else end + len(_CLOSING)
        mistake = _unclosed(source, position, bound)
    else:
        end = closing.end()
        mistake = _mistake(name, attributes, limits)
    known = name if name in ATTRIBUTES else ""
    return Directive(known, tuple(attributes), start, mistake), end


def _value(found: re.Match[str]) -> str:
    kind = found.lastindex or 0
    quote = _QUOTES[kind - 2]
    text = found[kind]
    return text.replace("\\" + quote, quote) if quote else text


def _unclosed(source: str, position: int, bound: int) -> DirectiveError:
    if source.find(_CLOSING, position, bound) < 0:
        return DirectiveError(f"the directive has no {_CLOSING} within its longest length")
    return DirectiveError(
        f'expected attribute="value" or {_CLOSING}, found {source[position : position + 20]!r}'
    )


def _mistake(
    name: str, attributes: list[tuple[str, str]], limits: SsiLimits
) -> DirectiveError | None:
    """Return what is wrong with a directive that is well formed."""
    if name not in ATTRIBUTES:
        return DirectiveError(f'no directive "{name[:40]}"{_nearest(name, ATTRIBUTES)}')
    needed, allowed = ATTRIBUTES[name]
    given = [attribute for attribute, _ in attributes]
    if len(given) > limits.attributes_max:
        return DirectiveError(f"more than attributes_max = {limits.attributes_max} attributes")
    for attribute in given:
        if attribute not in needed | allowed:
            near = _nearest(attribute, needed | allowed)
            return DirectiveError(f'{name} has no attribute "{attribute[:40]}"{near}')
        if given.count(attribute) > 1 and (name, attribute) not in REPEATED:
            return DirectiveError(f"{name} has the attribute {attribute} more than once")
    for attribute in sorted(needed.difference(given)):
        return DirectiveError(f'{name} needs {attribute}="..."')
    choice = ONE_OF.get(name)
    if choice and len(choice.intersection(given)) != 1:
        return DirectiveError(f"{name} needs exactly one of {' and '.join(sorted(choice))}")
    return None


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name[:32], sorted(known), 1)
    return f"; did you mean {near[0]}?" if near else ""
