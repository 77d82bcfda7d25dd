"""The simulated disk: damage to whatever is left of a write is no error of the simulator."""

from __future__ import annotations

from random import Random

import pytest

from apps.solidstate.pbft.effects import Append
from apps.solidstate.simulator.disk import SimulatedDisk


class Least(Random):
    """Draws the least of everything: no write is kept, and of the torn one no byte."""

    def random(self) -> float:
        """Return 0."""
        return 0.0


def torn(random: Random, *records: bytes) -> SimulatedDisk:
    """Return a disk that crashed after each of some records."""
    disk = SimulatedDisk(random)
    for record in records:
        disk.write(Append(record))
        disk.crash()
    return disk


def test_a_record_of_which_nothing_is_left_cannot_rot() -> None:
    disk = torn(Least(), b"record")
    disk.rot()
    disk.used = True
    assert disk.recover() is None


@pytest.mark.parametrize("seed", range(20))
def test_a_record_that_rots_is_not_read(seed: int) -> None:
    disk = SimulatedDisk(Random(seed))
    for record in (b"one", b"two"):
        disk.write(Append(record))
    disk.flush(2)
    disk.rot()
    found = disk.recover()
    assert found is not None and (found.records, found.damaged) in (((b"one",), False), ((), True))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_left_of_a_torn_record_is_cut_off_though_it_is_all_there_is(seed: int) -> None:
    # Writing goes on in its place, as on a real disk: what stands behind it is no damage.
    disk = torn(Random(seed), b"torn")
    first = disk.recover()
    before = () if first is None else first.records
    disk.write(Append(b"whole"))
    disk.flush(disk.written)
    found = disk.recover()
    assert found is not None and (found.records, found.damaged) == ((*before, b"whole"), False)
