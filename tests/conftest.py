"""Options and fixtures that every test may use."""

from __future__ import annotations

import gc
import logging
import os
import signal
import zlib
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

import hypothesis
import pytest

from vista.shell.command import COLLECT_AFTER_OBJECTS

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of this project to pytest's command line."""
    group = parser.getgroup("vista")
    group.addoption(
        "--rewrite",
        action="store_true",
        help="write what the run gives into the files of expected output, instead of comparing",
    )
    group.addoption(
        "--seeds", type=int, default=200, metavar="N", help="seeds of each simulation (200)"
    )
    group.addoption(
        "--seeds-from",
        type=int,
        default=0,
        metavar="N",
        help="the first seed of each (0)",
    )
    group.addoption(
        "--rounds", type=int, default=1, metavar="N", help="N times as many generated examples (1)"
    )
    group.addoption(
        "--kill-rounds",
        type=int,
        default=3,
        metavar="N",
        help="how often replicas of each mode are killed in tests/live (3)",
    )
    group.addoption(
        "--stop-seconds",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="how long a machine is stopped in tests/live (3)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Give hypothesis the settings that a shared machine needs, and Ctrl-C its meaning.

    No deadline: how long one example takes says nothing on two cores that others use as well. A
    shell that starts the tests in the background has SIGINT ignored, which programs inherit.

    Tests start hundreds of processes. Each would compile every module it imports, which takes half
    of its processor time, where the environment says that nothing compiled is to be kept.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    rounds = config.getoption("--rounds")
    hypothesis.settings.register_profile(
        "vista", deadline=None, max_examples=100 * rounds, print_blob=True
    )
    hypothesis.settings.load_profile("vista")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let no garbage be looked for while tests are collected: what is made is there to stay.

    It took a quarter of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Take what pytest keeps of each test out of the sight of the garbage collector.

    Thousands of tests are a million objects, through which every full collection would go. It
    looks as often as in a node: pytest's own pace takes a tenth of a simulation's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 10, 10)


def world_seed(request: pytest.FixtureRequest) -> int:
    """Return the seed of the simulated world in which a test runs.

    It comes from the test's name: together the tests see more orders of events than with a few
    seeds that are the same for all, and each runs as it did before. ``--seeds-from`` moves it.
    """
    name = f"{request.module.__name__} {request.node.name}"
    first: int = request.config.getoption("--seeds-from")
    return zlib.crc32(name.encode()) + first


@pytest.fixture
def rewrite(request: pytest.FixtureRequest) -> bool:
    """True when files of expected output are to be written and not compared."""
    return bool(request.config.getoption("--rewrite"))


@pytest.fixture
def seeds(request: pytest.FixtureRequest) -> range:
    """The seeds a simulation runs with: ``--seeds`` of them from ``--seeds-from`` on."""
    first = request.config.getoption("--seeds-from")
    return range(first, first + request.config.getoption("--seeds"))


def share_of(seeds: range, few: int, part: int, parts: int) -> range:
    """The seeds of one of the tests that share ``few`` for every 200 that are asked for.

    A storm of whole nodes takes as long as hundreds of seeds of others do.
    """
    count = max(1, len(seeds) * few // 200)
    return range(seeds.start, seeds.start + count)[part::parts]


@pytest.fixture
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Let nothing be logged: a storm makes thousands of lines."""
    caplog.set_level(logging.CRITICAL, "vista")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser without a window, for the tests of a module."""
    # Playwright takes long to import, which most processes with tests need not do.
    from tests.chromium import browser

    with browser() as started:
        yield started


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How many times the usual number of examples a long test takes: N of ``--rounds N``."""
    return int(request.config.getoption("--rounds"))
