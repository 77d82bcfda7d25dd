"""What all pages have in common: head, navigation, tables, and the parts that are kept live."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote, urlencode

import vista
from apps.http.browser.bounds import ROWS_MAX
from apps.http.browser.markup import NOTHING, Child, Html, join, tag

_ID: Final = re.compile(r"(?<![0-9a-z-])[0-9abcdefghjkmnpqrstvwxyz]{16}-[0-9a-hjkmnp-tv-z]{1,10}\b")
"""An Id in text form, wherever it stands."""

_QUOTED: Final = re.compile(r"`{1,2}([^`]+)`{1,2}")

TABS: Final = (
    ("", "Overview"),
    ("objects", "Objects"),
    ("classes", "Classes"),
    ("threads", "Threads"),
    ("services", "Services"),
    ("methods", "Slowest methods"),
)
"""The pages of a node: what follows its address, and their titles."""


class Addresses:
    """The addresses of the pages below ``root``, the one where the browser is."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")

    def to(self, *steps: object, **query: object) -> str:
        """Return an address: steps below the root, and a query of what is not empty."""
        path = "".join(f"/{quote(str(step), safe='-._~')}" for step in steps if step != "")
        asked = urlencode({name: value for name, value in query.items() if value not in ("", None)})
        return f"{self.root}{path or '/'}{'?' if asked else ''}{asked}"

    def node(self, node: str, page: str = "", **query: object) -> str:
        """Return the address of a page of a node, which is named by its identity in text form."""
        return self.to("node", node, page, **query)

    def object(self, id: object, page: str = "", **query: object) -> str:
        """Return the address of a page of an object."""
        return self.to("object", id, page, **query)

    def class_(self, node: str, name: vista.ClassName) -> str:
        """Return the address of a class as a node knows it."""
        return self.to("node", node, "class", f"{name.namespace}.{name.name}", name.version)


@dataclass(slots=True)
class Page:
    """A page before it is framed.

    ``crumbs`` are pairs of a title and an address that lead here; ``tabs`` the pages beside this
    one, as title, address and whether it is this one. ``parts`` are the elements of ``main`` that
    are kept live, by their ids.
    """

    title: str
    main: Html = NOTHING
    status: int = 200
    crumbs: Sequence[tuple[str, str]] = ()
    tabs: Sequence[tuple[str, str, bool]] = ()
    parts: dict[str, Html] = field(default_factory=dict)

    def live(self, id: str, *children: Child) -> Html:
        """Return an element that is kept live; what it holds is what `parts` says of it."""
        self.parts[id] = join(children)
        return tag("div", self.parts[id], id=id, data_live=True)


@dataclass(frozen=True, slots=True)
class Framing:
    """What a frame needs beside the page: see `framed`."""

    addresses: Addresses
    node: str
    csrf: str = field(repr=False)
    version: str
    path: str = ""
    """The address of the page below the root, empty for one that is not kept live."""
    leaving: bool = True
    """Whether there is a session that can be left."""


def framed(page: Page, framing: Framing) -> str:
    """Return a whole document.

    ``framing.node`` is what the node of the browser calls itself, ``csrf`` what its forms carry,
    ``version`` that of style and script.
    """
    addresses = framing.addresses
    live = addresses.to("live", view=framing.path) if page.parts and framing.path else None
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"{page.title} · {framing.node} · vista"),
        tag("link", rel="icon", href=addresses.to("static", "icon.svg"), type="image/svg+xml"),
        tag(
            "link", rel="stylesheet", href=addresses.to("static", "browser.css", v=framing.version)
        ),
        tag(
            "script",
            src=addresses.to("static", "browser.js", v=framing.version),
            defer=True,
        ),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        _header(framing),
        tag("nav", _crumbs(page), class_="crumbs", aria_label="Where you are")
        if page.crumbs
        else None,
        tag(
            "main",
            tag(
                "div",
                tag("h1", breakable(page.title)),
                tag("p", "", id="live-state", class_="live-state", role="status"),
                class_="title",
            ),
            _tabs(page),
            page.main,
            id="content",
            tabindex="-1",
        ),
        _footer(),
        data_live_from=live,
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _header(framing: Framing) -> Html:
    addresses = framing.addresses
    find = tag(
        "form",
        tag("label", "Object Id or service", for_="find", class_="unseen"),
        tag(
            "input",
            id="find",
            name="q",
            type="search",
            placeholder="Object Id or service",
            autocomplete="off",
            spellcheck="false",
            maxlength="255",
            required=True,
        ),
        tag("button", "Open"),
        role="search",
        action=addresses.to("find"),
        class_="find",
    )
    leave = tag(
        "form",
        tag("input", type="hidden", name="csrf", value=framing.csrf),
        tag("button", "Sign out", class_="quiet"),
        action=addresses.to("leave"),
        method="post",
    )
    brand = tag(
        "a", LOGO, tag("span", "vista"), tag("span", framing.node, class_="home"),
        href=addresses.to(), class_="brand",
    )  # fmt: skip
    return tag(
        "header",
        brand,
        find if framing.csrf else None,
        leave if framing.csrf and framing.leaving else None,
    )


