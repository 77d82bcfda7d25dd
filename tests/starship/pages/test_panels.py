"""What each panel of a bridge shows, and what its controls send."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.starship.pages import Notice, Page, bridge_page, panels_of
from tests.starship.pages.played import (
    PAGE,
    Screen,
    bounty,
    delivery,
    docked,
    fight,
    near,
    played_screen,
    seen,
    ships,
    wreck,
)
from tests.starship.pages.reading import Element, read
from tests.starship.rules.galaxy import galaxy

IDS = (
    "header hints alert shields status srs target distress nav lrs weapons mission messages"
    " interval"
).split()
HEADED = [id for id in IDS if id not in ("header", "hints")]
"""The panels with a heading of their own; the others are labelled by a word."""


def panel(id: str, screen: Screen, page: Page = PAGE) -> Element:
    return read(panels_of(screen, page)[id])


def test_there_is_every_panel_of_the_design() -> None:
    assert sorted(panels_of(seen(fight()), PAGE)) == sorted(IDS)


@pytest.mark.parametrize("id", IDS)
def test_the_document_has_each_panel_once_with_a_name(id: str) -> None:
    page = read(bridge_page(seen(fight(), target="Gath"), PAGE))
    section = page.find("section", id=id)
    if id in HEADED:
        heading = section.find("h2", id=section.get("aria-labelledby"))
        assert heading.text
    else:
        assert section.get("aria-label")


def test_the_body_tells_step_ship_and_mode() -> None:
    body = read(bridge_page(seen(fight()), PAGE)).find("body")
    assert (body.get("data-step"), body.get("data-ship"), body.get("data-mode")) == (
        "50",
        "Bounty",
        "captain",
    )


@pytest.mark.parametrize("ship", ships()[::4])
def test_every_ship_of_a_galaxy_that_played_has_a_well_formed_bridge(ship: str) -> None:
    page = read(bridge_page(played_screen(ship, target="Lantern"), PAGE))
    assert page.find("body").get("data-ship") == ship


def test_every_id_stands_once() -> None:
    page = read(bridge_page(seen(fight(), target="Gath"), PAGE))
    ids = [element.get("id") for element in page.walk() if element.get("id")]
    assert sorted(ids) == sorted(set(ids))


def test_every_label_has_its_field() -> None:
    page = read(bridge_page(seen(docked(), target="Aegis"), PAGE))
    ids = {element.get("id") for element in page.walk()}
    labels = [label.get("for") for label in page.find_all("label")]
    assert labels and not [name for name in labels if name not in ids]


# --- header --------------------------------------------------------------------------------


def test_the_header_says_who_where_and_when() -> None:
    header = panel("header", seen(fight()))
    assert header.find("h1").text == "Federation Starship Bounty"
    assert header.find(data_testid="quadrant").text == "C2 Federation space"
    assert header.find(data_testid="step").text.startswith("50")


@pytest.mark.parametrize("left", range(4))
def test_dots_show_the_orders_that_are_left(left: int) -> None:
    dots = panel("header", seen(fight(), left=left)).find(data_testid="dots")
    assert dots.get("aria-label") == f"{left} of 3 orders left"
    assert len(dots.find_all("i", class_="dot on")) == left
    assert len(dots.find_all("i")) == 3


def test_the_orders_of_the_step_are_listed() -> None:
    header = panel("header", seen(fight(), orders=("course 45.0", "fire P1")))
    assert [row.text for row in header.find_all("li")] == ["course 45.0", "fire P1"]


def test_a_bar_runs_down_to_the_next_step() -> None:
    header = panel("header", seen(fight()), replace(PAGE, next_in=2.5))
    running = header.find("animate")
    assert (running.get("from"), running.get("dur")) == ("50.0", "2.50s")


def test_a_display_that_is_frozen_says_so() -> None:
    header = panel("header", seen(fight()), replace(PAGE, frozen=True))
    banner = header.find(role="alert")
    assert banner.text == "Link to the primary lost - display frozen at step 50"
    assert not header.find_all("animate")


def test_a_warning_of_the_server_is_shown() -> None:
    screen = {**seen(fight()), "warning": "This game is not saved at the moment: disk full"}
    assert panel("header", screen).find(role="status").text == screen["warning"]
    assert not panel("header", {**screen, "warning": ""}).find_all(role="status")


# --- alert and shields ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "seconds"), [("green", "3.33s"), ("yellow", "1.43s"), ("red", "0.67s")]
)
def test_an_alert_is_a_word_and_a_pulse(level: str, seconds: str) -> None:
    screen = {**seen(fight()), "alert": {"level": level}}
    alert = panel("alert", screen)
    assert alert.find("text", class_="word").text == level.upper()
    assert alert.find("animate").get("dur") == seconds


def test_nothing_flashes_faster_than_twice_a_second() -> None:
    for level in ("green", "yellow", "red"):
        alert = panel("alert", {**seen(fight()), "alert": {"level": level}})
        assert float(alert.find("animate").get("dur").rstrip("s")) >= 0.5


def test_a_red_alert_is_read_out() -> None:
    assert panel("alert", seen(fight())).find(role="alert").text == "Red alert: under attack"
    assert not panel("alert", seen(docked())).find_all(role="alert")


def test_shields_are_as_thick_as_they_are_strong() -> None:
    shields = panel("shields", seen(fight(shields=(100, 55, 24, 100, 20, 0))))
    arcs = shields.find_all("path")
    assert [arc.get("stroke-width") for arc in arcs] == ["8", "4", "2", "8", "2", "1"]
    assert [arc.get("class").split()[1] for arc in arcs] == [
        "green", "yellow", "red", "green", "red", "red",
    ]  # fmt: skip


def test_shields_that_are_down_are_thin_and_grey() -> None:
    arcs = panel("shields", seen(fight(shields_up=False))).find_all("path")
    assert {(arc.get("class"), arc.get("stroke-width")) for arc in arcs} == {("facing down", "1")}


def test_the_shields_stand_in_a_table_too() -> None:
    rows = panel("shields", seen(fight())).find("tbody").find_all("tr")
    assert [[cell.text for cell in row.children] for row in rows][:2] == [
        ["bow", "100", "100 %"],
        ["starboard bow", "55", "55 %"],
    ]
    assert len(rows) == 6


@pytest.mark.parametrize(("up", "pressed"), [(True, "shields-down"), (False, "shields-up")])
def test_only_the_useful_button_of_the_shields_can_be_pressed(up: bool, pressed: str) -> None:
    shields = panel("shields", seen(fight(shields_up=up)))
    able = [row.get("data-testid") for row in shields.find_all("button") if not _off(row)]
    assert able == [pressed]
    assert shields.form_of(pressed)["arg1"] == pressed.removeprefix("shields-")


def _off(element: Element) -> bool:
    return "disabled" in element.attributes


# --- status --------------------------------------------------------------------------------


def test_gauges_that_are_low_are_coloured() -> None:
    status = panel("status", seen(fight(hull=70, crew=50, supplies=30, energy=399)))
    levels = {row.find("dt").text: row.find("dd").get("class") for row in _gauges(status)}
    assert levels == {
        "Energy": "yellow", "Hull": "red", "Crew": "yellow", "Supplies": "red", "Ammo": "green",
    }  # fmt: skip


def _gauges(status: Element) -> list[Element]:
    return status.find_all("div", class_="gauge")


def test_attackers_are_named_with_their_distance() -> None:
    assert panel("status", seen(fight())).find("div", class_="attackers").text == (
        "AttackersGath 100.0 u"
    )


def test_power_and_repair_are_chosen() -> None:
    status = panel("status", seen(fight(power="weapons")))
    options = status.find("select", id="power").find_all("option")
    assert [row.text for row in options] == ["balanced", "weapons", "shields", "engines"]
    assert [row.text for row in options if "selected" in row.attributes] == ["weapons"]
    assert status.form_of("set-repair")["command"] == "repair"


def test_upgrades_are_bought_when_docked_and_paid() -> None:
    status = panel("status", seen(docked()))
    shown = {
        row.get("data-testid"): _off(row)
        for row in status.find_all("button")
        if row.get("data-testid").startswith("upgrade-")
    }
    assert shown == {
        "upgrade-shield": True,  # 150 points, and there are 120
        "upgrade-hull": False,
        "upgrade-reactor": False,
        "upgrade-weapons": False,
        "upgrade-magazine": False,
    }
    assert status.form_of("upgrade-hull")["arg1"] == "hull"


def test_nothing_is_sold_in_space() -> None:
    assert not panel("status", seen(fight())).has("upgrade-hull")


# --- scans ---------------------------------------------------------------------------------


def _contact(scan: Element, name: str) -> Element:
    return scan.find("a", data_name=name)


@pytest.mark.parametrize(
    ("name", "stance", "shape"),
    [
        ("Yorktown", "friend", "#s-friend"),
        ("Gath", "attacker", "#s-foe"),
        ("Vulcan", "friend", "#s-world"),
        ("Solace", "neutral", "#s-far-world"),
        ("Aegis", "friend", "#s-base"),
        ("Ironhold", "enemy", "#s-far-base"),
    ],
)
@pytest.mark.parametrize("id", ["srs", "lrs"])
def test_a_contact_has_colour_and_shape(id: str, name: str, stance: str, shape: str) -> None:
    contact = _contact(panel(id, seen(fight())), name)
    assert stance in contact.get("class").split()
    assert shape in [use.get("href") for use in contact.find_all("use")]


@pytest.mark.parametrize("id", ["srs", "lrs"])
def test_an_attacker_has_a_double_ring(id: str) -> None:
    scan = panel(id, seen(fight()))
    ringed = [
        contact.get("data-name")
        for contact in scan.find_all("a", data_look="")
        if contact.get("data-name") and contact.find_all("use", href="#s-ring")
    ]
    assert ringed == ["Gath"]


@pytest.mark.parametrize("id", ["srs", "lrs"])
def test_a_contact_is_a_link_that_makes_it_the_target_and_is_spoken(id: str) -> None:
    contact = _contact(panel(id, seen(fight())), "Gath")
    assert contact.get("href") == "/starship/bridge?ship=Bounty&radius=300&target=Gath"
    assert contact.get("aria-label") == ("Kolvar Starship Gath, attacker, 100 units, bearing 090")


def test_places_are_north_up_with_the_ship_in_the_centre() -> None:
    scan = panel("srs", seen(fight()))
    assert _contact(scan, "Gath").get("transform") == "translate(100.0 0.0)"
    assert _contact(scan, "Vulcan").get("transform") in (
        "translate(0.0 -200.0)",
        "translate(-0.0 -200.0)",
    )


def test_a_wider_radius_draws_smaller() -> None:
    scan = panel("srs", seen(fight(), radius=500))
    assert _contact(scan, "Gath").get("transform") == "translate(60.0 0.0)"
    assert scan.find("a", data_zoom="500").get("aria-current") == "true"


def test_beams_of_the_last_step_are_drawn() -> None:
    beam = panel("srs", seen(fight())).find("line", data_shot="Gath D1")
    assert beam.get("class") == "beam disruptor"
    assert (beam.get("x1"), beam.get("x2")) == ("100.0", "0.0")


def test_explosions_are_drawn() -> None:
    scan = panel("srs", seen(wreck()))
    assert scan.find("g", class_="explosion").find("title").text == "Bounty destroyed"


def test_borders_are_dashed_lines_with_the_names_of_quadrants() -> None:
    scan = panel("srs", seen(fight()))
    assert len(scan.find_all("line", class_="border")) == 2
    names = [row.text.split()[0] for row in scan.find_all("text", class_="quadrant")]
    assert sorted(names) == ["B2", "B3", "C2", "C3"]


def test_the_contacts_stand_in_a_table_by_distance() -> None:
    rows = panel("srs", seen(fight())).find("tbody").find_all("tr")
    names = [row.find("a").get("title").split()[-1] for row in rows]
    assert names == ["Gath", "Yorktown", "Vulcan", "Solace", "Aegis", "Ironhold"]


def test_a_call_for_help_is_marked_in_both_scans() -> None:
    for id in ("srs", "lrs"):
        scan = panel(id, seen(fight()))
        assert len(_contact(scan, "Yorktown").find_all("circle", class_="call")) == 1
        assert len(scan.find_all("circle", class_="call")) == 1


def test_a_galaxy_too_full_to_draw_shows_the_nearest_and_says_so() -> None:
    screen = seen(fight())
    rows = [{**screen["lrs"]["contacts"][0], "name": f"Ship{n}"} for n in range(1_000)]
    lrs = read(panels_of({**screen, "lrs": {**screen["lrs"], "contacts": rows}}, PAGE)["lrs"])
    assert len([a for a in lrs.find_all("a") if a.get("data-name")]) == 400
    assert "The nearest 400 of 1000" in lrs.text


# --- target, distress, navigation ----------------------------------------------------------


def test_the_target_is_described() -> None:
    target = panel("target", seen(fight(), target="Gath"))
    assert target.find(data_testid="target-name").text == "Kolvar Starship Gath"
    facts = {row.find("dt").text: row.find("dd").text for row in target.find_all("div")
             if row.find_all("dt") and len(row.find_all("dt")) == 1}  # fmt: skip
    assert facts["Distance"] == "100.0 u"
    assert facts["Bearing"] == "090.0° rel 044.9°"
    assert facts["Captain"] == "the computer"


def test_the_target_is_set_as_destination_locked_and_cleared() -> None:
    target = panel("target", seen(fight(), target="Gath"))
    assert target.form_of("target-dest")["arg1"] == "Gath"
    locked = target.form_of("target-lock-all")
    assert (locked["command"], locked["arg1"], locked["arg2"]) == ("lock", "all", "Gath")
    assert target.find(data_testid="clear").get("href") == (
        "/starship/bridge?ship=Bounty&radius=300"
    )


def test_a_friend_cannot_be_locked_on() -> None:
    target = panel("target", seen(fight(), target="Yorktown"))
    assert _off(target.find(data_testid="target-lock-all"))


def test_the_call_for_help_can_be_pressed_only_under_attack() -> None:
    assert not _off(panel("distress", seen(fight())).find(data_testid="distress"))
    calm = panel("distress", seen(docked())).find(data_testid="distress")
    assert _off(calm) and calm.get("title") == "You are not under attack."


def test_a_call_that_was_sent_says_when_the_next_one_may_be() -> None:
    distress = panel("distress", seen(fight(distress_at=48)))
    assert "again in 7 steps" in distress.text


def test_navigation_tells_what_is_and_what_is_wanted() -> None:
    nav = panel("nav", seen(fight(want_heading=900)))
    assert nav.find(data_testid="course-now").text == "045.1°"
    assert nav.find(data_testid="wanted").text == "090.0°"
    assert nav.find("path", class_="now").get("transform") == "rotate(45.1)"
    assert nav.find("g", class_="want").get("transform") == "rotate(90.0)"


def test_the_destination_is_filled_with_the_target() -> None:
    nav = panel("nav", seen(fight(dest="Vulcan"), target="Gath"))
    assert nav.find("input", id="dest").get("value") == "Gath"
    assert nav.find(data_testid="wanted").text == "Vulcan"


@pytest.mark.parametrize("command", ["course", "speed", "dest"])
def test_each_field_of_navigation_sends_its_order(command: str) -> None:
    nav = panel("nav", seen(fight()))
    sent = nav.form_of(f"set-{command}")
    assert sent["command"] == command
    assert {name: sent[name] for name in ("ship", "token", "key", "radius")} == {
        "ship": "Bounty", "token": "a-token", "key": "a-key", "radius": "300",
    }  # fmt: skip


def test_stop_orders_speed_0() -> None:
    sent = panel("nav", seen(fight())).form_of("stop")
    assert (sent["command"], sent["arg1"]) == ("speed", "0")


def test_what_was_refused_stands_at_its_field_with_what_was_typed() -> None:
    page = replace(
        PAGE,
        notice=Notice(False, "E_ARG", "A course is 0 to 359.9 degrees."),
        typed={"command": "course", "arg1": "4 <5>"},
    )
    nav = panel("nav", seen(fight()), page)
    field = nav.find("input", id="course")
    assert field.get("value") == "4 <5>" and field.get("aria-invalid") == "true"
    told = nav.find(id=field.get("aria-describedby"))
    assert told.text == "A course is 0 to 359.9 degrees."
    assert not nav.find("input", id="speed").get("aria-invalid")


# --- weapons -------------------------------------------------------------------------------


def test_each_weapon_tells_its_state_lock_and_whether_it_bears() -> None:
    weapons = panel("weapons", seen(fight()))
    assert [row.get("data-weapon") for row in weapons.find_all("li")] == ["P1", "P2", "T1", "T2"]
    first = weapons.find("li", data_weapon="P1").text
    assert "phaser" in first and "ready" in first and "Gath" in first and "bears" in first
    assert "out of arc" in weapons.find("li", data_weapon="P2").text


def test_fire_and_lock_send_the_weapon_and_the_target() -> None:
    weapons = panel("weapons", seen(fight(), target="Gath"))
    assert weapons.form_of("fire-P1")["arg1"] == "P1"
    sent = weapons.form_of("lock-T2")
    assert (sent["arg1"], sent["arg2"]) == ("T2", "Gath")
    assert weapons.form_of("lock-all")["arg1"] == "all"


def test_a_weapon_that_recycles_cannot_be_fired_and_says_when() -> None:
    weapons = panel("weapons", seen(fight(ready={"P1": 53})))
    assert _off(weapons.find(data_testid="fire-P1"))
    assert weapons.find(data_testid="state-P1").text == "recycling 2"


def test_nothing_is_locked_without_a_target() -> None:
    lock = panel("weapons", seen(fight())).find(data_testid="lock-all")
    assert _off(lock) and lock.get("title") == "Choose a target first"


# --- mission, messages, hints --------------------------------------------------------------


def test_the_mission_tells_task_way_time_and_pay() -> None:
    mission = panel("mission", seen(delivery()))
    assert mission.find(data_testid="task").text == "Deliver 50 supplies to Vulcan."
    assert "Aegis" in mission.text and "150" in mission.text and "31 points" in mission.text
    assert mission.form_of("mission-dest")["arg1"] == "Aegis"
    assert mission.form_of("mission-abandon")["arg1"] == "abandon"


def test_without_a_mission_it_says_when_one_comes() -> None:
    screen = {**seen(fight()), "mission": None, "next_mission_in": 4}
    assert "The next mission comes in 4 steps." in read(panels_of(screen, PAGE)["mission"]).text


def test_messages_have_step_key_and_kind() -> None:
    row = panel("messages", seen(fight())).find("li", id="m50-nav-0")
    assert (row.get("data-key"), row.get("class")) == ("shot_hit", "attack")
    assert row.text == "50P1 hits Gath for 20"


def test_messages_are_announced_and_filtered() -> None:
    messages = panel("messages", seen(fight()))
    assert messages.find("ol", id="log").get("aria-live") == "polite"
    other = panel("messages", seen(fight()), replace(PAGE, filter="border"))
    assert other.find("ol", id="log").text == "No messages of this kind."


def test_a_call_for_help_can_be_answered() -> None:
    screen = seen(fight())
    call = {**screen["messages"][0], "key": "distress", "respond": "Yorktown"}
    messages = read(panels_of({**screen, "messages": [call]}, PAGE)["messages"])
    sent = messages.form_of("respond-Yorktown")
    assert (sent["command"], sent["arg1"], sent["then"]) == ("respond", "Yorktown", "dest")


def test_a_refusal_stands_in_the_message_window_with_its_code() -> None:
    page = replace(PAGE, notice=Notice(False, "E_LIMIT", "Only 3 orders per step."))
    row = panel("messages", seen(fight()), page).find("li", data_key="refused")
    assert row.get("data-code") == "E_LIMIT"
    assert "Only 3 orders per step." in row.text


def test_hints_of_a_first_mission_are_shown_with_the_order_they_propose() -> None:
    hints = panel("hints", seen(delivery()))
    assert "Load 50 supplies at Federation Starbase Aegis" in hints.text
    sent = hints.form_of("hint-dest")
    assert (sent["command"], sent["arg1"]) == ("dest", "Aegis")


@pytest.mark.parametrize(
    ("words", "command", "arg"),
    [
        ("Give it a speed (speed 6.0).", "speed", "6.0"),
        ("Lower the shields (shields down).", "shields", "down"),
        ("Call for help (distress).", "distress", ""),
    ],
)
def test_an_order_in_a_hint_is_a_button(words: str, command: str, arg: str) -> None:
    hints = read(panels_of({**seen(fight()), "hints": [words]}, PAGE)["hints"])
    sent = hints.form_of(f"hint-{command}")
    assert (sent["command"], sent.get("arg1", "")) == (command, arg)


def test_words_in_brackets_that_are_no_order_stay_words() -> None:
    screen = {**seen(fight()), "hints": ["Points buy upgrades (upgrade hull)."]}
    hints = read(panels_of(screen, PAGE)["hints"])
    assert "(upgrade hull)" in hints.text and not hints.find_all("form")


def test_a_ship_that_is_lost_has_a_last_page() -> None:
    lost = panel("hints", seen(wreck())).find(data_testid="lost")
    assert "Destroyed by Kolvar Starship Gath." in lost.text
    assert [a.text for a in lost.find_all("a")] == ["Create a new ship", "Watch"]


def test_the_interval_of_plain_pages_is_shown_and_changed() -> None:
    interval = panel("interval", seen(fight()), replace(PAGE, interval=12))
    assert interval.find(data_testid="interval").get("value") == "12"
    assert interval.find(data_testid="set-interval").text == "Change Automatic Update Interval"
    page = bridge_page(seen(fight()), replace(PAGE, interval=12))
    assert '<noscript><meta http-equiv="refresh" content="12"></noscript>' in page


def test_an_interval_of_0_asks_for_nothing() -> None:
    assert "refresh" not in bridge_page(seen(fight()), replace(PAGE, interval=0))


def test_a_starbase_has_a_bridge_too() -> None:
    state = galaxy(near("Aegis", "F", 0, 0, "starbase"), bounty(x=900_000), step=50)
    page = read(bridge_page(seen(state, "Aegis", mode="scan"), PAGE))
    assert page.find("body").get("data-ship") == "Aegis"
