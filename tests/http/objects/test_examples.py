"""The examples in the docstrings of the HTTP server's objects print what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from apps.http.content import attempts, cache, files, listings, nonces, paths
from apps.http.objects import profile


@pytest.mark.parametrize(
    "module",
    [attempts, cache, files, listings, nonces, paths, profile],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_examples_print_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