def _crumbs(page: Page) -> Html:
    links = [tag("li", tag("a", title, href=address)) for title, address in page.crumbs]
    return tag("ol", links, tag("li", short(page.title, 60), aria_current="page"))


def _tabs(page: Page) -> Html:
    if not page.tabs:
        return NOTHING
    links = [
        tag("li", tag("a", title, href=address, aria_current="page" if here else None))
        for title, address, here in page.tabs
    ]
    return tag("nav", tag("ul", links), class_="tabs", aria_label="Pages of this node")


def _footer() -> Html:
    words = (
        "Each page asks the nodes by messages, as everybody may; what it shows is of this moment."
    )
    return tag("footer", tag("p", words))


LOGO: Final = tag(
    "svg",
    tag("circle", cx="12", cy="12", r="4"),
    tag("circle", cx="4", cy="5", r="2.5"),
    tag("circle", cx="20", cy="5", r="2.5"),
    tag("circle", cx="12", cy="21.5", r="2.5"),
    tag("path", d="M9 9.5 5.5 6.5M15 9.5l3.5-3M12 16v3"),
    viewBox="0 0 24 24",
    class_="logo",
    aria_hidden="true",
)


# --- parts of pages ------------------------------------------------------------------------


def node_tabs(addresses: Addresses, node: str, page: str) -> list[tuple[str, str, bool]]:
    """Return the pages of a node as tabs, of which ``page`` is the present one."""
    return [(title, addresses.node(node, step), step == page) for step, title in TABS]


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[Child]], empty: str
) -> Html:
    """Return a table that scrolls by itself where it is wider than the window.

    A column's name may end with ``>`` for figures, which stand on the right, and begin with ``-``
    when a narrow window may leave it out. ``empty`` is said in the place of a table without rows.
    """
    if not rows:
        return tag("p", empty, class_="empty")
    kinds = [_kind(column) for column in columns]
    titles = [column.strip("->") for column in columns]
    head = tag(
        "tr",
        [
            tag("th", name, scope="col", class_=kind)
            for name, kind in zip(titles, kinds, strict=True)
        ],
    )
    body = [
        tag("tr", [tag("td", cell, class_=kind) for cell, kind in zip(row, kinds, strict=True)])
        for row in rows
    ]
    inside = tag(
        "table",
        tag("caption", caption, class_="unseen"),
        tag("thead", head),
        tag("tbody", body),
    )
    return tag("div", inside, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _kind(column: str) -> str | None:
    kinds = ["figure"] * column.endswith(">") + ["extra"] * column.startswith("-")
    return " ".join(kinds) or None


def figures(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Return figures with what they mean, as a row of cards."""
    cards = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs]
    return tag("dl", cards, class_=f"cards of-{len(cards) if len(cards) <= 5 else 4}")


def prose(text: str) -> Html:
    """Return a text of a docstring in which what stands in backquotes is code."""
    pieces = _QUOTED.split(" ".join(text.split()))
    return join([code(piece) if place % 2 else piece for place, piece in enumerate(pieces)])


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Return names and what belongs to them, one below the other; what is empty is left out."""
    rows = [tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs if value]
    return tag("dl", rows, class_="facts")


def section(title: str, *children: Child, id: str | None = None, note: str = "") -> Html:
    """Return a part of a page with a heading."""
    heading = tag("h2", title, tag("span", note, class_="note") if note else None)
    return tag("section", heading, children, id=id)


def notice(text: str, kind: str = "trouble") -> Html:
    """Return words that stand out: ``trouble`` or ``plain``."""
    return tag("p", text, class_=f"notice {kind}")


def code(text: object) -> Html:
    """Return names, Ids and values in the letters of code."""
    return tag("code", str(text))


def linked(addresses: Addresses, text: str) -> Html:
    """Return a text in which every Id of an object leads to the object."""
    pieces: list[Child] = []
    end = 0
    for found in _ID.finditer(text):
        pieces += [text[end : found.start()], tag("a", found[0], href=addresses.object(found[0]))]
        end = found.end()
    return join([*pieces, text[end:]])


def breakable(title: str) -> Html:
    """Return a title that may be broken after dots and hyphens, where names are long."""
    return Html(join(title).replace(".", ".<wbr>").replace("-", "-<wbr>"))


def short(text: str, most: int) -> str:
    """Return the beginning of a text, with a mark where the rest is left off."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def pager(address: str, query: Mapping[str, object], first: int, shown: int, more: bool) -> Html:
    """Return links to the rows before and after these; nothing when all are shown.

    ``address`` has no query; ``shown`` rows from number ``first`` on stand on the page.
    """
    if not first and not more:
        return NOTHING

    def to(number: int) -> str:
        asked = {**query, "first": number or ""}
        kept = urlencode({name: value for name, value in asked.items() if value != ""})
        return f"{address}?{kept}" if kept else address

    before = tag("a", "← Earlier", href=to(max(0, first - ROWS_MAX)), rel="prev") if first else None
    after = tag("a", "Later →", href=to(first + ROWS_MAX), rel="next") if more else None
    here = f"{first + 1:,} to {first + shown:,}" if shown else "none from here on"
    return tag("nav", before, tag("span", here), after, class_="pager", aria_label="More rows")
