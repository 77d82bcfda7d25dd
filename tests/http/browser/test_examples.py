"""The examples in the docstrings of the object browser print what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from apps.http.browser import figures, markup, typed


@pytest.mark.parametrize("module", [figures, markup, typed], ids=["figures", "markup", "typed"])
def test_examples_print_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
