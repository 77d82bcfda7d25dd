"""What the examples of documents leave behind is gone before other tests begin."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """Have the classes of an example forgotten, which others have by the same name.

    A class is found by its name as long as it exists, and only the collector ends one.
    """
    yield
    gc.collect()
