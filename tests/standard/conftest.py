"""A running node, and a check that a test leaves nothing open behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import vista
from tests.persistence.simulated import Shelf
from tests.standard.listener import Listener


@pytest.fixture
def node() -> Iterator[vista.Node]:
    """A node in the background; the test's own thread uses it."""
    with vista.Node() as running:
        yield running


@pytest.fixture
def shelf() -> Shelf:
    """What the store of a simulated node holds."""
    return Shelf()


@pytest.fixture
def listener(node: vista.Node) -> vista.Ref:
    """An object that hears notifications."""
    return vista.create(Listener)


def open_descriptors() -> set[str]:
    """What the descriptors of this process lead to."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{number} {os.readlink(f'/proc/self/fd/{number}')}")
        except FileNotFoundError:
            continue
    return found


@pytest.fixture
def no_leak(node: vista.Node) -> Iterator[None]:
    """Fail the test when it leaves a descriptor or an object more than it found."""
    descriptors, objects = open_descriptors(), {row.id for row in vista.objects()}
    yield
    left = [row for row in vista.objects() if row.id not in objects]
    assert [row.class_name for row in left] == []
    assert open_descriptors() == descriptors
