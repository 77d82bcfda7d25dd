"""The simulator finds deliberate errors in the protocol: so it can find others."""

from __future__ import annotations

import importlib

import pytest

from tests.solidstate.counted_flaws import COUNTED_FLAWS
from tests.solidstate.flaw import Flaw, first_seed_that_finds, flawed
from tests.solidstate.flaws import FLAWS

ALL = (*FLAWS, *COUNTED_FLAWS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("flaw", [pytest.param(flaw, id=flaw.name) for flaw in ALL])
def test_flaw_is_found(flaw: Flaw) -> None:
    assert first_seed_that_finds(flaw) is not None, f"{flaw.seeds} seeds do not find it"


def test_there_are_enough_flaws_with_names_of_their_own() -> None:
    assert len({flaw.name for flaw in ALL}) == len(ALL)
    assert len(FLAWS) >= 25 and len(COUNTED_FLAWS) >= 10


def test_a_run_that_fails_says_what_was_drawn_what_happened_and_how_to_replay_it() -> None:
    name = "counted-chains-go-on-in-the-next-epoch"
    flaw = next(flaw for flaw in COUNTED_FLAWS if flaw.name == name)
    with flawed(flaw) as running, pytest.raises(running.Violation) as caught:
        running.run_seed(flaw.hint, flaw.faults, flaw.strategies, mode=flaw.mode)
    plan, events, replay = caught.value.__notes__
    assert plan.startswith(f"Plan(seed={flaw.hint}, replicas=") and len(events.splitlines()) > 10
    options = f"--first {flaw.hint} --seeds 1 --faults epochs"
    assert replay.startswith(f"to replay it: python -m apps.solidstate.simulate {options}")
    assert replay.endswith("--mode minbft --trace")


def test_the_command_prints_what_failed_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    name = "counted-chains-go-on-in-the-next-epoch"
    with flawed(next(flaw for flaw in COUNTED_FLAWS if flaw.name == name)):
        simulate = importlib.import_module("apps.solidstate.simulate")
        code = simulate.main(["--seeds", "1", "--faults", "epochs", "--mode", "minbft"])
    said = capsys.readouterr().out
    assert code == 1 and "to replay it: python -m apps.solidstate.simulate --first 0" in said
    assert said.rstrip().endswith("1 failed [0]")


def test_without_a_change_nothing_is_found() -> None:
    line = "from __future__ import annotations"
    assert first_seed_that_finds(Flaw("none", "quorums", line, line, seeds=3)) is None


@pytest.mark.parametrize("flaw", [pytest.param(flaw, id=flaw.name) for flaw in ALL])
def test_flaw_is_a_change_of_one_place(flaw: Flaw) -> None:
    assert flaw.path.read_text("utf-8").count(flaw.text) == 1
