"""Reads a page as strictly as can be: what is open is closed, in the right order, once."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from html.parser import HTMLParser

VOID = frozenset({"br", "hr", "img", "input", "link", "meta"})
"""Elements of HTML without an end tag."""

_SVG = re.compile(r"<svg\b.*?</svg>", re.DOTALL)

Attributes = dict[str, str | None]


class Element:
    """An element of a page, with what stands in it."""

    def __init__(self, name: str, attributes: Attributes, parent: Element | None) -> None:
        self.name = name
        self.attributes = attributes
        self.parent = parent
        self.content: list[Element | str] = []

    @property
    def children(self) -> list[Element]:
        """The elements in it."""
        return [part for part in self.content if isinstance(part, Element)]

    @property
    def text(self) -> str:
        """All text in it, with single spaces."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for part in self.content:
            if isinstance(part, str):
                yield part
            else:
                yield from part._texts()

    def get(self, name: str) -> str:
        """An attribute, "" if there is none."""
        return self.attributes.get(name) or ""

    def walk(self) -> Iterator[Element]:
        """Go through everything in it."""
        for child in self.children:
            yield child
            yield from child.walk()

    def find_all(self, name: str = "", /, **attributes: str) -> list[Element]:
        """Everything of that name with these attributes; ``_`` in their names stands for ``-``."""
        wanted = {key.strip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [
            element
            for element in self.walk()
            if (not name or element.name == name)
            and all(key in element.attributes for key in wanted)
            and all(element.get(key) == value for key, value in wanted.items())
        ]

    def find(self, name: str = "", /, **attributes: str) -> Element:
        """The one element of that name with these attributes."""
        found = self.find_all(name, **attributes)
        assert len(found) == 1, f"{len(found)} of {name} {attributes}"
        return found[0]

    def has(self, test: str) -> bool:
        """Tell whether there is something that tests find by this name."""
        return bool(self.find_all(data_testid=test))

    def form_of(self, test: str) -> dict[str, str]:
        """What a button sends, by the name that tests find it by."""
        element: Element | None = self.find(data_testid=test)
        while element is not None and element.name != "form":
            element = element.parent
        assert element is not None, f"{test} stands in no form"
        return {
            field.get("name"): field.get("value")
            for field in element.walk()
            if field.name == "input" and field.get("name")
        }


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("", {}, None)
        self.open = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(set(names)) == len(names), f"<{tag}> has an attribute twice: {names}"
        element = Element(tag, dict(attrs), self.open)
        self.open.content.append(element)
        if tag not in VOID:
            self.open = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.content.append(Element(tag, dict(attrs), self.open))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.name == tag, f"</{tag}> where <{self.open.name}> is open"
        assert self.open.parent is not None
        self.open = self.open.parent

    def handle_data(self, data: str) -> None:
        self.open.content.append(data)


def read(text: str) -> Element:
    """Return a page or a part of one; fails if it is not well-formed."""
    reader = _Reader()
    reader.feed(text)
    reader.close()
    assert reader.open is reader.root, f"<{reader.open.name}> is never closed"
    for drawing in _SVG.findall(text):
        ET.fromstring(drawing)
    return reader.root


def leaves(value: object, change: Callable[[str], str]) -> object:
    """Return a screen with every text in it changed."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: leaves(inner, change) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [leaves(inner, change) for inner in value]
    return value
