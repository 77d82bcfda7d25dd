"""A game on several nodes: joining, sharing, orders, losses, the same objects everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import vista
from apps.starship.game.events import Committed, Effect, Send
from apps.starship.game.following import AT_ONCE_MIN
from apps.starship.objects import primary as showing_primary
from apps.starship.objects import secondary as showing_secondary
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.secondary import (
    CHECK_SECONDS,
    LOOK_AGAIN_SECONDS,
    PRIMARY,
    StarshipSecondary,
)
from apps.starship.objects.things import Starship
from apps.starship.rules.creating import new_game
from apps.starship.rules.encoding import digest
from apps.starship.rules.step import advance, units_of
from tests.peers.system import PROMPT, join
from tests.starship.objects.games import add
from tests.starship.rules.galaxy import THEME
from vista import Limits
from vista.testing import SimulatedNode, World

SEED = 42
INTERVAL = 5.0


@pytest.fixture
def world() -> Iterator[World]:
    with World(3) as made:
        made.network.conditions = PROMPT
        yield made


def start(node: SimulatedNode, interval: float = INTERVAL) -> vista.Ref:
    made: vista.Ref = node.call(vista.create, StarshipPrimary, interval, SEED)
    return made


def alone(steps: int) -> str:
    """The hash of the game computed in one place."""
    state = new_game(SEED, THEME)
    for _ in range(steps):
        state = advance(state)
    return digest(state)


def servers(node: SimulatedNode, primary: vista.Ref) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = node.call(primary.get_servers)
    return found


class Fleet:
    """A primary and two secondaries on nodes of their own, all of them ready."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.home, self.near, self.far = (add(world, name) for name in ("home", "near", "far"))
        join(self.near, self.home)
        join(self.far, self.home)
        self.primary = start(self.home)
        self.secondaries = [
            node.call(vista.create, StarshipSecondary) for node in (self.near, self.far)
        ]
        world.pass_time(INTERVAL + 4.0)
        assert [row["state"] for row in servers(self.home, self.primary)] == ["ready"] * 3

    def step(self) -> int:
        found: int = self.home.call(self.primary.get_step)
        return found

    def hash(self) -> str:
        found: str = self.home.call(self.primary.get_hash)
        return found


@pytest.fixture
def fleet(world: World) -> Fleet:
    return Fleet(world)


def test_a_game_on_one_node(world: World) -> None:
    home = add(world, "home")
    primary = start(home)
    world.pass_time(3.5 * INTERVAL)
    assert home.call(primary.get_step) == 3
    assert home.call(primary.get_hash) == alone(3)


def test_steps_by_hand(world: World) -> None:
    home = add(world, "home")
    primary = start(home, interval=0)
    world.pass_time(100.0)
    assert home.call(primary.get_step) == 0
    home.call(primary.step)
    world.pass_time(1.0)
    assert home.call(primary.get_step) == 1
    assert home.call(primary.get_hash) == alone(1)


def test_secondaries_take_their_share_and_have_the_same_state(fleet: Fleet) -> None:
    fleet.world.pass_time(3 * INTERVAL)
    assert all(row["done"] > 0 for row in servers(fleet.home, fleet.primary))
    assert fleet.hash() == alone(fleet.step())
    for node, secondary in zip((fleet.near, fleet.far), fleet.secondaries, strict=True):
        assert node.call(secondary.get_hash) == fleet.hash()


def test_the_same_objects_with_the_same_ids_are_on_every_node(fleet: Fleet) -> None:
    fleet.world.pass_time(2 * INTERVAL)
    ours = fleet.home.call(fleet.primary.get_things)
    theirs = fleet.near.call(fleet.secondaries[0].get_things)
    assert {name: vista.id_of(ref) for name, ref in ours.items()} == {
        name: vista.id_of(ref) for name, ref in theirs.items()
    }
    for name in list(ours)[:10]:
        here = fleet.home.call(ours[name].get_state)
        assert fleet.near.call(theirs[name].get_state) == here
        assert here["meta"]["name"] == name


