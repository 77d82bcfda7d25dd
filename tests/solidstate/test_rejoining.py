"""A replica with a damaged disk abstains until nothing it forgot matters, and then votes again."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from apps.solidstate.pbft.canonical import unpack
from apps.solidstate.pbft.configuration import Config
from apps.solidstate.pbft.durable import Recovered
from apps.solidstate.pbft.effects import Effect, Send
from apps.solidstate.pbft.events import Received, Tick
from apps.solidstate.pbft.messages import (
    Checkpoint,
    Commit,
    FetchBlobs,
    FetchStanding,
    Prepare,
    Request,
    Stable,
    Standing,
    Status,
    ViewChange,
)
from apps.solidstate.pbft.proofs import GENESIS
from apps.solidstate.pbft.replica import Replica
from apps.solidstate.pbft.store import KeyValueStore
from apps.solidstate.simulator.keys import Authority
from tests.solidstate.lab import Lab, sent

WINDOW = 8


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    fill(lab, 2)
    lab.effects[1] = []
    lab.logs[1] = []
    lab.restart(1, damaged=True)
    lab.run()
    return lab


def fill(lab: Lab, count: int) -> None:
    for _ in range(count):
        lab.ask("ann", "put", "key", b"value")
        lab.pass_time(0.3)


def votes(lab: Lab, number: int) -> list[object]:
    kinds = (Prepare, Commit, ViewChange)
    return [vote for kind in kinds for vote in sent(lab.effects[number], kind)]


def test_it_rejoins_when_what_it_may_have_said_is_below_a_proven_checkpoint(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    assert lab.reports(1)[-1] == "rejoined"
    assert lab.replicas[1].voting and lab.replicas[1].log.low >= 2 + WINDOW


def test_it_votes_for_nothing_before(lab: Lab) -> None:
    # 2 were executed when it restarted: it may have voted up to 10, and 12 is the next checkpoint.
    fill(lab, 9)
    assert lab.executed() == [11] * 4
    assert votes(lab, 1) == [] and not lab.replicas[1].voting


def test_it_answers_no_read_that_is_not_ordered() -> None:
    # Where replicas only crash, a write and a read have one replica in common. 1 was that one.
    lab = Lab(replicas=3, crash_only=True, fast_reads=True)
    lab.drops = lambda sender, to, message: 2 in (sender, to)
    lab.ask("ann", "put", "a", b"1")
    assert len(lab.answers["ann"]) == 1
    lab.logs[1] = []
    lab.restart(1, damaged=True)
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("bob", "get", "a", read_only=True)
    lab.pass_time(2.0)
    assert lab.answers["bob"] == []
    lab.drops = lambda *_: False
    lab.pass_time(5.0)
    assert [unpack(answer) for answer in lab.answers["bob"]] == [["ok", b"1"]]


def test_it_follows_in_a_view_that_it_may_have_left_and_says_nothing(lab: Lab) -> None:
    fill(lab, 3 * WINDOW)
    assert lab.replicas[1].voting and lab.views() == [0] * 4
    assert votes(lab, 1) == [] and lab.executed() == [2 + 3 * WINDOW] * 4


def change_view(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "key", b"value")
    lab.pass_time(20.0)


def test_it_leaves_for_a_view_that_it_cannot_have_left_before(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    change_view(lab)
    # Its number is the one of the primary of view 1, and what it did there is forgotten too.
    assert sent(lab.effects[1], ViewChange)[0].view == 2


def test_one_that_does_not_lead_it_leaves_for_the_very_next_view() -> None:
    lab = Lab()
    fill(lab, 2)
    lab.restart(3, damaged=True)
    lab.run()
    fill(lab, 2 * WINDOW)
    change_view(lab)
    assert sent(lab.effects[3], ViewChange)[0].view == 1


def test_its_view_change_tells_what_the_others_rely_on(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    change_view(lab)
    assert sent(lab.effects[1], ViewChange)[0].stable.sequence >= 2 + WINDOW


def test_it_agrees_in_the_next_view(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    change_view(lab)
    assert sent(lab.effects[1], Prepare) and sent(lab.effects[1], Commit)
    assert all(vote.view >= 2 for vote in votes(lab, 1))  # type: ignore[attr-defined]


def fill_until_it_votes(lab: Lab) -> None:
    for _ in range(2 * WINDOW):
        if lab.replicas[1].voting:
            return
        fill(lab, 1)
    raise AssertionError("it never votes")


def test_whom_it_could_not_suspect_before_it_suspects_afterwards(lab: Lab) -> None:
    # The primary never hears of what is waited for, and nobody else does.
    lab.drops = lambda sender, to, message: sender == 1 and isinstance(message, Request)
    lab.tell(1, "bob", lab.request("bob", 2**60))
    fill_until_it_votes(lab)
    assert "impatient" not in lab.reports(1)
    lab.drops = lambda *_: True
    lab.pass_time(10.0)
    assert "impatient" in lab.reports(1)


def test_it_joins_those_who_left_the_view_while_it_had_no_vote(lab: Lab) -> None:
    for number in (2, 3):
        lab.tell(1, number, lab.signed(number, ViewChange(3, GENESIS, (), number)))
    assert lab.views()[1] == 0
    fill_until_it_votes(lab)
    assert lab.views()[1] == 3 and "joined" in lab.reports(1)


def test_a_restart_after_it_rejoined_keeps_it_out_of_that_view(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    lab.restart(1)
    lab.run()
    fill(lab, 6)
    lab.restart(1)
    fill(lab, 2)
    assert lab.replicas[1].voting and votes(lab, 1) == []


def test_the_group_survives_another_loss_with_its_help(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    before = lab.executed()[1]
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "key", b"after the loss")
    lab.pass_time(20.0)
    assert len(lab.answers["ann"]) == 2 + 2 * WINDOW + 1
    assert min(lab.executed()[1:]) > before
    assert votes(lab, 1)


def test_without_its_help_it_would_not(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.ask("ann", "put", "key", b"after the loss")
    lab.pass_time(20.0)
    assert len(lab.answers["ann"]) == 2


@pytest.mark.parametrize("silent", [0, 2, 3])
def test_it_takes_answers_of_2f_plus_1_others(lab: Lab, silent: int) -> None:
    lab.restart(1)
    lab.drops = lambda sender, to, message: isinstance(message, Standing) and sender == silent
    lab.run()
    fill(lab, 2 * WINDOW)
    assert not lab.replicas[1].voting
    lab.drops = lambda *_: False
    fill(lab, 2 * WINDOW)
    assert lab.replicas[1].voting


def test_answers_from_before_the_restart_do_not_count(lab: Lab) -> None:
    lab.restart(1)
    rejoining = lab.replicas[1].rejoining
    lab.drops = lambda sender, to, message: isinstance(message, FetchStanding)
    lab.run()
    for other in (0, 2, 3):
        lab.tell(1, other, Standing(b"n" * 32, 0, 0))
    assert rejoining._standings == {}


def test_only_the_first_answer_of_each_counts(lab: Lab) -> None:
    lab.restart(1)
    lab.run()
    rejoining = lab.replicas[1].rejoining
    before = dict(rejoining._standings)
    assert len(before) == 3
    for other in (0, 2, 3):
        lab.tell(1, other, replace(before[other], executed=0))
    assert rejoining._standings == before


def test_who_abstains_does_not_say_how_far_it_is(lab: Lab) -> None:
    assert sent(lab.tell(1, 2, FetchStanding(b"n" * 32)), Standing) == []
    assert len(sent(lab.tell(0, 2, FetchStanding(b"n" * 32)), Standing)) == 1


def test_a_restarted_replica_says_how_far_it_may_have_been() -> None:
    lab = Lab()
    fill(lab, 3)
    lab.drops = lambda *_: True
    lab.restart(2)
    assert lab.replicas[2].state.executed == 0
    (standing,) = sent(lab.tell(2, 1, FetchStanding(b"n" * 32)), Standing)
    assert standing.executed == 3


def test_a_restart_while_it_abstains_begins_anew(lab: Lab) -> None:
    fill(lab, WINDOW)
    lab.restart(1)
    lab.run()
    assert not lab.replicas[1].voting
    fill(lab, 4)
    assert not lab.replicas[1].voting
    fill(lab, 2 * WINDOW)
    assert lab.replicas[1].voting


def test_it_still_votes_after_another_restart(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    lab.restart(1)
    assert lab.replicas[1].voting
    fill(lab, 5)
    lab.restart(1)
    assert lab.replicas[1].voting


def test_damage_after_it_rejoined_has_it_abstain_again(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    lab.restart(1, damaged=True)
    assert not lab.replicas[1].voting
    lab.restart(1)
    assert not lab.replicas[1].voting


def test_a_replica_without_damage_asks_nobody() -> None:
    lab = Lab()
    fill(lab, 2)
    lab.effects[1] = []
    lab.restart(1)
    lab.pass_time(3.0)
    assert sent(lab.effects[1], FetchStanding) == []


def test_in_a_group_that_stands_still_it_stays_outside(lab: Lab) -> None:
    lab.pass_time(30.0)
    assert not lab.replicas[1].voting


class Seven:
    """A damaged replica of seven, with answers of others that a test gives it."""

    def __init__(self) -> None:
        authority = Authority(Random(1))
        self.authority = authority
        config = Config(replicas=7, replica=6, checkpoint_batches=4, window_batches=WINDOW)
        store = KeyValueStore(4)
        keyring = authority.keyring(6)
        self.replica = Replica(config, Random(6), keyring, store, Recovered(damaged=True))
        self.now = 1000.0
        asks = [one.message for one in self.wake() if isinstance(one, Send)]
        (self.nonce,) = {one.nonce for one in asks if isinstance(one, FetchStanding)}

    def wake(self) -> list[Effect]:
        """Wake it after a second."""
        self.now += 1.0
        return self.replica.handle(Tick(), self.now)

    def bound(self, *executed: int) -> int | None:
        """Return the first proven checkpoint with which it rejoins after these answers."""
        for other, number in enumerate(executed):
            standing = Standing(self.nonce, 0, number)
            self.replica.handle(Received(other, standing), self.now)
        self.wake()
        for low in range(0, 200, 4):
            self.replica.log.low = self.replica.state.executed = low
            self.wake()
            if self.replica.voting:
                return low
        return None


def test_the_lowest_2f_plus_1_answers_count_so_a_liar_puts_nothing_off() -> None:
    assert Seven().bound(20, 20, 20, 20, 20, 2**60) == 20 + WINDOW


def test_a_liar_does_not_make_it_rejoin_too_early() -> None:
    # With f = 2 and itself being one of the f, one other may lie.
    assert Seven().bound(0, 20, 20, 20, 20) == 20 + WINDOW


def test_fewer_answers_than_2f_plus_1_are_not_enough() -> None:
    assert Seven().bound(20, 20, 20, 20) is None


def test_one_that_was_far_ahead_of_the_others_is_covered_by_a_window() -> None:
    # It had executed nothing others had not, but may have voted a window above.
    assert Seven().bound(4, 4, 4, 4, 4) == 4 + WINDOW


def test_a_lost_certificate_does_not_undo_what_was_acknowledged() -> None:
    # 1. Replicas 0, 1 and 2 commit; only 0 hears of it, executes, and answers.
    # 2. 1 loses its disk, and with it the certificate; 2 and 3 are cut off from 0.
    # 3. Were 1 to vote with 3 and a liar for another view, it could start without that batch.
    lab = Lab()
    fill(lab, 2)
    lab.drops = lambda sender, to, message: to == 3 or (isinstance(message, Commit) and to != 0)
    lab.ask("ann", "put", "key", b"acknowledged")
    assert lab.executed() == [3, 2, 2, 2]
    lab.logs[1] = []
    lab.effects[1] = []
    lab.restart(1, damaged=True)
    lab.drops = lambda sender, to, message: 0 in (sender, to)
    lab.run()
    lab.pass_time(30.0)
    assert votes(lab, 1) == []
    lab.drops = lambda *_: False
    lab.pass_time(30.0)
    assert lab.executed() == [3] * 4


def test_its_checkpoints_count_while_it_abstains(lab: Lab) -> None:
    lab.drops = lambda sender, to, message: isinstance(message, Checkpoint) and sender == 3
    fill(lab, 4)
    assert lab.replicas[0].checkpoints.proven.sequence == 4
    assert isinstance(lab.replicas[0].checkpoints.proven, Stable)


@pytest.mark.parametrize(
    "settings", [{"replicas": 7}, {"replicas": 3, "crash_only": True}], ids=str
)
def test_in_groups_of_other_kinds_its_vote_is_needed_again_as_well(
    settings: dict[str, int],
) -> None:
    lab = Lab(**settings)
    fill(lab, 2)
    damaged = lab.config.replicas - 1
    faults = lab.replicas[0].quorums.faults
    lab.logs[damaged] = []
    lab.restart(damaged, damaged=True)
    lab.run()
    lost = set(range(faults))
    lab.drops = lambda sender, to, message: len(lost & {sender, to}) > 0
    lab.ask("ann", "put", "key", b"too early")
    lab.pass_time(20.0)
    assert len(lab.answers["ann"]) == 2
    lab.drops = lambda *_: False
    lab.pass_time(20.0)
    fill(lab, 3 * WINDOW)
    assert lab.replicas[damaged].voting
    count = len(lab.answers["ann"])
    lab.drops = lambda sender, to, message: len(lost & {sender, to}) > 0
    lab.ask("ann", "put", "key", b"after the loss")
    lab.pass_time(60.0)
    assert len(lab.answers["ann"]) == count + 1


def test_it_rejoins_in_a_later_epoch_as_well() -> None:
    lab = Lab()
    fill(lab, 2)
    lab.restart(3, damaged=True)
    lab.run()
    lab.join(4, 5, 6)
    lab.reconfigure([4, 5, 6], [])
    lab.pass_time(3.0)
    assert not lab.replicas[3].voting and lab.replicas[3].epoch.number == 1
    fill(lab, 3 * WINDOW)
    assert lab.replicas[3].voting
    assert sent(lab.effects[3], FetchStanding)


def put_back(lab: Lab, between: int) -> None:
    """Have replica 3 start from its disk as it was so many requests ago."""
    fill(lab, WINDOW)
    log, blobs = list(lab.logs[3]), dict(lab.blobs[3])
    fill(lab, between)
    lab.logs[3], lab.blobs[3], lab.effects[3] = log, blobs, []
    lab.restart(3)
    lab.run()


def test_who_finds_its_name_below_a_checkpoint_that_its_disk_lacks_stops_voting() -> None:
    lab = Lab()
    put_back(lab, WINDOW)
    lab.pass_time(3.0)
    assert not lab.replicas[3].voting
    assert "damaged" in lab.reports(3)
    fill(lab, 3 * WINDOW)
    assert lab.replicas[3].voting and lab.reports(3)[-1] == "rejoined"


def test_who_starts_from_its_own_disk_goes_on_voting() -> None:
    lab = Lab()
    fill(lab, 2 * WINDOW)
    for _ in range(3):
        lab.restart(3)
        fill(lab, WINDOW // 2)
    assert lab.replicas[3].voting and "damaged" not in lab.reports(3)


def test_what_it_forgot_makes_nobody_abstain_who_rejoined() -> None:
    # It fetched the state beyond its old vote, so no record of its own says that it gave it.
    lab = Lab()
    put_back(lab, WINDOW)
    lab.pass_time(3.0)
    old = lab.replicas[0].checkpoints.latest[3]
    assert not lab.replicas[3].voting
    lab.drops = lambda sender, to, message: 3 in (sender, to)
    fill(lab, 3 * WINDOW)
    lab.drops = lambda *_: False
    lab.pass_time(3.0)
    assert lab.replicas[3].voting and lab.replicas[3].state.executed == 5 * WINDOW
    lab.tell(3, 2, old)
    assert lab.replicas[3].voting


def test_votes_of_another_name_or_epoch_make_nobody_abstain(lab: Lab) -> None:
    fill(lab, 2 * WINDOW)
    own = lab.replicas[0].checkpoints.latest[3]
    keyring = lab.authority.keyring(2)
    forged = replace(own, sequence=own.sequence + 4, signature=b"")
    lab.tell(3, 2, replace(forged, signature=keyring.sign(forged.body)))
    lab.tell(3, 2, replace(own, sequence=own.sequence + 4))
    lab.tell(3, 2, replace(own, epoch=1))
    assert lab.replicas[3].voting


def test_votes_that_are_remembered_are_those_of_members() -> None:
    lab = Lab()
    fill(lab, WINDOW)
    assert set(lab.replicas[0].checkpoints.latest) == {1, 2, 3}
    lab.join(4)
    lab.reconfigure([4], [3])
    lab.pass_time(3.0)
    fill(lab, 2 * WINDOW)
    assert lab.replicas[0].epoch.number == 1
    assert set(lab.replicas[0].checkpoints.latest) == {1, 2, 4}


def test_one_that_left_the_group_asks_nobody_for_what_it_has_lost() -> None:
    lab = Lab()
    fill(lab, 2)
    lab.join(4)
    lab.reconfigure([4], [1])
    lab.pass_time(2.0)
    lab.reconfigure()
    lab.pass_time(2.0)
    lab.logs[1] = []
    lab.restart(1, damaged=True)
    lab.run()
    lab.pass_time(3.0)
    assert lab.replicas[1].epochs.retired
    lab.effects[1].clear()
    fill(lab, 2 * WINDOW)
    lab.pass_time(5.0)
    asked = sent(lab.effects[1], FetchStanding) + sent(lab.effects[1], FetchBlobs)
    assert asked == [] and len(sent(lab.effects[1], Status)) > 0
