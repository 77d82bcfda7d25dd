"""The simulator finds deliberate errors in the protocol: so it can find others."""

from __future__ import annotations

import pytest

from tests.solidstate.counted_flaws import COUNTED_FLAWS
from tests.solidstate.flaw import Flaw, first_seed_that_finds
from tests.solidstate.flaws import FLAWS

ALL = (*FLAWS, *COUNTED_FLAWS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("flaw", [pytest.param(flaw, id=flaw.name) for flaw in ALL])
def test_flaw_is_found(flaw: Flaw) -> None:
    assert first_seed_that_finds(flaw) is not None, f"{flaw.seeds} seeds do not find it"


def test_there_are_enough_flaws_with_names_of_their_own() -> None:
    assert len({flaw.name for flaw in ALL}) == len(ALL)
    assert len(FLAWS) >= 25 and len(COUNTED_FLAWS) >= 10


def test_without_a_change_nothing_is_found() -> None:
    line = "from __future__ import annotations"
    assert first_seed_that_finds(Flaw("none", "quorums", line, line, seeds=3)) is None


@pytest.mark.parametrize("flaw", [pytest.param(flaw, id=flaw.name) for flaw in ALL])
def test_flaw_is_a_change_of_one_place(flaw: Flaw) -> None:
    assert flaw.path.read_text("utf-8").count(flaw.text) == 1
