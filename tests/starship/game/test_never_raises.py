"""Whatever is admitted, the step it belongs to is computed and committed."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.game.admission import Admission
from apps.starship.game.conductor import Conductor, Phase
from apps.starship.game.events import Committed, Report, Tick
from apps.starship.rules.commands import COMMANDS, Refusal
from apps.starship.rules.creating import new_game
from apps.starship.rules.objects import Thing
from apps.starship.rules.state import Settings, State
from apps.starship.rules.step import Enlistment, Structure, advance, commit
from tests.starship.rules.galaxy import CAPTAIN, THEME, changed, galaxy, thing

WORDS = st.one_of(
    st.sampled_from(
        ["Bounty", "Gath", "aegis", "Vulcan", "all", "P1", "T1", "up", "down", "engines", "none",
         "abandon", "hull", "ENG", "balanced", "reactor", 0, 90, "6.5", "359.9", "-1", 1e300]
    ),
    st.text(max_size=5), st.integers(), st.floats(), st.none(), st.booleans(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.none(), max_size=1),
)  # fmt: skip
NAMES = st.one_of(st.sampled_from([*COMMANDS]), WORDS)
ORDERS = st.lists(st.tuples(NAMES, st.lists(WORDS, max_size=3)), max_size=8)
SHIPS = st.lists(
    st.tuples(
        st.sampled_from(["", "Comet", "comet", "Gath", "Aegis", "no such"]),
        st.sampled_from("FKRON?"),
        st.sampled_from([(), (1,), (5, 5, 1, 1, 1, 2, 3, 4, 5, 0), (0,) * 9 + (6,), ("x",) * 10]),
    ),
    max_size=4,
)


def begun() -> State:
    """A small galaxy in which a captain has a ship, and fights have begun."""
    small = Settings(ships=2, bases=1, planets=1, free_planets=1, starships_max=30)
    made = Structure((Enlistment("Bounty", "F", CAPTAIN),))
    return advance(advance(new_game(42, THEME, small), structure=made))


BEGUN = begun()


@given(ORDERS, SHIPS, ORDERS)
@settings(max_examples=60, deadline=None)
def test_no_order_and_no_ship_that_is_admitted_stops_a_step(
    orders: list[tuple[Any, list[Any]]],
    ships: list[tuple[str, str, tuple[Any, ...]]],
    late: list[tuple[Any, list[Any]]],
) -> None:
    state = BEGUN
    admission = Admission(state.view())
    for words in (orders, late):
        for name, arguments in words:
            admission.order("Bounty", CAPTAIN, "", name, arguments)
        for name, race, record in ships:
            admission.enlist(name, race, CAPTAIN + 1, record=record)
        admission.take("Gath", CAPTAIN + 2)
        admission.leave("Bounty", CAPTAIN)
        given_orders, structure = admission.close()
        state = advance(state, given_orders, structure)
        admission.begin(state.view(), given_orders, ())
    assert state.step == BEGUN.step + 2


# --- what is so no longer when a ship is made ----------------------------------------------


def base_alone(**more: Any) -> tuple[Thing, Thing]:
    """A race with one berth, and the wreck-to-be of it."""
    base = thing("Aegis", kind="starbase", at=(250_000, 3_750_000))
    return base, changed(base, dead_at=5, **more)


def test_a_ship_whose_race_has_lost_its_last_berth_is_not_made() -> None:
    _base, wreck = base_alone()
    after = commit(galaxy(wreck, step=6), [], Structure((Enlistment("Comet", "F", 7),)))
    assert "Comet" not in after.objects


def test_a_ship_whose_name_another_has_got_takes_nobodys_place() -> None:
    state = galaxy(thing("comet", captain=3), base_alone()[0], step=6)
    after = commit(state, [], Structure((Enlistment("Comet", "F", 7),)))
    assert "Comet" not in after.objects
    assert after.objects["comet"].meta.captain == 3


def test_the_game_goes_on_and_says_that_a_ship_was_not_built() -> None:
    base, wreck = base_alone()
    conductor = Conductor(galaxy(base, step=6), 5.0, 0.0)
    assert conductor.admission.enlist("Comet", "F", 7) == "Comet"
    conductor.state = galaxy(wreck, step=6)
    conductor.view = conductor.state.view()
    effects = conductor.handle(Tick(step=True), 1.0)
    assert conductor.phase is Phase.COLLECTING
    [done] = [effect for effect in effects if isinstance(effect, Committed)]
    assert done.state.step == 7
    [report] = [effect for effect in effects if isinstance(effect, Report)]
    assert (report.kind, report.text) == (
        "unbuilt",
        "Comet was not built: its race has lost its last berth, or another ship has its name",
    )


def test_what_a_ship_cannot_have_earned_is_refused() -> None:
    made = Admission(galaxy(base_alone()[0], step=6).view())
    found = made.enlist("Comet", "F", 7, record=(1, 2, 3))
    assert found == Refusal("E_ARG", "What Comet has earned cannot be read.")
