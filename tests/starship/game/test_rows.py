"""Results as they travel: what a row may say, and what is refused, whatever it is."""

from __future__ import annotations

import json
import runpy
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.errors import ScenarioError
from apps.starship.game import rows
from apps.starship.game.rows import ComChanges, NavChanges, TacChanges
from apps.starship.game.texts import read_deltas, read_units, write_deltas, write_units
from apps.starship.rules.objects import UNITS, Com, Nav, Record, Tac
from apps.starship.rules.step import Delta
from apps.starship.rules.tactics import DAMAGE_FROM_MAX
from tests.starship.rules.galaxy import galaxy, thing

BEFORE = galaxy(thing("Bounty"), step=9)


def test_rows_have_every_attribute_of_every_unit() -> None:
    """One that is missing would be dropped in silence, and the servers' states part company."""
    for kind, row in ((Nav, NavChanges), (Tac, TacChanges), (Com, ComChanges)):
        assert set(row.__annotations__) == {*kind.names, "lines"}


def test_every_attribute_of_an_object_survives_the_way() -> None:
    ship = thing("Bounty")
    for group in UNITS:
        found = getattr(ship, group)
        delta = Delta("Bounty", group, {name: getattr(found, name) for name in found.names})
        assert read_deltas(write_deltas([delta])) == (delta,)


@pytest.mark.parametrize(
    ("group", "changes"),
    [
        ("nav", {"x": -1}), ("nav", {"x": 5.0}), ("nav", {"x": True}), ("nav", {"heading": 3_600}),
        ("nav", {"speed": 101}), ("nav", {"dest": 5}), ("nav", {"point": [1]}),
        ("nav", {"entered_at": 2**63}), ("nav", {"dest": "x" * 201}), ("nav", {"dest": "ö"}),
        ("nav", {"lines": [[1, 0, "ö", []]]}), ("nav", {"lines": [[1, 0, "a"], 5]}),
        ("tac", {"shields": [1] * 5}), ("tac", {"shields_up": 1}),
        ("tac", {"attackers": {"G": "x"}}),
        ("tac", {"damage_from": {f"G{n}": [1, 1] for n in range(DAMAGE_FROM_MAX + 1)}}),
        ("tac", {"weapons": [["P1", "phaser", 9_000, 10, None, 0, 100]]}),
        ("tac", {"shots": [[1, "P1", "Gath", -1, 0]]}), ("com", {"mission": []}),
        ("com", {"upgrades": [6] * 6}), ("com", {"alert": "ö"}),
        ("com", {"deliveries": [[1, 2, 3]]}), ("meta", {"id": 1}), ("warp", {}),
    ],
)  # fmt: skip
def test_results_that_are_none(group: str, changes: dict[str, Any]) -> None:
    text = json.dumps([[group, "Bounty", changes]])
    with pytest.raises(ScenarioError):
        read_deltas(text, BEFORE)


def test_an_attribute_that_there_is_not_is_none_of_the_result() -> None:
    text = '[["nav","Bounty",{"warp":9,"x":5}]]'
    assert read_deltas(text, BEFORE) == (Delta("Bounty", "nav", {"x": 5}),)


@given(st.one_of(st.text(max_size=40), st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=4), st.sampled_from(["nav", "Bounty"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
).map(json.dumps)))  # fmt: skip
def test_any_text_is_results_or_refused(text: str) -> None:
    try:
        found = read_deltas(text, BEFORE)
    except ScenarioError:
        return
    assert all(isinstance(delta, Delta) for delta in found)


def test_what_is_nested_without_end_is_refused() -> None:
    with pytest.raises(ScenarioError):
        read_deltas("[" * 100_000, BEFORE)


def test_lines_are_records_again() -> None:
    log = (Record(10, 0, "hit_by", (("damage", 5), ("name", "Gath"))),)
    delta = Delta("Bounty", "tac", {"log": log})
    assert read_deltas(write_deltas([delta], 10), BEFORE) == (delta,)


def test_units_survive_the_way() -> None:
    units = (("Bounty", "nav"), ("Bounty", "com"), ("Gath", "tac"))
    assert read_units(write_units(units)) == units


@pytest.mark.parametrize(
    "text",
    ["", "5", '{"Bounty":["nav"]}', '[["Bounty","nav"]]', '[["Bounty",["meta"]]]', "[[5,[]]]"],
    ids=["nothing", "number", "object", "no list", "group", "name"],
)
def test_units_that_are_none(text: str) -> None:
    with pytest.raises(ScenarioError, match="these are no units"):
        read_units(text)


def test_without_its_library_the_game_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(ImportError, match=r"pip install vista\[starship\]"):
        runpy.run_path(str(rows.__file__))