def test_objects_show_what_the_step_left(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (showing_primary, showing_secondary):
        monkeypatch.setattr(module, "THINGS_AT_ONCE", 30)
    fleet.world.pass_time(2 * INTERVAL)
    state = new_game(SEED, THEME)
    for _ in range(fleet.step()):
        state = advance(state)
    for node, server in ((fleet.home, fleet.primary), (fleet.near, fleet.secondaries[0])):
        for name, ref in node.call(server.get_things).items():
            shown = node.call(ref.get_state)
            assert shown["nav"]["x"] == state.objects[name].nav.x
            assert shown["tac"]["energy"] == state.objects[name].tac.energy


def test_a_captain_makes_a_ship_and_orders_it_about(fleet: Fleet) -> None:
    # From another node than the primary's: the same call.
    primary = fleet.near.call(vista.service, "StarshipPrimary")
    assert fleet.near.call(primary.enlist, "Bounty", "F", 7) == (True, "Bounty", "")
    fleet.world.pass_time(INTERVAL)
    answer = fleet.near.call(primary.order, "Bounty", 7, "k1", "course", ["90"])
    assert (answer[0], answer[3]) == (True, 2)
    refused = fleet.near.call(primary.order, "Bounty", 8, "k2", "course", ["90"])
    assert (refused[0], refused[1]) == (False, "E_CAPTAIN")
    fleet.world.pass_time(INTERVAL)
    things = fleet.far.call(fleet.secondaries[1].get_things)
    assert fleet.far.call(vista.class_of, things["Bounty"]).name == Starship.__name__
    assert fleet.far.call(things["Bounty"].get_state)["nav"]["want_heading"] == 900
    assert fleet.near.call(primary.leave, "Bounty", 7)
    fleet.world.pass_time(INTERVAL)
    ours = fleet.home.call(fleet.primary.get_things)
    assert fleet.home.call(ours["Bounty"].get_state)["meta"]["captain"] is None


def test_a_crashed_node_loses_nothing(fleet: Fleet) -> None:
    before = fleet.step()
    fleet.world.pass_time(3.0)
    fleet.world.crash("far")
    fleet.world.pass_time(6 * INTERVAL)
    assert fleet.step() >= before + 5
    assert fleet.hash() == alone(fleet.step())
    assert len(servers(fleet.home, fleet.primary)) == 2


def test_a_lost_link_comes_back_and_the_server_joins_again(fleet: Fleet) -> None:
    fleet.world.network.lose("far", "home")
    fleet.world.pass_time(8 * INTERVAL)
    assert [row["state"] for row in servers(fleet.home, fleet.primary)] == ["ready"] * 3
    assert fleet.far.call(fleet.secondaries[1].get_hash) == fleet.hash() == alone(fleet.step())
    ours = fleet.home.call(fleet.primary.get_things)
    theirs = fleet.far.call(fleet.secondaries[1].get_things)
    assert {vista.id_of(ref) for ref in ours.values()} == {
        vista.id_of(ref) for ref in theirs.values()
    }


def test_without_its_primary_a_server_is_frozen_and_joins_the_next_game(fleet: Fleet) -> None:
    fleet.world.crash("home")
    fleet.world.pass_time(4 * INTERVAL)
    near, secondary = fleet.near, fleet.secondaries[0]
    assert near.call(secondary.is_frozen)
    frozen = near.call(secondary.get_step)
    things = near.call(secondary.get_things)
    assert near.call(things["Vulcan"].get_full_name) == "Federation Planet Vulcan"
    fleet.world.pass_time(2 * INTERVAL)
    assert near.call(secondary.get_step) == frozen


class HollowPrimary(vista.Object, namespace="StarShip"):
    """A primary that takes every server and goes before it sends the game."""

    def create(self) -> None:
        self.taken = 0
        vista.register_service(PRIMARY, vista.self_ref(self))

    def get_taken(self) -> int:
        return self.taken

    def register_server(self, *args: Any) -> dict[str, Any]:
        self.taken += 1
        return {"ticket": 1}

    def knows_server(self, ticket: int) -> bool:
        return True


@pytest.mark.parametrize("by_news", [False, True], ids=["by itself", "as a node comes"])
def test_a_primary_that_went_before_it_sent_the_game_is_not_waited_for(
    world: World, by_news: bool
) -> None:
    home, near = add(world, "home"), add(world, "near")
    join(near, home)
    hollow = home.call(vista.create, HollowPrimary)
    near.call(vista.create, StarshipSecondary)
    world.pass_time(LOOK_AGAIN_SECONDS + 1.0)
    assert home.call(hollow.get_taken) == 1
    home.call(vista.delete, hollow)
    primary = start(home)
    if by_news:
        join(add(world, "far"), home)
    world.pass_time(2 * CHECK_SECONDS + 2 * INTERVAL)
    assert [row["state"] for row in servers(home, primary)] == ["ready"] * 2


def test_leaving_politely(fleet: Fleet) -> None:
    fleet.far.call(vista.delete, fleet.secondaries[1])
    fleet.world.pass_time(2 * INTERVAL)
    assert len(servers(fleet.home, fleet.primary)) == 2
    assert fleet.hash() == alone(fleet.step())


def test_nobody_speaks_for_a_server_without_its_ticket(fleet: Fleet) -> None:
    primary = fleet.near.call(vista.service, "StarshipPrimary")
    for ticket in (0, 1, -5):
        fleet.near.call(primary.server_ready, ticket, 0, fleet.step(), "wrong")
        fleet.near.call(primary.unregister_server, ticket)
    fleet.world.pass_time(INTERVAL)
    assert [row["faults"] for row in servers(fleet.home, fleet.primary)] == [0, 0, 0]


def test_what_a_stranger_sends_is_not_read(world: World) -> None:
    home = add(world, "home")
    primary = start(home)
    assert home.call(primary.server_sent, 5, 0, "no step", "no results") is None


FEW = Limits(mailbox_messages_max=1_000)


def crowd(me: vista.Ref) -> None:
    """Fill the mailbox of an object."""
    with pytest.raises(vista.Overloaded):
        for _ in range(FEW.mailbox_messages_max + 1):
            me.get_step.post()


class CrowdedSecondary(StarshipSecondary, namespace="StarShip"):
    """A server whose mailbox is full when it gets its first work."""

    crowded = False

    def begin_step(self, epoch: int, t: int, line: str, units: str) -> None:
        """Have no place for a message to itself."""
        if not self.crowded:
            self.crowded = True
            crowd(vista.self_ref(self))
        super().begin_step(epoch, t, line, units)


class CrowdedPrimary(StarshipPrimary, namespace="StarShip"):
    """A primary whose mailbox is full when it carries out the first effect of a kind."""

    crowding: type | None = None

    def crowd_at(self, kind: str) -> None:
        """Say which effect."""
        self.crowding = {"begin": Send, "commit": Committed}[kind]

    def _carry_out(self, effect: Effect) -> None:
        if self.crowding is not None and isinstance(effect, self.crowding):
            self.crowding = None
            crowd(self._me)
        super()._carry_out(effect)


@pytest.mark.parametrize("kind", ["begin", "commit"])
def test_a_primary_with_a_full_mailbox_goes_on_and_everybody_hears_of_it(
    world: World, kind: str
) -> None:
    home, far = add(world, "home", limits=FEW), add(world, "far")
    join(far, home)
    primary = home.call(vista.create, CrowdedPrimary, INTERVAL, SEED)
    secondary = far.call(vista.create, StarshipSecondary)
    world.pass_time(2.5 * INTERVAL)
    step = home.call(primary.get_step)
    home.call(primary.crowd_at, kind)
    world.pass_time(INTERVAL)
    own = home.call(primary.get_own_server)
    assert home.call(primary.get_step) == step + 1
    assert home.call(own.get_step) == far.call(secondary.get_step) == step + 1
    assert home.call(primary.get_hash) == alone(step + 1)


def test_a_server_that_could_not_post_itself_its_work_works_with_the_next_message(
    world: World,
) -> None:
    home, far = add(world, "home"), add(world, "far", limits=FEW)
    join(far, home)
    primary = start(home)
    far.call(vista.create, CrowdedSecondary)
    world.pass_time(6 * INTERVAL)
    assert [row["done"] > 0 for row in servers(home, primary)] == [True, True]
    assert home.call(primary.get_hash) == alone(home.call(primary.get_step))


def test_links_are_looked_at_between_two_batches_of_a_step(world: World) -> None:
    home = add(world, "home")
    primary = start(home, interval=0)
    world.pass_time(1.0)
    before = home.kernel.threads.turns
    home.call(primary.step)
    world.pass_time(1.0)
    units = len(units_of(new_game(SEED, THEME).view()))
    assert home.call(primary.get_step) == 1
    assert home.kernel.threads.turns - before > units // AT_ONCE_MIN


class LyingSecondary(StarshipSecondary, namespace="StarShip"):
    """A server that sends results of its own making."""

    lie: Any = "[]"

    def work(self) -> None:
        """Send a lie and nothing else."""
        assert self._primary is not None, "it has work"
        t = self.get_step() + 1
        self._primary.server_sent.post(self._ticket, 0, t, self.lie)


class BusySecondary(StarshipSecondary, namespace="StarShip"):
    """A server that says it was busy for longer than there are numbers."""

    def work(self) -> None:
        """Work, and say so."""
        assert self._primary is not None, "it has work"
        self._primary.server_done.post(self._ticket, 0, self.get_step() + 1, 10**400)
        super().work()


def test_a_server_that_says_it_was_busy_for_ever_stops_nothing(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    home, far = add(world, "home"), add(world, "far")
    join(far, home)
    primary = start(home)
    far.call(vista.create, BusySecondary)
    world.pass_time(4 * INTERVAL)
    assert home.call(primary.get_hash) == alone(home.call(primary.get_step))
    assert "OverflowError" not in caplog.text


class WordySecondary(StarshipSecondary, namespace="StarShip"):
    """A server that sends whatever it is told to."""

    def say(self, method: str, words: tuple[Any, ...]) -> None:
        """Post the primary a message with its ticket and these words."""
        assert self._primary is not None, "it is in the game"
        vista.post(self._primary, method, self._ticket, *words)


def heard(world: World, method: str, words: tuple[Any, ...]) -> tuple[SimulatedNode, vista.Ref]:
    """The node and the primary of a game of two servers, one of which has sent such a message."""
    home, far = add(world, "home"), add(world, "far")
    join(far, home)
    primary = start(home)
    server = far.call(vista.create, WordySecondary)
    world.pass_time(2 * INTERVAL + 1.0)
    far.call(server.say, method, words)
    world.pass_time(0.5)
    return home, primary


def report(home: SimulatedNode, primary: vista.Ref) -> str:
    """What the primary says of the last thing that went wrong."""
    found: str = home.call(primary.get_servers_table)["reports"][0]["text"]
    return found


@pytest.mark.parametrize(
    ("kind", "method", "words"),
    [
        ("step", "server_sent", (0, "2", "[]")),
        ("results", "server_sent", (0, 2, b"[]")),
        ("epoch", "server_ready", ("0", 2, "")),
        ("hash", "server_ready", (0, 2, 5)),
        ("time", "server_done", (0, 2, "long")),
        ("reason", "server_refresh", (0, 5)),
        ("url", "server_url", (["http://x"],)),
    ],
)
def test_a_server_that_sends_another_type_is_named_and_gets_another_state(
    world: World, caplog: pytest.LogCaptureFixture, kind: str, method: str, words: tuple[Any, ...]
) -> None:
    home, primary = heard(world, method, words)
    assert [row["faults"] for row in servers(home, primary) if not row["own"]] == [1]
    assert f"as the {kind}, which is a" in report(home, primary)
    assert "TypeError" not in caplog.text
    world.pass_time(2 * INTERVAL)
    assert [row["state"] for row in servers(home, primary)] == ["ready"] * 2


@pytest.mark.parametrize(
    ("kind", "method", "words"),
    [
        ("step", "server_sent", (0, 2**70_000, "[]")),
        ("epoch", "server_done", (-(2**64), 2, 5)),
    ],
    ids=["step", "epoch"],
)
def test_a_number_that_is_too_large_is_told_and_not_kept(
    world: World, kind: str, method: str, words: tuple[Any, ...]
) -> None:
    bits = words[kind == "step"].bit_length()
    told = f"it sent a number of {bits} bits as the {kind}"
    assert told in report(*heard(world, method, words))


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("server_sent", (0, 3, '[["nav","' + "\\n".join(["x"] * 9_000) + '",{"lines":[]}]]')),
        ("server_refresh", (0, "x\n" * 9_000)),
    ],
    ids=["results", "reason"],
)
def test_what_a_server_says_is_told_on_one_short_line(
    world: World, method: str, words: tuple[Any, ...]
) -> None:
    text = report(*heard(world, method, words))
    assert "x?x?x" in text
    assert len(text) < 300


