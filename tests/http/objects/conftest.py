"""Fixtures of the tests of the HTTP server's objects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.http.objects.served import Site, served


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory with a few files."""
    root = tmp_path / "site"
    (root / "docs").mkdir(parents=True)
    (root / "index.html").write_text("<h1>index</h1>")
    (root / "a.txt").write_text("abcdefghij")
    (root / "docs" / "index.html").write_text("<h1>docs</h1>")
    return root


@pytest.fixture
def site(tree: Path) -> Iterator[Site]:
    """A site that serves ``tree``."""
    with served(tree) as made:
        yield made
