"""What a page costs that a group has proven: rows of ``python -m benchmarks --only solidstate``.

The shop of `apps.solidstate.shop` on four processes, one of which serves it, and beside it the same
pages of the same process, of carts that are ordinary objects. The load is wrk's.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from http.client import HTTPConnection, HTTPResponse
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from apps.solidstate.shop.goods import GOODS
from apps.solidstate.shop.server import SITE
from benchmarks.http_load import has_wrk, processor_seconds
from benchmarks.measure import (
    MICROSECONDS,
    MILLISECONDS,
    THOUSANDS_A_SECOND,
    NothingMeasuredError,
    Row,
    Subject,
    expect,
    times_the_time,
)
from benchmarks.pbft_group import Child
from benchmarks.solidstate_page_node import ALONE_PAGE, PROVEN_PAGE

SERVERS = 4
MANY = 64
ATTEMPTS_MAX = 5
WARMED_MILLISECONDS = 1_000
"""Loads shorter than that are none to judge by, and follow none that does not count."""
PROVEN, ALONE = "proven", "unreplicated"
_KEY = re.compile(r'name="key" value="([0-9a-f]{64})"')


class Shop:
    """The processes of the shop, which start with the first row that needs them."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._children: list[Child] = []
        self._pages: dict[str, tuple[str, str]] = {}
        self._unread: dict[tuple[str, int, str], list[float]] = {}
        self._warm: set[tuple[str, int]] = set()

    def close(self) -> None:
        """End them."""
        self._stack.close()
        self._children, self._pages, self._warm = [], {}, set()

    def take(self, figure: str, page: str, connections: int, milliseconds: int) -> float:
        """Return ``seconds`` of a page, or processor seconds of ``server`` or ``all`` processes.

        Figures of one load are kept for the other rows of it.
        """
        kept = self._unread.setdefault((page, connections, figure), [])
        if not kept:
            for name, value in self._load(page, connections, milliseconds).items():
                self._unread.setdefault((page, connections, name), []).append(value)
        return self._unread[page, connections, figure].pop(0)

    def _load(self, page: str, connections: int, milliseconds: int) -> dict[str, float]:
        if not self._children:
            self._start()
        url, cookie = self._pages[page]
        if (page, connections) not in self._warm and milliseconds >= WARMED_MILLISECONDS:
            self._warm.add((page, connections))
            _wrk(url, cookie, connections, 1)
        for attempt in range(ATTEMPTS_MAX):
            seconds = max(1, round(milliseconds / 1e3)) * 2**attempt
            before = [processor_seconds(child.process.pid) for child in self._children]
            rate = _wrk(url, cookie, connections, seconds)
            spent = [
                processor_seconds(child.process.pid) - start
                for child, start in zip(self._children, before, strict=True)
            ]
            if rate:
                # wrk takes also for served what only leads elsewhere.
                asked = Request(url, headers={"Cookie": cookie, "Host": SITE})
                with urlopen(asked, timeout=60) as answer:
                    _expect_goods(answer.read().decode())
                pages = rate * seconds
                return {"seconds": 1 / rate, "server": spent[0] / pages, "all": sum(spent) / pages}
            # A busy machine did not get so far in that time: again, with twice as much.
        raise NothingMeasuredError("wrk was not served")

    def _start(self) -> None:
        folder = self._stack.enter_context(tempfile.TemporaryDirectory())
        urls: list[str] = []
        for number in range(SERVERS):
            words = (f"a-server-{number}", folder, *urls)
            self._children.append(Child("benchmarks.solidstate_page_node", *words))
            self._stack.callback(self._children[-1].end)
            urls.append(self._children[-1].said())
        for child in self._children:
            expect(child.tell("meet", SERVERS), SERVERS)
        # One that does not lead: a page waits for other processes, as most pages of a pool do.
        self._children.reverse()
        port = self._children[0].tell("serve")
        for page, path in ((PROVEN, PROVEN_PAGE), (ALONE, ALONE_PAGE)):
            with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as visitor:
                address, cookie = _fill_cart(visitor, path)
            self._pages[page] = f"http://127.0.0.1:{port}{address}", cookie


def _fill_cart(visitor: HTTPConnection, path: str) -> tuple[str, str]:
    """Begin a session and put three things into its cart; return its address, and the cookie."""

    def ask(method: str, address: str, body: str, *fields: tuple[str, str]) -> HTTPResponse:
        visitor.request(method, address, body, {"Host": SITE, **dict(fields)})
        return visitor.getresponse()

    begun = ask("GET", f"{path}?type={SITE}", "")
    begun.read()
    cookie = ("Cookie", begun.getheader("Set-Cookie", "").partition(";")[0])
    address = begun.getheader("Location", "")
    form = ("Content-Type", "application/x-www-form-urlencoded")
    for good in list(GOODS)[:3]:
        told = _KEY.search(ask("GET", address, "", cookie).read().decode())
        expect(told is not None, True)
        answer = ask("POST", address, urlencode({"key": told[1], "add": good}), cookie, form)
        answer.read()
        expect(answer.status, 303)
    cart = f"{address.partition('?')[0]}?page=cart.html"
    _expect_goods(ask("GET", cart, "", cookie).read().decode())
    return cart, cookie[1]


def _expect_goods(text: str) -> None:
    """Check that a page is that of the cart."""
    expect(all(GOODS[good].name in text for good in list(GOODS)[:3]), True)


def _wrk(url: str, cookie: str, connections: int, seconds: int) -> float:
    """Load a page; return how many were served a second."""
    fields = ("-H", f"Cookie: {cookie}", "-H", f"Host: {SITE}")
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s", *fields, url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 + seconds)
    told = re.search(r"Requests/sec:\s+([0-9.]+)", done.stdout)
    if told is None or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise NothingMeasuredError(f"wrk was not served: {done.stdout} {done.stderr}")
    return float(told[1])


def page_rows(shop: Shop) -> list[Row]:
    """Return the rows; none without wrk."""
    if not has_wrk():
        return []
    return [*_rows(shop, MANY, f"{MANY} connections"), *_rows(shop, 1, "one connection")]


def _rows(shop: Shop, connections: int, words: str) -> list[Row]:
    """Return the rows of one load: pages, processor time of who serves, and of all processes."""
    found = []
    for figure, name in (
        ("seconds", f"proven page of the cart, {words}"),
        ("server", f"proven page, {words}, processor time of its server"),
        ("all", f"proven page, {words}, processor time of all"),
    ):
        ours, beside = (
            Subject(f"{page} page", partial(shop.take, figure, page, connections))
            for page in (PROVEN, ALONE)
        )
        is_time = figure == "seconds"
        unit = MICROSECONDS
        if is_time:
            unit = THOUSANDS_A_SECOND if connections > 1 else MILLISECONDS
        targets = (times_the_time(6),) if is_time else ()
        row = Row(name, ours, beside, targets=targets, unit=unit, group="solidstate")
        found.append(replace(row, count=5_000, quick=2_000, rounds=3))
    return found
