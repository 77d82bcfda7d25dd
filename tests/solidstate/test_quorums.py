"""The arithmetic of quorums, for every f that fits."""

from __future__ import annotations

from itertools import combinations

import pytest

from apps.solidstate.pbft.quorums import Quorums
from vista import BadValueError


@pytest.mark.parametrize("faults", range(1, 6))
def test_sizes_are_those_of_the_paper(faults: int) -> None:
    quorums = Quorums(3 * faults + 1)
    assert quorums.faults == faults
    assert quorums.certificate == 2 * faults + 1
    assert quorums.prepares == 2 * faults
    assert quorums.weak == faults + 1


@pytest.mark.parametrize("replicas", [4, 7])
def test_two_certificates_share_a_correct_replica(replicas: int) -> None:
    quorums = Quorums(replicas)
    certificates = [set(one) for one in combinations(range(replicas), quorums.certificate)]
    assert min(len(a & b) for a in certificates for b in certificates) > quorums.faults


@pytest.mark.parametrize("replicas", [4, 7, 10])
def test_the_correct_replicas_alone_make_a_certificate(replicas: int) -> None:
    quorums = Quorums(replicas)
    assert replicas - quorums.faults >= quorums.certificate


@pytest.mark.parametrize("replicas", [-1, 0, 1, 2, 3, 5, 6, 8])
def test_other_numbers_of_replicas_are_refused(replicas: int) -> None:
    with pytest.raises(BadValueError, match=r"Byzantine agreement takes 3f \+ 1"):
        Quorums(replicas)


def test_the_primary_is_the_view_modulo_the_replicas() -> None:
    assert [Quorums(4).primary(view) for view in range(6)] == [0, 1, 2, 3, 0, 1]
