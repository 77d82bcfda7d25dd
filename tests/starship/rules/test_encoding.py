"""States as bytes and back, recordings, and what is refused from outside (section 12)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.starship.errors import ScenarioError
from apps.starship.rules.commands import Command
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import canonical, digest, encode_state, plain
from apps.starship.rules.objects import Delivery, Mission, Record, Shot, Weapon
from apps.starship.rules.reading import read_changes, read_settings, read_state
from apps.starship.rules.replay import Played, play, read_step, replay, write_start, write_step
from apps.starship.rules.state import State
from apps.starship.rules.step import Enlistment, Structure, advance
from tests.starship.rules.galaxy import THEME, galaxy, thing


def played(steps: int) -> State:
    state = new_game(4, THEME)
    for _ in range(steps):
        state = advance(state)
    return state


def test_canonical_json() -> None:
    record = Record(3, 0, "hit_by", (("name", "Gath"), ("damage", 20)))
    assert canonical((record, None, True, {"b": 1, "a": (2,)})) == (
        '[{"key":"hit_by","params":{"damage":20,"name":"Gath"},"seq":0,"step":3},'
        'null,true,{"a":[2],"b":1}]'
    )


NUMBERS = st.integers(-(2**63), 2**63)
TEXTS = st.text(st.characters(max_codepoint=127), max_size=8)
NAMES = st.none() | TEXTS
PLACES = st.tuples(NUMBERS, NUMBERS)
VALUES = st.recursive(
    NUMBERS
    | NAMES
    | st.booleans()
    | st.builds(Weapon, TEXTS, TEXTS, NUMBERS, NUMBERS, NAMES, NUMBERS, NUMBERS)
    | st.builds(Shot, NUMBERS, TEXTS, TEXTS, NUMBERS, NUMBERS)
    | st.builds(Delivery, NUMBERS, TEXTS, NUMBERS)
    | st.builds(Mission, TEXTS, NUMBERS, NUMBERS, NUMBERS, NAMES, places=st.tuples(PLACES))
    | st.builds(Record, NUMBERS, NUMBERS, TEXTS, st.tuples(st.tuples(TEXTS, NUMBERS | TEXTS))),
    lambda members: st.lists(members, max_size=4).map(tuple) | st.dictionaries(TEXTS, members),
    max_leaves=6,
)


@given(VALUES)
def test_canonical_json_is_what_json_writes_with_sorted_keys(value: Any) -> None:
    written = json.dumps(plain(value), sort_keys=True, separators=(",", ":"))
    assert canonical(value) == written


@pytest.mark.parametrize("value", [1.5, (1, 2.0), Shot(1, "T1", "Gath", 0.5, 3), [1]], ids=repr)  # type: ignore[arg-type]
def test_what_is_no_value_of_the_simulation_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError, match=r"is no value of the simulation"):
        canonical(value)


def test_a_state_survives_being_written() -> None:
    state = played(120)
    text = encode_state(state)
    assert text.isascii()
    back = read_state(text, THEME)
    assert back == state
    assert digest(advance(back)) == digest(advance(state))


@pytest.mark.parametrize(
    ("group", "changes", "words"),
    [
        ("nav", {"x": -1}, r"nav\.x must be an integer from 0"),
        ("nav", {"x": 5.0}, r"nav\.x must be an integer"),
        ("nav", {"x": True}, r"nav\.x must be an integer"),
        ("nav", {"heading": 3_600}, r"nav\.heading"),
        ("nav", {"speed": 101}, r"nav\.speed"),
        ("nav", {"dest": 5}, r"nav\.dest must be a text"),
        ("nav", {"point": [1]}, r"nav\.point must be a list of 2"),
        ("nav", {"warp": 5}, r"nav has no attribute 'warp'"),
        ("tac", {"shields": [1] * 5}, r"tac\.shields must be a list of 6"),
        ("tac", {"shields_up": 1}, r"tac\.shields_up must be true or false"),
        ("tac", {"systems": [1, 2, 3, 101]}, r"tac\.systems"),
        ("tac", {"weapons": [{"id": "P1"}]}, r"tac\.weapons must be an object with id"),
        ("tac", {"attackers": {"Gath": "x"}}, r"tac\.attackers"),
        ("tac", {"log": ["x"]}, r"tac\.log must be an object with step"),
        ("com", {"mission": []}, r"com\.mission must be an object with kind"),
        ("com", {"upgrades": [6] * 6}, r"com\.upgrades"),
        ("com", {"alert": "ö"}, r"com\.alert must be a text of ASCII"),
        ("warp", {}, r"groups are meta, nav, tac, com"),
    ],
)
def test_deltas_that_are_none(group: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        read_changes(group, changes)


def broken(**changes: Any) -> str:
    row = json.loads(encode_state(galaxy(thing("Lexington"), thing("Gath", "K"))))
    for path, value in changes.items():
        place: Any = row
        *way, last = path.split("__")
        for step in way:
            place = place[int(step) if step.isdecimal() else step]
        place[int(last) if last.isdecimal() else last] = value
    return json.dumps(row)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"step": -1}, "step must be"), ({"objects": {}}, "objects must be a list"),
        ({"objects__0__meta__kind": "moon"}, "no 'moon'"),
        ({"objects__0__meta__race": "X"}, "race 'X'"),
        ({"objects__0__meta__name": "<b>"}, "is no name"),
        ({"objects__0__tac__power": "all"}, "power is one of"),
        ({"objects__0__tac__weapons__0__type": "laser"}, "weapons of this starship are phaser P1"),
        ({"objects__0__nav": {}}, "nav lacks"),
        ({"objects__0": 5}, "an object has the groups"),
        ({"objects__1__meta__name": "Lexington"}, "two objects"),
        ({"settings": {"warp": 1}}, "settings are"),
        ({"settings__ships": "x"}, "ships must be"),
        ({"ruins": [[1, 2]]}, "ruins must be"), ({"extra": 1}, "a state has"),
    ],
)  # fmt: skip
def test_states_that_are_none(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        read_state(broken(**changes), THEME)


@given(st.text(max_size=40))
def test_any_text_is_a_state_or_refused(text: str) -> None:
    with pytest.raises(ScenarioError):
        read_state(text, THEME)


def test_settings_are_checked() -> None:
    assert read_settings({"commands_per_step": 4}).commands_per_step == 4
    with pytest.raises(ScenarioError, match="1 to 10"):
        read_settings({"commands_per_step": 11})


# --- recordings ----------------------------------------------------------------------------


def recording() -> list[str]:
    """A game of 30 steps with a captain, orders, and units that were deferred."""
    state = new_game(6, THEME)
    lines = [write_start(state)]
    for step in range(30):
        orders: dict[str, list[Command]] = {}
        structure, deferred = Structure(), ()
        if step == 0:
            structure = Structure(enlisted=(Enlistment("Bounty", "F", 9),))
        elif step == 1:
            orders = {"Bounty": [Command("course", (900,)), Command("speed", (60,))]}
        elif step == 5:
            deferred = (("Bounty", "nav"), ("Lexington", "tac"))
        elif step == 9:
            structure = Structure(captains=(("Bounty", None),))
        made = Played(orders, deferred, structure, "")
        state = play(state, made)
        lines.append(write_step(made._replace(hash=digest(state))))
    return lines


def test_a_recording_gives_the_same_states() -> None:
    states = list(replay(recording(), THEME))
    assert len(states) == 31
    places = [state.objects["Bounty"].nav.x for state in states[1:7]]
    # Its NAV of the sixth step was deferred.
    assert places == [255_000, 255_360, 256_800, 260_040, 265_800, 265_800]


def test_a_recorded_step_reads_as_it_was_written() -> None:
    made = Played(
        {"Bounty": [Command("lock", ("all", "Gath")), Command("distress")]}, (("Gath", "nav"),),
        Structure((Enlistment("Ark", "O", 3),), (("Gath", None), ("Vorn", 4))), "abc",
    )  # fmt: skip
    assert read_step(write_step(made), 2) == made


def test_a_recording_that_was_changed_is_noticed() -> None:
    lines = recording()
    lines[2] = lines[2].replace("900", "901")
    with pytest.raises(ScenarioError, match=r"line 3: step 2 has the hash [0-9a-f]+, recorded"):
        list(replay(lines, THEME))


STEP: dict[str, Any] = {
    "orders": {}, "deferred": [], "enlisted": [], "captains": [], "hash": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "line 2: "),
        ("{}", "line 2: expected orders"),
        (json.dumps({**STEP, "orders": 5}), "line 2: this is no step"),
        (json.dumps({**STEP, "orders": {"A": [["warp"]]}}), "no order"),
        (json.dumps({**STEP, "orders": {"A": [["fire"]]}}), "no order"),
        (json.dumps({**STEP, "enlisted": [["A", "Z", 1]]}), "no new ship"),
        (json.dumps({**STEP, "deferred": [1]}), "no step"),
    ],
    ids=["syntax", "empty", "orders", "word", "argument", "race", "deferred"],
)
def test_lines_that_are_no_steps(line: str, words: str) -> None:
    with pytest.raises(ScenarioError, match=words):
        list(replay([recording()[0], line], THEME))


def test_recordings_that_are_none() -> None:
    for lines in ([], ["x"], ['{"format":"chess","start":"x"}']):
        with pytest.raises(ScenarioError):
            list(replay(lines, THEME))
