"""rc/solidstate-cart.rc in a browser: the machines behind the shop fail, and the cart is whole."""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.chromium import browser, needs_chromium
from tests.live.process import ROOT, Process, own_directories, vista

READY = "the shop is at http://"
ADDRESS = {
    "name": "Anna Berg", "email": "anna@example.org", "street": "Quay 7", "postcode": "24103",
    "town": "Kiel",
}  # fmt: skip

pytestmark = [
    needs_chromium,
    pytest.mark.timeout(300),  # five processes and a browser, on a machine that does much else
]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a window, on whose pages is waited for longer: much runs beside it."""
    with browser(60.0) as started:
        yield started


class Demonstration:
    """The rc file at a port that nobody has; it is started again with what its disks hold."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = ""
        for path in (ROOT / "rc").glob("solidstate*cart*"):
            text = path.read_text("utf-8")
            (directory / path.name).write_text(text.replace("127.0.0.1:8090", "127.0.0.1:0"))

    @contextmanager
    def running(self) -> Iterator[Process]:
        """What one types: four server processes and a front end, until the block ends."""
        with vista("solidstate-cart.rc", "disks", directory=self.directory) as process:
            process.expect(READY)
            found = [re.search(r"the shop is at (http://\S+)/ ", line) for line in process.errors]
            self.root = next(one[1] for one in found if one)
            yield process


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demonstration]:
    """The demonstration, with keys and sockets of its own."""
    with own_directories():
        yield Demonstration(tmp_path_factory.mktemp("shop"))


def pids(process: Process) -> dict[int, int]:
    """The numbers of the processes, the latest of each."""
    told = [re.search(r"cart-(\d) runs as process (\d+)", line) for line in process.errors]
    return {int(found[1]): int(found[2]) for found in told if found}


class Customer:
    """Somebody who buys, with or without script, on a screen of any width."""

    def __init__(self, page: Page) -> None:
        self.page = page
        page.set_default_timeout(60_000)

    def add(self, name: str) -> None:
        """Put something into the cart."""
        self.page.get_by_role("button", name=f"Add {name} to the cart").click()
        expect(self.page.get_by_test_id("notice")).to_contain_text(f"{name} is in your cart")

    def expect_count(self, count: int) -> None:
        """See how much the cart holds."""
        expect(self.page.get_by_test_id("cart-count")).to_have_text(str(count))

    def go_to_the_till(self) -> None:
        """Go there by the cart, and say where the parcel goes."""
        self.page.get_by_role("link", name="Cart").first.click()
        self.page.get_by_role("link", name="Go to the till").click()
        for field, text in ADDRESS.items():
            self.page.fill(f"#{field}", text)

    def orders(self) -> list[str]:
        """The numbers of the orders that the shop shows."""
        self.page.get_by_role("link", name="Orders").click()
        expect(self.page.locator("h1")).to_have_text("Your orders")
        return self.page.locator("[data-testid=order] a").all_inner_texts()


def switch(chromium: Browser, root: str, number: int, do: str, state: str) -> None:
    """Throw a switch of a machine, and see that it did what it says."""
    page = chromium.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{root}/machines")
    machine = page.get_by_test_id(f"machine-{number}")
    machine.get_by_role("button", name=do).click()
    for _ in range(60):
        if re.search(state, machine.get_by_test_id("state").inner_text()):
            break
        page.get_by_role("link", name="Look again").click()
        page.wait_for_timeout(250)
    expect(machine.get_by_test_id("state")).to_have_text(re.compile(state))
    page.close()


def expect_no_clients(chromium: Browser, root: str, number: int) -> None:
    """See that the front end gives no clients to a machine that lies, and why."""
    page = chromium.new_page()
    page.goto(f"{root}/machines")
    machine = page.get_by_test_id(f"machine-{number}")
    expect(machine).to_contain_text(f"out: replica {number} answers otherwise than was proven")
    page.close()


