"""A short run of the fuzz target, so that it is known to work."""

from __future__ import annotations

import pytest

from tests.wire import fuzz_codec
from vista.wire import codec


def test_the_fuzz_target_finds_nothing_in_a_short_run(rounds: int) -> None:
    assert fuzz_codec.fuzz_with_hypothesis(300 * rounds) >= 300 * rounds


def test_the_fuzz_target_finds_an_error_of_another_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "LEAF_ERRORS", (OSError,))
    with pytest.raises((ValueError, TypeError, LookupError)):
        fuzz_codec.fuzz_with_hypothesis(300)
