"""The examples in the docstrings of the HTTP cores print what they say."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from apps.http.syntax import (
    answers,
    authentication,
    cookies,
    dates,
    etags,
    events,
    fields,
    forms,
    heads,
    http2,
    negotiation,
    ranges,
    requests,
    targets,
    websocket,
)


@pytest.mark.parametrize(
    "module",
    [
        answers,
        authentication,
        cookies,
        dates,
        etags,
        events,
        fields,
        forms,
        heads,
        http2,
        negotiation,
        ranges,
        requests,
        targets,
        websocket,
    ],
    ids=lambda module: module.__name__.rpartition(".")[2],
)
def test_examples_print_what_they_say(module: ModuleType) -> None:
    result = doctest.testmod(module, extraglobs={"Fields": fields.Fields})
    assert result.attempted > 0
    assert result.failed == 0
