"""The page that lists a directory: from its names to HTML, a part of it at a time.

Whatever a name holds, it is escaped in the text and percent-encoded in the link, and a link begins
with ``./`` so that no name is taken for a scheme. The page needs no script.
"""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from apps.http.content.directories import Listed

PAGE_NAMES = 500
"""Names on a page; the rest is on the next ones."""
NAMES_MAX = 10_000
"""Names of a directory that are looked at; each takes 7 us, aside of the loop, a link 60."""

FIELDS = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-cache"),
    # Should a name ever get through as markup, it can load and run nothing.
    ("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"),
    ("X-Content-Type-Options", "nosniff"),
)
"""The fields of the answer with the page."""

_COLUMNS = {"name": "Name", "size": "Size", "date": "Modified (UTC)"}
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_EMPTY = '<td class="size"></td><td class="date"></td>'
_STYLE = """\
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--line:#d8dee4;--hover:#f3f6f9;
--link:#0550ae;--ground:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9198a1;--line:#30363d;--hover:#161b22;
--link:#79b8ff;--ground:#0d1117}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 3rem;color:var(--ink);
background:var(--ground);font:16px/1.5 system-ui,sans-serif}
h1{font-size:1.35rem;font-weight:600;margin:0 0 1.25rem;overflow-wrap:anywhere}
a{color:var(--link);text-decoration:none}a:hover{text-decoration:underline}
a:focus-visible{outline:2px solid var(--link);outline-offset:2px;border-radius:2px}
table{width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.45rem .6rem;text-align:left;border-bottom:1px solid var(--line)}
th{font-weight:600;white-space:nowrap}th a{color:inherit}
td:first-child{overflow-wrap:anywhere}tbody tr:hover{background:var(--hover)}
.size,.date{text-align:right;white-space:nowrap}td.size,td.date{color:var(--dim)}
nav{display:flex;gap:1.25rem;margin-top:1.25rem}p{color:var(--dim)}
@media(max-width:34rem){.date{display:none}body{padding:1.25rem .75rem}}
"""


@dataclass(frozen=True, slots=True)
class Order:
    """How a page is sorted, and which page of the directory it is, from 1."""

    column: str = "name"
    descending: bool = False
    page: int = 1

    def link(self) -> str:
        """Return the query that asks for it."""
        down = "&order=desc" if self.descending else ""
        page = f"&page={self.page}" if self.page > 1 else ""
        return html.escape(f"?sort={self.column}{down}{page}")


def parse_order(query: str) -> Order:
    """Return what the query of a request asks for; what it says of nothing is as usual.

    >>> parse_order("sort=size&order=desc&page=3")
    Order(column='size', descending=True, page=3)
    """
    given = dict(parse_qsl(query[:1_000]))
    column = given.get("sort", "name")
    page = given.get("page", "1")
    number = int(page) if page.isascii() and page.isdecimal() and len(page) < 6 else 1
    return Order(
        column if column in _COLUMNS else "name", given.get("order") == "desc", max(1, number)
    )


def listing_page(path: str, entries: Sequence[Listed], order: Order, is_whole: bool) -> str:
    """Return the page that lists a directory.

    ``path`` is the address of the directory, decoded; ``is_whole`` says whether ``entries`` are all
    there are.
    """
    ordered = _sorted(entries, order)
    pages = max(1, -(-len(ordered) // PAGE_NAMES))
    page = min(order.page, pages)
    shown = ordered[(page - 1) * PAGE_NAMES : page * PAGE_NAMES]
    title = html.escape(path)
    parts = [
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        '<meta name="viewport" content="width=device-width">',
        f"<style>{_STYLE}</style></head>\n<body><main><h1>{_trail(path)}</h1>\n",
        _table(path, shown, order),
        "" if entries else "<p>There is nothing in this directory.</p>\n",
        _pages(order, page, pages),
    ]
    if not is_whole:
        parts.append(f"<p>The directory has more names than the {NAMES_MAX:,} looked at.</p>\n")
    return "".join([*parts, "</main></body></html>\n"])


def _sorted(entries: Sequence[Listed], order: Order) -> list[Listed]:
    """Directories come first whichever way; names decide where the column does not."""
    by_name = sorted(entries, key=lambda entry: (entry.name.casefold(), entry.name))
    if order.column == "name":
        ordered = by_name[::-1] if order.descending else by_name
    elif order.column == "size":
        ordered = sorted(by_name, key=lambda entry: entry.size, reverse=order.descending)
    else:
        ordered = sorted(by_name, key=lambda entry: entry.modified, reverse=order.descending)
    return sorted(ordered, key=lambda entry: not entry.is_directory)


def _trail(path: str) -> str:
    """The path with a link for each directory above."""
    names = [name for name in path.split("/") if name]
    parts = []
    for count, name in enumerate(names[:-1], 1):
        address = "/" + "".join(f"{quote(step)}/" for step in names[:count])
        parts.append(f'<a href="{html.escape(address)}">{html.escape(name)}</a>/')
    last = f"{html.escape(names[-1])}/" if names else ""
    return f'<a href="/" aria-label="top">/</a>{"".join(parts)}{last}'


def _table(path: str, entries: Sequence[Listed], order: Order) -> str:
    heads = "".join(_head(column, order) for column in _COLUMNS)
    rows = [] if path == "/" else [f'<tr><td><a href="../">../</a></td>{_EMPTY}</tr>\n']
    rows += [_row(entry) for entry in entries]
    return f"<table><thead><tr>{heads}</tr></thead>\n<tbody>\n{''.join(rows)}</tbody></table>\n"


def _head(column: str, order: Order) -> str:
    chosen = column == order.column
    # Sizes and dates are looked for from the top.
    down = not order.descending if chosen else column != "name"
    said, sign = "", ""
    if chosen:
        said = f' aria-sort="{"descending" if order.descending else "ascending"}"'
        sign = " \u2193" if order.descending else " \u2191"
    link = Order(column, down).link()
    text = f'<a href="{link}">{_COLUMNS[column]}{sign}</a>'
    return f'<th scope="col" class="{column}"{said}>{text}</th>'


def _row(entry: Listed) -> str:
    end = "/" if entry.is_directory else ""
    link = f"./{quote(entry.name)}{end}"
    name = f'<td><a href="{html.escape(link)}">{html.escape(entry.name)}{end}</a></td>'
    if entry.is_directory:
        return f"<tr>{name}{_EMPTY}</tr>\n"
    size = f'<td class="size" title="{entry.size} bytes">{_size(entry.size)}</td>'
    moment = time.gmtime(entry.modified)
    exact = time.strftime("%Y-%m-%dT%H:%M:%SZ", moment)
    date = f'<time datetime="{exact}">{time.strftime("%Y-%m-%d %H:%M", moment)}</time>'
    return f'<tr>{name}{size}<td class="date">{date}</td></tr>\n'


def _size(size: int) -> str:
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value, unit = value / 1024, unit + 1
    return f"{size} B" if not unit else f"{value:.1f} {_UNITS[unit]}"


def _pages(order: Order, page: int, pages: int) -> str:
    if pages == 1:
        return ""
    links = []
    for number, text in ((page - 1, "Previous"), (page + 1, "Next")):
        if 1 <= number <= pages:
            link = Order(order.column, order.descending, number).link()
            links.append(f'<a href="{link}" rel="{text[:4].lower()}">{text}</a>')
    return f'<nav aria-label="Pages">{" ".join(links)}<span>{page} of {pages}</span></nav>\n'
