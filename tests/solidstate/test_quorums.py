"""The arithmetic of quorums, for every number of replicas that fits."""

from __future__ import annotations

from itertools import combinations

import pytest

from apps.solidstate.pbft.membership import VIEWS_PER_EPOCH, Epoch, founders
from apps.solidstate.pbft.quorums import Quorums
from vista import BadValueError


@pytest.mark.parametrize("faults", range(1, 6))
def test_sizes_are_those_of_the_paper(faults: int) -> None:
    quorums = Quorums(3 * faults + 1)
    assert quorums.faults == faults
    assert quorums.certificate == 2 * faults + 1
    assert quorums.prepares == 2 * faults
    assert quorums.weak == faults + 1


@pytest.mark.parametrize("faults", range(1, 6))
def test_where_replicas_only_crash_a_majority_is_enough(faults: int) -> None:
    quorums = Quorums(2 * faults + 1, crash_only=True)
    assert quorums.faults == faults
    assert quorums.certificate == faults + 1
    assert quorums.prepares == 0
    assert quorums.weak == 1


@pytest.mark.parametrize("replicas", range(4, 10))
def test_two_certificates_share_a_correct_replica(replicas: int) -> None:
    quorums = Quorums(replicas)
    certificates = [set(one) for one in combinations(range(replicas), quorums.certificate)]
    assert min(len(a & b) for a in certificates for b in certificates) > quorums.faults


@pytest.mark.parametrize("replicas", range(3, 9))
def test_two_certificates_share_a_replica_where_they_only_crash(replicas: int) -> None:
    quorums = Quorums(replicas, crash_only=True)
    certificates = [set(one) for one in combinations(range(replicas), quorums.certificate)]
    assert all(a & b for a in certificates for b in certificates)


@pytest.mark.parametrize("crash_only", [False, True])
@pytest.mark.parametrize("replicas", range(4, 14))
def test_the_correct_replicas_alone_make_a_certificate(replicas: int, crash_only: bool) -> None:
    quorums = Quorums(replicas, crash_only)
    assert replicas - quorums.faults >= quorums.certificate


@pytest.mark.parametrize("replicas", [-1, 0, 1, 2, 3])
def test_fewer_replicas_than_it_takes_are_refused(replicas: int) -> None:
    with pytest.raises(BadValueError, match=r"Byzantine agreement takes 3f \+ 1"):
        Quorums(replicas)


@pytest.mark.parametrize("replicas", [-1, 0, 1, 2])
def test_fewer_replicas_than_crashes_take_are_refused(replicas: int) -> None:
    with pytest.raises(BadValueError, match=r"despite crashes takes 2f \+ 1"):
        Quorums(replicas, crash_only=True)


def test_the_primary_is_the_view_modulo_the_replicas() -> None:
    epoch = Epoch(founders(4), crash_only=False)
    assert [epoch.primary(view) for view in range(6)] == [0, 1, 2, 3, 0, 1]


def test_the_first_primary_of_an_epoch_is_its_first_member() -> None:
    epoch = Epoch(founders(7), crash_only=False)
    assert epoch.primary(VIEWS_PER_EPOCH) == 0
