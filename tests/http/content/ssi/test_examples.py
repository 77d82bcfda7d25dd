"""The examples in the docstrings print what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from apps.http.content.ssi import (
    formats,
    grammar,
    loading,
    patterns,
    processor,
    substitution,
)


@pytest.mark.parametrize(
    "module",
    [formats, grammar, loading, patterns, processor, substitution],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_examples_print_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
