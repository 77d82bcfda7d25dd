"""COM: missions, points, calls for help, upgrades, and what a captain hears.

The design's section 6.3.
"""

from __future__ import annotations

from apps.starship.rules import missions, tables
from apps.starship.rules.arithmetic import UNIT, bearing
from apps.starship.rules.commands import ABANDON_COST, Command
from apps.starship.rules.objects import LEDGER_STEPS, NEVER, Com, Logbook, Thing
from apps.starship.rules.state import CALL_STEPS, View, gap

HEARING_RANGE = 1_500 * UNIT
WATCH_RANGE = 1_000 * UNIT
HELP_RANGE = 200 * UNIT
HELP_POINTS = 15
RESPOND_STEPS_MAX = 200
SAFE_STEPS = 10
DAMAGE_CREDIT_STEPS = 60
BASE_POINTS, SHIP_POINTS, LEVEL_POINTS, SUPPRESS_POINTS = 200, 40, 5, 30
STOCK_MAX = 1_000
STOCK_STEPS = 4


def communicate(view: View, me: Thing, orders: tuple[Command, ...]) -> Com:
    """Return the next COM of a living object."""
    com = me.com.copy()
    log = Logbook(view.step, com.log)
    for order in orders:
        _carry_out(view, me, com, order, log)
    if me.kind == "planet":
        _trade(view, me, com)
    elif me.kind == "starship":
        _drop_response(view, com)
        _take_credit(view, me, com, log)
        _take_help_points(view, me, com)
        if com.mission is not None:
            missions.pursue(view, me, com, log)
        elif view.step >= com.next_mission_at:
            missions.assign(view, me, com, log)
        _note_changes(view, me, com, log)
        _listen(view, me, log)
    com.seen_through = view.state.step
    if com.deliveries and com.deliveries[0].step < view.step - LEDGER_STEPS:
        com.deliveries = com.deliveries[1:]
    com.log = log.close()
    return com


def _carry_out(view: View, me: Thing, com: Com, order: Command, log: Logbook) -> None:
    if order.name == "distress":
        com.distress_at = view.step
        log.note("distress_sent")
    elif order.name == "respond":
        called = view.living(str(order.args[0]))
        if called is not None:
            com.responding_to, com.responding_at = called.name, view.step
    elif order.name == "mission":
        if com.mission is not None:
            com.points = max(0, com.points - ABANDON_COST)
            log.note("mission_failed", kind=com.mission.kind)
            missions.end(view, com)
    elif order.name == "upgrade":
        _upgrade(view, me, com, str(order.args[0]), log)


def _upgrade(view: View, me: Thing, com: Com, track: str, log: Logbook) -> None:
    place = tables.TRACKS.index(track)
    level = com.upgrades[place]
    cost = tables.upgrade_cost(level)
    if level >= tables.LEVEL_MAX or com.points < cost or view.docked_at(me) is None:
        return
    com.points -= cost
    com.upgrades = (*com.upgrades[:place], level + 1, *com.upgrades[place + 1 :])
    log.note("upgraded", track=track, level=level + 1)


def _trade(view: View, me: Thing, com: Com) -> None:
    """Let a planet use up its stock, and take what was delivered up to the old state."""
    n = view.state.step
    for sender in view.deliveries_to.get(me.name, ()):
        if com.deliveries_through < sender.step <= n:
            com.stock += sender.amount
    com.deliveries_through = n
    if view.step % STOCK_STEPS == 0:
        com.stock -= 1
    com.stock = max(0, min(STOCK_MAX, com.stock))


def _drop_response(view: View, com: Com) -> None:
    if com.responding_to is None:
        return
    called = view.living(com.responding_to)
    over = (
        called is None
        or view.step - com.responding_at >= RESPOND_STEPS_MAX
        or (
            called.tac.last_hit < view.step - SAFE_STEPS
            and view.step - called.com.distress_at > CALL_STEPS
        )
    )
    if over:
        com.responding_to, com.responding_at = None, NEVER


def _take_credit(view: View, me: Thing, com: Com, log: Logbook) -> None:
    """Take points for the wrecks this ship damaged, and for planets it silenced; once for each."""
    for wreck in view.wrecks_damaged_by.get(me.name, ()):
        dead_at = wreck.tac.dead_at or 0
        mark = f"{wreck.name}@{dead_at}"
        if wreck.tac.damage_from[me.name][1] < dead_at - DAMAGE_CREDIT_STEPS:
            continue
        if mark not in com.credited and wreck.race != me.race:
            points = BASE_POINTS
            if wreck.kind == "starship":
                points = SHIP_POINTS + LEVEL_POINTS * sum(wreck.com.upgrades)
            if wreck.tac.killer == me.name:
                com.kills += 1
            else:
                points //= 2
            _pay(com, mark, points)
            log.note("killed", name=wreck.name, points=points)
    for planet in view.silenced_by.get(me.name, ()):
        mark = f"{planet.name}@{planet.tac.suppressed_at}"
        if mark not in com.credited:
            _pay(com, mark, SUPPRESS_POINTS)
            log.note("killed", name=planet.name, points=SUPPRESS_POINTS)
    if com.credited:
        com.credited = tuple(mark for mark in com.credited if mark in view.marks)


def _pay(com: Com, mark: str, points: int) -> None:
    com.points += points
    com.score += points
    com.credited = (*com.credited, mark)


def _take_help_points(view: View, me: Thing, com: Com) -> None:
    """Take the points for having come to whom this ship answered."""
    called = view.living(com.responding_to)
    if called is None or not view.calls_for_help(called) or gap(me, called) > HELP_RANGE:
        return
    mark = f"{called.name}@{called.com.distress_at}"
    if mark not in com.assists:
        com.points += HELP_POINTS
        com.score += HELP_POINTS
        # The calls of one's last fights; a call is over for good long before it falls out.
        com.assists = (*com.assists, mark)[-ASSISTS_MAX:]


ASSISTS_MAX = 16
"""Calls for help that were paid for and are remembered."""


def _note_changes(view: View, me: Thing, com: Com, log: Logbook) -> None:
    """Note that the ship docked, and for a captain that the alert is another one."""
    base = view.docked_at(me)
    berth = None if base is None else base.name
    if berth is not None and berth != com.berth:
        log.note("docked", name=berth)
    com.berth = berth
    if me.meta.captain is not None:
        alert = view.alert(me)
        if alert != com.alert:
            log.note("alert", alert=alert)
        com.alert = alert


def _listen(view: View, me: Thing, log: Logbook) -> None:
    """Note the calls of the own race, those who come to help, and intruders."""
    seen, n = me.com.seen_through, view.state.step
    nav = me.nav
    for caller in view.callers.get(me.race, ()):
        if seen < caller.com.distress_at <= n and caller.name != me.name:
            way = gap(me, caller)
            if way <= HEARING_RANGE:
                log.note(
                    "distress", name=caller.name, distance=way // UNIT,
                    quadrant=view.geography.quadrant(caller.nav.x, caller.nav.y),
                    bearing=bearing(caller.nav.x - nav.x, caller.nav.y - nav.y),
                    attackers=len(caller.tac.attackers),
                )  # fmt: skip
    for helper in view.helpers_of.get(me.name, ()):
        if seen < helper.com.responding_at <= n:
            log.note("help_coming", name=helper.name)
    for intruder in view.arrivals.get(me.race, ()):
        if seen < intruder.nav.entered_at <= n and gap(me, intruder) <= WATCH_RANGE:
            quadrant = view.geography.quadrant(intruder.nav.x, intruder.nav.y)
            log.note("intruder", name=intruder.name, quadrant=quadrant)