def test_what_is_no_ticket_is_nobodys(world: World, caplog: pytest.LogCaptureFixture) -> None:
    home = add(world, "home")
    primary = start(home)
    for ticket in ([], {}, "1", None, True):
        home.call(vista.post, primary, "server_sent", ticket, 0, 1, "[]")
        assert home.call(primary.knows_server, ticket) is False
    world.pass_time(1.0)
    assert "TypeError" not in caplog.text


@pytest.mark.parametrize(
    "lie",
    [
        "x", 5, "{}", '[["nav","Aegis",{"x":-1}]]', '[["nav","Aegis",{},{"x":1}]]',
        '[["tac","Aegis",{"weapons":[]}]]', '[["tac","Nobody",{}]]', '[["meta","Aegis",{"id":5}]]',
        '[["com","Lexington",{"mission":["x",0,1,1,null,0,0,[]]}]]',
    ],
    ids=["text", "no text", "object", "range", "members", "weapons", "name", "group", "mission"],
)  # fmt: skip
def test_results_that_cannot_be_stop_nothing(world: World, lie: Any) -> None:
    home, far = add(world, "home"), add(world, "far")
    join(far, home)
    primary = start(home)
    LyingSecondary.lie = lie
    far.call(vista.create, LyingSecondary)
    world.pass_time(6 * INTERVAL)
    assert home.call(primary.get_hash) == alone(home.call(primary.get_step))
    assert home.call(primary.get_step) >= 4
    states = [row["state"] for row in servers(home, primary)]
    assert sorted(states) != ["ready", "ready"]
