"""The site of a server that has to prove who its captains are: it is told what others are not."""

from __future__ import annotations

import vista
from apps.starship.web.captaincy import COOKIE, Captain, new_captain
from tests.starship.web.played import Game, Player, played


class ProvingListener(vista.Object):
    """A server that notes who is introduced to it, and has no game."""

    def create(self) -> None:
        self.introduced: list[tuple[int, str]] = []

    def introduce(self, captain: int, secret: str) -> None:
        self.introduced.append((captain, secret))

    def list_introduced(self) -> list[tuple[int, str]]:
        return self.introduced

    def get_step(self) -> int:
        return 0

    def is_frozen(self) -> bool:
        return True

    def add_watcher(self, watcher: vista.Ref) -> None:
        """Have nothing to tell."""

    def get_next_in(self) -> float:
        return 0.0


def order(game: Game, captain: Captain) -> None:
    player = Player(game)
    player.tell(
        "/starship/order",
        {"ship": "Gath", "cmd": "speed", "args": ["1.0"]},
        f"Cookie: {COOKIE}={captain.secret}",
    )


def test_a_server_is_told_of_its_captains_what_others_cannot_know() -> None:
    one, other = new_captain(), new_captain()
    with played() as game:
        listener = vista.create(ProvingListener)
        game.setup.get_site().set_server(listener, True)
        for captain in (one, other, one):
            order(game, captain)
        told = listener.list_introduced()
    assert told == [(who.number, who.badge_secret) for who in (one, other, one)]
    assert one.secret not in one.badge_secret
    assert len({who.badge_secret for who in (one, other)}) == 2


def test_servers_that_prove_nothing_are_told_nothing() -> None:
    with played() as game:
        listener = vista.create(ProvingListener)
        game.setup.get_site().set_server(listener)
        order(game, new_captain())
        assert listener.list_introduced() == []
