"""What stands on the terminal: the design's example to the column, every size, every view."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.starship.display.screen import Look
from apps.starship.rules.objects import Mission
from apps.starship.terminal import views
from apps.starship.terminal.drawing import HEIGHT, VIEWS, WIDTH, Sight, draw, weapons_line
from apps.starship.terminal.lines import (
    STYLES,
    Span,
    clip,
    length,
    line,
    printable,
    rendered,
    text_of,
)
from apps.starship.terminal.plot import Plot, chevron, short_range
from tests.starship.rules.galaxy import thing
from tests.starship.terminal.example import LINES, WIDE, bridge, example


def texts(screen: dict[str, Any] | None, width: int = WIDTH, height: int = HEIGHT, **sight: Any
          ) -> list[str]:  # fmt: skip
    return [text_of(row).rstrip() for row in draw(screen, Sight(**sight), width, height)]


# --- the example ---------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(len(LINES)))
def test_the_example_of_the_design_is_drawn_to_the_column(number: int) -> None:
    drawn = texts(example(), WIDE, len(LINES), typed="fire t2")
    assert drawn[number] == LINES[number]


def test_on_80_columns_only_the_longest_line_of_the_example_moves_together() -> None:
    drawn = texts(example(), 80, len(LINES), typed="fire t2")
    differing = [now for now, then in zip(drawn, LINES, strict=True) if now != then]
    assert differing == [LINES[2].replace("   ", "  ")]


# --- sizes ---------------------------------------------------------------------------------

SCREENS = {
    "none": None,
    "example": example(),
    "empty": bridge(),
    "scan": bridge(look=Look()),
    "wreck": bridge(thing("Gath", "K"), dead_at=9, killer="Gath", hull=0),
    "crowd": bridge(*(thing(f"Ship{n}", "FKRO"[n % 4], at=(n * 5_000, n * 5_000))
                      for n in range(200, 230))),
}  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(sorted(SCREENS)),
    width=st.integers(-5, 600),
    height=st.integers(-5, 300),
    view=st.one_of(st.sampled_from(sorted(VIEWS)), st.text(max_size=5)),
    notice=st.text(max_size=300),
    banner=st.text(max_size=300),
    typed=st.text(max_size=300),
    refused=st.booleans(),
)
def test_every_size_gets_as_many_lines_and_columns_as_it_has(
    name: str, width: int, height: int, view: str, notice: str, banner: str, typed: str,
    refused: bool,
) -> None:  # fmt: skip
    sight = Sight(view, notice, refused, banner, typed=typed)
    rows = draw(SCREENS[name], sight, width, height)
    assert len(rows) == max(5, min(200, height))
    assert all(length(row) <= max(20, min(400, width)) for row in rows)
    assert all(" " <= character <= "~" for row in rows for character in text_of(row))


def test_a_bridge_on_24_lines_has_field_weapons_mission_and_messages() -> None:
    rows = texts(example(), WIDE)
    assert len(rows) == 24
    assert [n for n, row in enumerate(rows) if row.startswith(" +")] == [4, 15]
    assert rows[16].startswith(" P1 phaser")
    assert rows[17].startswith(" mission:")
    assert rows[18].startswith(" 1233 Hit")
    assert rows[-1] == " >"


def test_on_a_narrow_terminal_the_contacts_stand_without_the_field() -> None:
    rows = texts(example(), 60)
    assert not any(row.startswith(" +") for row in rows)
    assert "  1 K ship Gath       enemy   118.2  044.1 6.0" in rows


def test_what_is_typed_is_seen_from_its_end() -> None:
    assert texts(example(), 20, typed="x" * 30 + "end")[-1] == " > " + "x" * 13 + "end"


# --- what is said --------------------------------------------------------------------------


def test_who_looks_on_sees_that_it_is_a_scan() -> None:
    assert texts(bridge(look=Look()))[0].endswith("scan only")


def test_a_wreck_says_who_destroyed_it_and_what_can_be_done() -> None:
    rows = texts(SCREENS["wreck"])
    assert rows[0].endswith("DESTROYED")
    assert " Federation Starship Lexington is destroyed, by Kolvar Starship Gath." in rows
    assert any(row.startswith(" create [NAME] [RACE]") for row in rows)
    assert max(map(len, views.WELCOME)) <= WIDTH


def test_a_ship_on_its_course_wants_degrees_and_one_to_a_place_its_point() -> None:
    assert "want: 090.5 3.0" in texts(bridge(want_heading=905, want_speed=30))[3]
    assert "want: 1500 20 3.0" in texts(bridge(point=(1_500_000, 20_000), want_speed=30))[3]


def test_a_race_without_magazine_has_no_torpedoes_and_osk_have_missiles() -> None:
    from apps.starship.display.screen import screen_of
    from tests.starship.rules.galaxy import galaxy

    selath = screen_of(galaxy(thing("Selath", "R")), "Selath", Look())
    jackdaw = screen_of(galaxy(thing("Jackdaw", "O")), "Jackdaw", Look())
    assert "torps" not in texts(selath)[2]
    assert "missiles 30" in texts(jackdaw)[2]


def test_an_answer_stands_above_the_messages() -> None:
    rows = texts(example(), WIDE, notice="fire p1: P1 is recycling.", refused=True)
    assert rows[18] == " fire p1: P1 is recycling."
    assert rows[19].startswith(" 1233")


def test_a_lost_link_stands_above_everything() -> None:
    assert texts(example(), banner="No answer")[:2] == [" No answer", LINES[0]]


def test_hints_and_given_orders_are_shown() -> None:
    look = Look(mode="captain", left=2, orders=("speed 6.0",))
    screen = bridge(look=look, human=True, next_mission_at=12)
    rows = texts(screen)
    assert " hint: Welcome aboard Lexington. A mission comes in 3 steps." in rows
    assert " ordered: speed 6.0" in rows


def mission_row(base: str, planet: str, columns: int = 80) -> str:
    """The line of a mission that leads to a starbase first, and then to a planet."""
    places = thing(base, "F", "starbase", at=(1_300_000, 1_400_000)), thing(planet, "F", "planet")
    screen = bridge(*places, mission=Mission("deliver", 5, 155, 24, planet))
    return next(row for row in texts(screen, columns) if row.startswith(" mission:"))


def test_a_mission_that_leads_elsewhere_first_says_so_and_where_to_then() -> None:
    task = " mission: deliver 50 supplies to Vulcan"
    assert mission_row("Aegis", "Vulcan", 90) == (
        f"{task}  (first Aegis, 500 u, 146 steps, 24 points)"
    )
    # What it pays is what a captain on the way can do without.
    assert mission_row("Aegis", "Vulcan") == f"{task}  (first Aegis, 500 u, 146 steps)"
    assert mission_row("Sixteen-letters2", "Sixteen-letters1") == (
        " mission: deliver 50 supplies to Sixteen-lette~  (first Sixteen-letters2, 500 u)"
    )


def test_a_call_that_can_be_answered_says_how() -> None:
    screen = example()
    screen["messages"][1]["respond"] = "Yorktown"
    assert texts(screen, WIDE)[19].endswith("attackers 2 (respond Yorktown)")


def test_more_contacts_than_lines_are_counted() -> None:
    rows = texts(SCREENS["crowd"], 80, 15)
    assert any(row.endswith(f"and {len(SCREENS['crowd']['srs']['contacts']) - 2} more")
               for row in rows)  # fmt: skip


def test_long_names_have_room_on_a_wide_terminal() -> None:
    screen = bridge(thing("Abcdefghijklmnop", "K", at=(1_100_000, 1_000_000)))
    assert "K ship Abcdefghi~ enemy" in texts(screen, 80)[5]
    assert "K ship Abcdefghijklmnop enemy" in texts(screen, 90)[5]


@pytest.mark.parametrize("view", sorted(VIEWS.keys() - {"srs"}))
def test_a_view_stands_under_the_head(view: str) -> None:
    rows = texts(example(), WIDE, view=view)
    assert rows[:4] == LINES[:4]
    assert rows[4:] != texts(example(), WIDE)[4:]


def test_the_status_has_what_the_head_has_not() -> None:
    rows = "\n".join(texts(bridge(points=60), view="status"))
    for word in ("ENG 100%", "T2 100%", "power balanced", "cargo 0", "under way", "truce for 15",
                 "shield     0 of 5   next: 50 points"):  # fmt: skip
        assert word in rows


def test_help_explains_every_order_on_24_lines() -> None:
    from apps.starship.rules.commands import COMMANDS

    rows = "\n".join(texts(example(), view="help"))
    assert "let the autopilot go to an object" in rows
    for name in COMMANDS:
        assert f"\n {name}" in rows


def test_help_is_there_without_a_ship() -> None:
    assert any("course DEGREES" in row for row in texts(None, view="help"))


def test_the_galaxy_shows_ships_bases_and_calls() -> None:
    screen = bridge(
        thing("Gath", "K", at=(3_900_000, 3_900_000)),
        thing("Aegis", "F", "starbase", at=(100_000, 3_900_000)),
        thing("Argosy", at=(3_900_000, 100_000), distress_at=9),
    )
    rows = texts(screen, view="lrs")
    assert rows[5][3] == "#" and rows[5].rstrip("|")[-2] == "K"
    assert rows[-3].rstrip("|")[-2] == "?"
    assert rows[-2].endswith("calls for help: Argosy")


# --- the field -----------------------------------------------------------------------------


def field(screen: dict[str, Any]) -> list[str]:
    return [text_of(row) for row in short_range(screen, 31, 31)]


def test_the_ship_is_in_the_middle_and_north_is_up() -> None:
    rows = field(bridge(thing("Gath", "K", at=(1_000_000, 1_250_000)), heading=900))
    assert rows[15][15] == ">"
    assert rows[2][15] == "K"


def test_an_attacker_and_a_caller_are_marked_without_colour() -> None:
    rows = field(
        bridge(
            thing("Gath", "K", at=(1_100_000, 1_000_000)),
            thing("Argosy", at=(900_000, 1_000_000), distress_at=9),
            attackers={"Gath": 9},
        )
    )
    assert "K!" in rows[15] and "F?" in rows[15]


def test_beams_explosions_and_borders_are_drawn_where_nothing_is() -> None:
    from apps.starship.rules.objects import Shot

    rows = field(
        bridge(
            thing("Gath", "K", at=(1_200_000, 1_000_000)),
            thing("Vorn", "K", at=(1_000_000, 1_200_000), dead_at=9, hull=0),
            shots=(Shot(9, "P1", "Gath", 9, 0),),
        )
    )
    assert "^---------K" in rows[15]
    assert "%" in rows[5]
    assert rows[15].startswith(".")  # the border of two quadrants


@pytest.mark.parametrize(
    ("heading", "mark"), [(0, "^"), (45, "^"), (46, ">"), (135, "v"), (225, "v"), (226, "<")]
)
def test_the_ship_points_where_it_goes(heading: float, mark: str) -> None:
    assert chevron(heading) == mark


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_no_place_is_drawn_outside_of_the_field(x: float, y: float) -> None:
    place = Plot(31, 10, 700, 700, 600).place(x, y)
    assert place is None or (0 <= place[0] < 31 and 0 <= place[1] < 10)


# --- lines ---------------------------------------------------------------------------------


def test_nothing_from_a_server_controls_the_terminal() -> None:
    screen = example()
    screen["messages"][0]["text"] = "\x1b]0;owned\x07\r\n\x9b2J"
    screen["ship"]["full_name"] = "\x1b[2J"
    made = "".join(rendered(row, True) for row in draw(screen, Sight()))
    for style in (*STYLES.values(), "\x1b[0m"):
        made = made.replace(style, "") if style else made
    assert printable(made) == made


def test_a_line_without_colour_has_no_control_characters() -> None:
    assert rendered(line(Span("RED", "red"), " ok "), colour=False) == "RED ok"
    assert rendered(line(Span("RED", "red")), colour=True) == "\x1b[1;31mRED\x1b[0m"


def test_colour_adds_nothing_that_the_text_does_not_say() -> None:
    for row in draw(example(), Sight()):
        coloured = rendered(row, colour=True)
        for style in (*STYLES.values(), "\x1b[0m"):
            coloured = coloured.replace(style, "") if style else coloured
        assert coloured.rstrip() == rendered(row, colour=False)


def test_a_line_is_clipped_between_spans_and_within() -> None:
    row = line(Span("abc", "red"), "def")
    assert text_of(clip(row, 4)) == "abcd"
    assert clip(row, 3) == (Span("abc", "red"),)


def test_weapons_say_less_where_there_is_less_room() -> None:
    weapons = example()["weapons"]
    wide, middle, narrow = (text_of(weapons_line(weapons, width)) for width in (80, 70, 60))
    assert wide == LINES[10]
    assert middle == " P1 phaser lock Gath | P2 phaser arc | T1 torp wait 2 | T2 torp ready"
    assert narrow == " P1 phaser lock | P2 phaser arc | T1 torp wait 2 | T2 torp ready"
