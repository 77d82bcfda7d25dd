"""The examples in the docstrings of the HTTP cores print what they say."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest

from apps.http.syntax.fields import Fields

MODULES = (
    "answers authentication cookies dates etags events fields forms heads http2 negotiation "
    "ranges requests targets websocket"
).split()


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str) -> None:
    module = import_module(f"apps.http.syntax.{name}")
    result = doctest.testmod(module, extraglobs={"Fields": Fields})
    assert result.attempted > 0
    assert result.failed == 0
