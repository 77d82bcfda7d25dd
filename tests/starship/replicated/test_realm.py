"""What becomes of entries, and that every server makes the same of them."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.errors import ScenarioError
from apps.starship.replicated import realm as realms
from apps.starship.replicated.realm import (
    Collecting,
    Owner,
    Realm,
    advance_realm,
    enlist_entry,
    first_realm,
    leave_entry,
    lock_of,
    order_entry,
    read_realm,
    realm_digest,
    take_entry,
    write_realm,
)
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.state import Settings
from apps.starship.themes import shipped_theme

SMALL = asdict(replace(Settings(), ships=1, starships_max=30))
BOB, ANN = 11, 12
PROOF = "what only who knows the phrase can make"


def new() -> Realm:
    return first_realm(5, SMALL, shipped_theme())


@pytest.fixture(scope="module")
def bobs() -> Realm:
    """A realm in which Bob has a ship with a pass-phrase."""
    return advance_realm(new(), [enlist_entry("Bobs", "F", BOB, "salt", lock_of(PROOF))])


def captain_of(realm: Realm, ship: str) -> int | None:
    return realm.state.objects[ship].meta.captain


def test_a_ship_that_is_wished_for_is_there_after_the_step(bobs: Realm) -> None:
    assert captain_of(bobs, "Bobs") == BOB
    assert bobs.owners["bobs"] == Owner("Bobs", "F", BOB, "salt", lock_of(PROOF))


def test_an_order_counts_in_its_step(bobs: Realm) -> None:
    collecting = Collecting(bobs)
    outcome = collecting.take(order_entry("Bobs", BOB, "course", ["123.4"]))
    assert outcome == (True, "", "", 2, 2)
    realm = advance_realm(bobs, [order_entry("Bobs", BOB, "course", ["123.4"])])
    assert realm.state.objects["Bobs"].nav.want_heading == 1234


def test_a_fourth_order_is_refused_whatever_server_took_the_others(bobs: Realm) -> None:
    collecting = Collecting(bobs)
    told = [collecting.take(order_entry("Bobs", BOB, "speed", [f"{n}.0"])) for n in range(4)]
    assert [outcome.ok for outcome in told] == [True, True, True, False]
    assert told[3].code == "E_LIMIT"


def test_numbers_of_an_order_are_read_as_they_are_written(bobs: Realm) -> None:
    one = advance_realm(bobs, [order_entry("Bobs", BOB, "speed", [2.5])])
    other = advance_realm(bobs, [order_entry("Bobs", BOB, "speed", ["2.5"])])
    assert realm_digest(Encoder(), one) == realm_digest(Encoder(), other)


def test_a_ship_is_left_to_the_computer(bobs: Realm) -> None:
    assert captain_of(advance_realm(bobs, [leave_entry("Bobs", BOB)]), "Bobs") is None
    assert captain_of(advance_realm(bobs, [leave_entry("Bobs", ANN)]), "Bobs") == BOB


def test_the_ships_of_captains_who_are_gone_are_left_to_the_computer(bobs: Realm) -> None:
    assert captain_of(advance_realm(bobs, [], [ANN, BOB]), "Bobs") is None


def test_a_ship_with_a_pass_phrase_is_given_to_whoever_knows_it(bobs: Realm) -> None:
    left = advance_realm(bobs, [], [BOB])
    wrong = Collecting(left).take(take_entry("Bobs", ANN, "a guess"))
    assert (wrong.ok, wrong.code) == (False, "E_PHRASE")
    none = Collecting(left).take(take_entry("Bobs", ANN))
    assert none.text == "Bobs has an owner. Its pass-phrase is needed."
    assert captain_of(advance_realm(left, [take_entry("Bobs", ANN, PROOF)]), "Bobs") == ANN
    assert captain_of(advance_realm(left, [take_entry("bobs", BOB)]), "Bobs") == BOB


def test_who_took_a_ship_by_its_phrase_is_its_owner(bobs: Realm) -> None:
    left = advance_realm(bobs, [], [BOB])
    taken = advance_realm(left, [take_entry("Bobs", ANN, PROOF)])
    assert taken.owners["bobs"].captain == ANN


def test_the_name_of_a_ship_with_an_owner_is_nobody_elses(bobs: Realm) -> None:
    assert Collecting(bobs).take(enlist_entry("BOBS", "K", ANN)).code == "E_TAKEN"


def test_pass_phrases_have_a_bound(bobs: Realm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(realms, "OWNERS_MAX", 1)
    outcome = Collecting(bobs).take(enlist_entry("Anns", "F", ANN, "salt", lock_of("x")))
    assert outcome.ok
    assert outcome.text == "No more pass-phrases can be kept: this ship has none."


def test_a_ship_that_is_destroyed_has_no_owner_and_stays_on_the_leaderboard(bobs: Realm) -> None:
    ship = bobs.state.objects["Bobs"]
    doomed = ship._replace(tac=ship.tac.changed({"hull": 0}))
    state = replace(bobs.state, objects={**bobs.state.objects, "Bobs": doomed})
    after = advance_realm(bobs._replace(state=state), [])
    assert after.owners == {}
    assert [row["name"] for row in after.lost] == ["Bobs"]
    assert read_realm(write_realm(after), shipped_theme()).lost == after.lost


def test_a_realm_that_is_written_and_read_is_the_same(bobs: Realm) -> None:
    read = read_realm(write_realm(bobs), shipped_theme())
    assert realm_digest(Encoder(), read) == realm_digest(Encoder(), bobs)
    entries = [order_entry("Bobs", BOB, "course", ["90"])]
    after = [advance_realm(one, entries) for one in (bobs, read)]
    assert realm_digest(Encoder(), after[0]) == realm_digest(Encoder(), after[1])


def test_the_hash_covers_owners_and_the_leaderboard(bobs: Realm) -> None:
    others = [
        bobs._replace(owners={}),
        bobs._replace(owners={"bobs": bobs.owners["bobs"]._replace(lock="other")}),
        bobs._replace(lost=[{"name": "Ann"}]),
        bobs._replace(state=replace(bobs.state, seed=6)),
    ]
    assert len({realm_digest(Encoder(), one) for one in [bobs, *others]}) == 5


@pytest.mark.parametrize(
    "text",
    ["", "5", "[]", "{}", '{"format":"starship realm 1"}', '{"format":"other"}', "[" * 5_000],
    ids=["nothing", "number", "list", "empty", "short", "other", "deep"],
)
def test_what_is_no_realm_is_named(text: str) -> None:
    with pytest.raises(ScenarioError):
        read_realm(text, shipped_theme())


def test_a_realm_with_a_wrong_state_is_named(bobs: Realm) -> None:
    row: dict[str, Any] = json.loads(write_realm(bobs))
    row["state"] = row["state"].replace('"energy"', '"enerqy"')
    with pytest.raises(ScenarioError):
        read_realm(json.dumps(row), shipped_theme())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=4), some),
    max_leaves=6,
)
ENTRIES = st.one_of(
    st.text(max_size=20),
    JSON.map(json.dumps),
    st.tuples(
        st.sampled_from(["order", "enlist", "take", "leave"]), st.lists(JSON, max_size=6)
    ).map(lambda row: json.dumps([row[0], *row[1]])),
    st.tuples(
        st.sampled_from(["course", "speed", "lock", "fire", "repair", "upgrade", "shields"]),
        st.lists(JSON, max_size=3),
    ).map(lambda row: json.dumps(["order", "Bobs", BOB, row[0], row[1]])),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ENTRIES, max_size=6))
def test_whatever_an_entry_holds_has_an_outcome_and_a_next_step(
    bobs: Realm, entries: list[str]
) -> None:
    collecting = Collecting(bobs)
    for entry in entries:
        outcome = collecting.take(entry)
        assert outcome.ok or outcome.code
    assert advance_realm(bobs, entries).state.step == 2
