"""Time and random values: the same at all replicas, and the primary's choice is within bounds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.solidstate.pbft.canonical import pack
from apps.solidstate.pbft.messages import Batch, Prepare, Request, ViewChange
from apps.solidstate.pbft.service import Context
from tests.solidstate.lab import Lab, sent

SECOND = 1_000_000


class Diary:
    """A service that remembers what it was told with each request."""

    def __init__(self) -> None:
        self.contexts: list[Context] = []

    def execute(self, operation: bytes, context: Context) -> bytes:
        self.contexts.append(context)
        return pack(["ok", context.time, context.random])

    def execute_read_only(self, operation: bytes) -> bytes | None:
        return None

    def snapshot(self) -> list[bytes]:
        return [pack([[one.sequence, one.time, one.random] for one in self.contexts])]

    def restore(self, pages: object) -> None:
        raise AssertionError("nobody is behind here")


class Agreed:
    """A group of diaries, in which a test makes the proposals of replica 0."""

    def __init__(self) -> None:
        self.lab = Lab()
        self.diaries = {number: Diary() for number in range(4)}
        for number, diary in self.diaries.items():
            self.lab.replicas[number].state._service = diary
        self._timestamp = 10

    def propose(self, sequence: int, time: int, salt: bytes = b"salt", count: int = 1) -> Batch:
        """Have the primary propose a batch of its own choice, and deliver what comes of it."""
        requests = tuple(self.request(client) for client in ("ann", "bob")[:count])
        batch = Batch(time, salt, requests)
        proposal = self.lab.proposal(sequence, batch=batch)
        self.lab.queue += [(0, to, proposal) for to in (1, 2, 3)]
        entry = self.lab.replicas[0].log.entry(sequence)
        self.lab.replicas[0].ordering.accept(entry, proposal.pre_prepare, batch)
        self.lab.run()
        return batch

    def request(self, client: str) -> Request:
        self._timestamp += 1
        return self.lab.request(client, self._timestamp)

    def told(self, number: int) -> list[tuple[int, bytes]]:
        """Return the times and random values one replica's service was told."""
        return [(one.time, one.random) for one in self.diaries[number].contexts]

    @property
    def now(self) -> int:
        """The present in microseconds."""
        return int(self.lab.now * SECOND)


def test_all_replicas_tell_their_services_the_same() -> None:
    agreed = Agreed()
    for number in range(5):
        agreed.lab.ask("ann", "anything", number)
        agreed.lab.now += 0.5
    assert len(agreed.told(0)) == 5
    assert [agreed.told(number) for number in range(4)] == [agreed.told(0)] * 4


def test_clocks_and_dice_of_backups_have_no_part_in_it() -> None:
    agreed = Agreed()
    for number in (1, 2, 3):
        agreed.lab.replicas[number].now += number * 2.0
        agreed.lab.replicas[number].entropy.seed(99 + number)
    agreed.lab.ask("ann", "anything")
    assert [agreed.told(number) for number in range(4)] == [agreed.told(0)] * 4
    assert agreed.told(0)[0][0] == agreed.now


@pytest.mark.parametrize(("ahead", "taken"), [(0.0, True), (9.9, True), (10.1, False)])
def test_a_time_ahead_of_backups_by_more_than_the_bound_is_refused(
    ahead: float, taken: bool
) -> None:
    agreed = Agreed()
    agreed.propose(1, agreed.now + int(ahead * SECOND))
    assert [len(agreed.told(number)) for number in (1, 2, 3)] == [int(taken)] * 3
    accused = sent(agreed.lab.effects[1], ViewChange)
    assert bool(accused) is not taken


def test_one_backup_more_than_f_has_to_find_the_time_possible() -> None:
    # 2 and 3 have clocks that are behind: with the primary, one backup alone certifies nothing.
    agreed = Agreed()
    for number in (2, 3):
        agreed.lab.replicas[number].now -= 1.0
    lab_now, agreed.lab.now = agreed.lab.now, agreed.lab.now - 1.0
    agreed.lab.replicas[1].now = lab_now
    agreed.propose(1, int((lab_now + 9.9) * SECOND))
    assert sent(agreed.lab.effects[1], Prepare) and agreed.told(1) == []


def test_a_primary_can_let_time_stand_and_not_go_back() -> None:
    agreed = Agreed()
    agreed.propose(1, agreed.now)
    agreed.propose(2, 5)
    agreed.propose(3, 0)
    times = [time for time, _ in agreed.told(2)]
    assert times == [agreed.now, agreed.now + 1, agreed.now + 2]


def test_time_that_ran_ahead_stays_within_the_bound_of_the_last_honest_clock() -> None:
    agreed = Agreed()
    for sequence in range(1, 9):
        agreed.propose(sequence, agreed.now + 9 * SECOND)
    latest = agreed.told(1)[-1][0]
    assert latest <= agreed.now + 10 * SECOND


def test_requests_of_one_batch_have_one_time_and_random_values_of_their_own() -> None:
    agreed = Agreed()
    agreed.propose(1, agreed.now, count=2)
    (first, one), (second, other) = agreed.told(3)
    assert first == second and one != other
    assert len(one) == len(other) == 32


def test_the_same_salt_gives_other_random_values_for_other_requests() -> None:
    agreed = Agreed()
    agreed.propose(1, agreed.now)
    agreed.propose(2, agreed.now)
    (_, one), (_, other) = agreed.told(1)
    assert one != other


def test_a_primary_chooses_among_salts_and_cannot_set_a_single_value() -> None:
    # What the service gets is a digest: with k salts tried, k values can be chosen from, no more.
    values = set()
    for number in range(20):
        agreed = Agreed()
        agreed.propose(1, agreed.now, salt=b"%d" % number)
        assert agreed.told(1) == agreed.told(2)
        values.add(agreed.told(1)[0][1])
    assert len(values) == 20 and not values & {b"%d" % number for number in range(20)}


def test_a_salt_cannot_be_exchanged_once_a_backup_agreed() -> None:
    agreed = Agreed()
    lab = agreed.lab
    batch = Batch(agreed.now, b"salt", (agreed.request("ann"),))
    lab.tell(1, 0, lab.proposal(batch=batch))
    effects = lab.tell(1, 0, lab.proposal(batch=replace(batch, salt=b"better")))
    assert sent(effects, Prepare) == [] and len(sent(effects, ViewChange)) == 1


def test_clients_cannot_foresee_the_random_value() -> None:
    # The same request of the same client in two groups whose primaries draw other salts.
    values = set()
    for seed in (1, 2, 3):
        agreed = Agreed()
        agreed.lab.replicas[0].entropy.seed(seed)
        agreed.lab.ask("ann", "anything")
        values.add(agreed.told(1)[0][1])
    assert len(values) == 3
