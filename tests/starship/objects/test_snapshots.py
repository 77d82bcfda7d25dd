"""States that are sent in pieces, while the game goes on; versions of the rules; recordings."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import vista
from apps.starship.game.messages import Snapshot, StepUpdate
from apps.starship.game.texts import write_deltas
from apps.starship.objects import sending, servers
from apps.starship.objects.primary import StarshipPrimary
from apps.starship.objects.recorder import ASIDE_MAX, put_aside
from apps.starship.objects.secondary import StarshipSecondary
from apps.starship.objects.version import VERSION, digest_of, rules_version
from apps.starship.rules.creating import new_game
from apps.starship.rules.replay import replay
from apps.starship.rules.state import Settings
from apps.starship.rules.step import Delta
from tests.peers.system import PROMPT, join
from tests.starship.objects.games import add
from tests.starship.rules.galaxy import THEME
from vista.testing import SimulatedNode, World

INTERVAL = 5.0
ROOT = Path(__file__).parents[3]


@pytest.fixture
def world() -> Iterator[World]:
    with World(6) as made:
        made.network.conditions = PROMPT
        yield made


def begin(node: SimulatedNode, **settings: Any) -> vista.Ref:
    made: vista.Ref = node.call(lambda: vista.create(StarshipPrimary, seed=42, **settings))
    return made


class PieceCounter(StarshipSecondary, namespace="StarShip"):
    """A server that remembers how large the pieces of a state were."""

    sizes: tuple[int, ...] = ()

    def take_piece(
        self, epoch: int, hash: str, number: int, text: str, objects: tuple[bytes, ...]
    ) -> None:
        """Take a piece, and note its size."""
        type(self).sizes = (*self.sizes, len(text) + sum(map(len, objects)))
        super().take_piece(epoch, hash, number, text, objects)


def test_a_large_galaxy_comes_in_pieces_while_steps_go_on(world: World) -> None:
    home, far = add(world, "home"), add(world, "far")
    game = begin(home, interval=INTERVAL, galaxy="large")
    join(far, home)
    # A step is made while the pieces come.
    world.pass_time(INTERVAL - 0.2)
    server = far.call(vista.create, PieceCounter)
    world.pass_time(1.9 * INTERVAL)
    assert [row["state"] for row in home.call(game.get_servers)] == ["ready"] * 2
    assert far.call(server.get_hash) == home.call(game.get_hash)
    ours, theirs = home.call(game.get_things), far.call(server.get_things)
    assert {n: vista.id_of(r) for n, r in ours.items()} == {
        n: vista.id_of(r) for n, r in theirs.items()
    }
    assert len(PieceCounter.sizes) >= len(ours) / sending.PIECE_THINGS
    assert max(PieceCounter.sizes) < 1_000_000


@pytest.mark.parametrize("after", [0.002, 0.05])
def test_a_server_that_falls_while_it_gets_a_state_stops_nothing(
    world: World, after: float
) -> None:
    home, far = add(world, "home"), add(world, "far")
    game = begin(home, interval=INTERVAL, galaxy="large")
    join(far, home)
    far.call(vista.create, StarshipSecondary)
    world.pass_time(after)
    world.crash("far")
    world.pass_time(1.5 * INTERVAL)
    assert home.call(game.get_step) >= 1
    assert [row["state"] for row in home.call(game.get_servers)] == ["ready"]


class MessageTaker(vista.Object, namespace="StarShip"):
    """Takes what a server gets, and remembers the order."""

    def create(self) -> None:
        self.taken: list[str] = []

    def begin_snapshot(self, *words: Any) -> None:
        self.taken.append("begin")

    def take_piece(self, *words: Any) -> None:
        self.taken.append("piece")

    def stage_results(self, epoch: int, t: int, deltas: str) -> None:
        self.taken.append(f"results {t}")

    def get_taken(self) -> list[str]:
        return self.taken


def test_what_is_decided_while_a_state_is_sent_comes_after_it(world: World) -> None:
    home = add(world, "home")
    taker = home.call(vista.create, MessageTaker)
    state = new_game(42, THEME, Settings(ships=30, starships_max=200))
    outbox = sending.Outbox(taker, own=True)

    def send() -> None:
        assert outbox.put(Snapshot(0, state, "hash"))
        assert not outbox.put(StepUpdate(0, 2, ()))
        for call in outbox.send_state(lambda snapshot: "{}", {}):
            call.result()
            assert not outbox.put(StepUpdate(0, 3, ()))
        assert not outbox.put(StepUpdate(0, 4, ()))

    home.call(send)
    world.pass_time(1.0)
    pieces = ["piece"] * -(-len(state.objects) // sending.PIECE_THINGS)
    late = ["results 3"] * (len(pieces) + 1)
    assert home.call(taker.get_taken) == ["begin", *pieces, "results 2", *late, "results 4"]


def test_what_was_decided_before_a_server_joined_is_not_sent_to_it(world: World) -> None:
    home = add(world, "home")
    taker = home.call(vista.create, MessageTaker)
    # It came back with the state of an old step, and would ask for another one at every commit.
    outbox = sending.Outbox(taker)
    assert not home.call(outbox.put, StepUpdate(0, 4, ()))
    world.pass_time(1.0)
    assert home.call(taker.get_taken) == []


def test_a_state_that_is_asked_for_while_one_is_sent_comes_after_it(world: World) -> None:
    home = add(world, "home")
    taker = home.call(vista.create, MessageTaker)
    state = new_game(42, THEME)
    outbox = sending.Outbox(taker, own=True)

    def send() -> None:
        assert outbox.put(Snapshot(0, state, "hash"))
        assert not outbox.put(Snapshot(0, state, "hash"))
        for call in outbox.send_state(lambda snapshot: "{}", {}):
            call.result()

    home.call(send)
    assert home.call(taker.get_taken) == ["begin", "piece"] * 2


def test_what_waits_for_a_state_to_be_sent_has_a_bound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = add(world, "home")
    taker = home.call(vista.create, MessageTaker)
    outbox = sending.Outbox(taker)
    update = StepUpdate(0, 1, (Delta("Aegis", "com", {"stock": 5}),))
    monkeypatch.setattr(sending, "WAITING_BYTES_MAX", 10 * len(write_deltas(update.deltas)))

    def fill() -> int:
        for count in range(100):
            try:
                outbox.put(update)
            except vista.Overloaded:
                return count
        return 100

    state = Snapshot(0, new_game(42, THEME), "hash")
    assert outbox.put(state)
    assert home.call(fill) == 10
    # A later state has in it all that waits.
    assert not outbox.put(state)
    assert home.call(fill) == 10


# --- versions ------------------------------------------------------------------------------


def test_the_version_names_the_sources_of_the_rules(tmp_path: Path) -> None:
    assert rules_version() == f"{VERSION}-{digest_of([ROOT / 'apps/starship' / n for n in _PARTS])}"
    parts = []
    for name in _PARTS:
        shutil.copytree(ROOT / "apps/starship" / name, tmp_path / name)
        parts.append(tmp_path / name)
    assert rules_version() == f"{VERSION}-{digest_of(parts)}"
    with (tmp_path / "rules" / "tables.py").open("a") as file:
        file.write("\nLEVEL_MAX = 6\n")
    assert rules_version() != f"{VERSION}-{digest_of(parts)}"


def test_ends_of_lines_make_no_other_version(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(b"x = 1\ny = 2\n")
    one = digest_of([tmp_path])
    (tmp_path / "a.py").write_bytes(b"x = 1\r\ny = 2\r\n")
    assert digest_of([tmp_path]) == one


_PARTS = ("rules", "game")

# --- recordings ----------------------------------------------------------------------------


def test_a_recording_plays_again_to_the_same_hashes(world: World, tmp_path: Path) -> None:
    home = add(world, "home")
    path = tmp_path / "game.txt"
    game = begin(home, interval=INTERVAL, record=str(path))
    home.call(game.enlist, "Bounty", "F", 7)
    world.pass_time(2.5 * INTERVAL)
    home.call(game.order, "Bounty", 7, "", "course", ["90"])
    world.pass_time(2 * INTERVAL)
    states = list(replay(path.read_text().splitlines(), THEME))
    assert [state.step for state in states] == list(range(home.call(game.get_step) + 1))
    assert states[-1].objects["Bounty"].nav.want_heading == 900


def test_an_older_recording_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "game.txt"
    for text in ("one", "two", "three"):
        put_aside(path)
        path.write_text(text)
    names = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert names == {"game.txt": "three", "game.txt.1": "one", "game.txt.2": "two"}


def test_so_many_older_recordings_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "game.txt"
    for number in range(1, ASIDE_MAX + 1):
        (tmp_path / f"game.txt.{number}").touch()
    path.touch()
    with pytest.raises(OSError, match=r"move some away"):
        put_aside(path)


def test_a_recording_that_cannot_be_begun_is_told(world: World, tmp_path: Path) -> None:
    home = add(world, "home")
    missing = tmp_path / "no" / "game.txt"
    with pytest.raises(vista.BadValueError, match=r"record=.*No such file"):
        begin(home, record=str(missing))


# --- what is counted -----------------------------------------------------------------------


def test_steps_players_servers_and_orders_are_counted(world: World) -> None:
    home = add(world, "home")
    game = begin(home, interval=INTERVAL)
    home.call(game.enlist, "Bounty", "F", 7)
    world.pass_time(1.5 * INTERVAL)
    for _ in range(4):
        home.call(game.order, "Bounty", 7, "", "course", ["90"])
    world.pass_time(2 * INTERVAL)
    found = home.call(vista.statistics)
    assert found["StarshipSteps"] == home.call(game.get_step)
    assert (found["StarshipPlayers"], found["StarshipShips"]) == (1, 41)
    assert found["StarshipServers"] == 1
    assert (found["StarshipOrdersAdmitted"], found["StarshipOrdersRefused"]) == (3, 1)
    assert found["StarshipStepSeconds"] > 0


# --- one primary on a node -----------------------------------------------------------------


def test_a_second_primary_on_a_node_leaves_nothing_behind(world: World) -> None:
    home = add(world, "home")
    begin(home, interval=INTERVAL)
    world.pass_time(1.0)
    before = len(home.call(vista.objects))
    with pytest.raises(vista.ServiceTaken):
        begin(home, interval=INTERVAL)
    world.pass_time(1.0)
    left = [row.class_name for row in home.call(vista.objects)]
    assert len(left) == before + left.count("StarShip.ShipNames") - 1


def test_a_game_has_so_many_servers(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servers, "SERVERS_MAX", 1)
    home, far = add(world, "home"), add(world, "far")
    join(far, home)
    begin(home, interval=INTERVAL)
    world.pass_time(1.0)
    server = far.call(vista.create, StarshipSecondary)
    world.pass_time(1.0)
    assert far.call(server.get_refusal) == "the game has 1 servers already"


def test_results_are_written_once_for_all_servers_and_passed_on_as_they_came() -> None:
    letters = sending.Letters()
    update = StepUpdate(0, 5, (Delta("Bounty", "nav", {"x": 5}),))
    assert letters.text_of(update) is letters.text_of(update)
    letters.keep(update, "as it came")
    assert letters.text_of(update) == "as it came"
    assert letters.text_of(update._replace(t=6)) != "as it came"