def serving(process: Process) -> int:
    """The process of the machine that serves the only customer: whose connection stays."""
    told = [re.search(r"cart-(\d) .* shop is served at .*:(\d+)/", line) for line in process.errors]
    sites = {int(found[2]): int(found[1]) for found in told if found}
    stays: set[tuple[str, int]] | None = None
    for _ in range(100):
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        open_to = [(row[1], int(row[2].partition(":")[2], 16)) for row in rows if row[3] == "01"]
        there = {one for one in open_to if one[1] in sites}
        stays = there if not stays else stays & there
        if len(stays) == 1 and stays == there:
            [(_, port)] = stays
            return pids(process)[sites[port]]
        threading.Event().wait(0.2)  # until the front end has asked how the servers are
    raise AssertionError(f"nobody, or more than one, serves: {stays}")


def buy_from_machines_that_fail(chromium: Browser, root: str, process: Process) -> None:
    """Have the very machine fail that one's connection goes to, each time before the next click."""
    context = chromium.new_context(java_script_enabled=False)
    context.route(re.compile(r"\.(svg|css)$"), lambda route: route.abort())  # one connection only
    customer = Customer(context.new_page())
    customer.page.goto(root)
    customer.add("Black tea")
    killed = serving(process)
    os.kill(killed, signal.SIGKILL)
    customer.add("Deck mug")
    stopped = serving(process)
    os.kill(stopped, signal.SIGSTOP)
    customer.add("Deck mug")
    os.kill(stopped, signal.SIGCONT)
    customer.expect_count(3)
    context.close()


def wait_for_line(process: Process, words: str) -> None:
    """Wait until the log says something, before or after this is called."""
    if not any(words in line for line in list(process.errors)):
        process.expect(words)


def test_the_cart_is_whole_whatever_one_machine_does_and_after_all_were_killed(
    chromium: Browser, demonstration: Demonstration
) -> None:
    # Without script, on a telephone: the shop has none. One start of five processes for all of it.
    screen: Any = {"width": 390, "height": 844}
    context = chromium.new_context(viewport=screen, java_script_enabled=False)
    customer = Customer(context.new_page())
    with demonstration.running() as process:
        root = demonstration.root
        customer.page.goto(root)
        customer.add("Enamel kettle")
        switch(chromium, root, 0, "Stop", "does not answer")
        customer.add("Deck mug")
        switch(chromium, root, 0, "well again", "^well$")
        switch(chromium, root, 1, "lie", "^lies$")
        customer.add("Deck mug")
        wait_for_line(process, "answers otherwise than was proven, say solidstate-cart-")
        expect_no_clients(chromium, root, 1)
        customer.add("Heather honey")
        switch(chromium, root, 1, "well again", "^well$")
        switch(chromium, root, 2, "Kill", "^well$")
        customer.add("Black tea")
        customer.expect_count(5)
        customer.go_to_the_till()
        customer.page.get_by_test_id("submit").dblclick()
        number = customer.page.get_by_test_id("number").inner_text()
        assert customer.orders() == [number]
        customer.expect_count(0)
        customer.page.goto(root)
        customer.add("Iron pan")
        for pid in pids(process).values():
            os.kill(pid, signal.SIGKILL)
        process.process.kill()
        process.end()
    with demonstration.running() as process:
        customer.page.goto(demonstration.root)
        customer.expect_count(1)
        assert customer.orders() == [number]
        customer.page.get_by_role("link", name="The machines behind this shop").click()
        expect(customer.page.get_by_test_id("machine-3")).to_be_visible()
        context.close()
        page = chromium.new_page()
        page.goto(f"{demonstration.root}/machines")
        assert Axe().run(page).response["violations"] == []
        page.close()
        buy_from_machines_that_fail(chromium, demonstration.root, process)
        process.signal(signal.SIGTERM)
        assert process.end() == 0
