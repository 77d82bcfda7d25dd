"""Deterministic worlds for tests of vista and of applications.

A `World` runs nodes on a virtual clock; one seed decides everything that chance decides elsewhere.
`run_seeds` runs a scenario for many seeds and says how to replay the one that fails.
"""

from __future__ import annotations

from vista.testing.disk import Medium, SimulatedDisk
from vista.testing.failure import Failure
from vista.testing.hub import SimulatedHub
from vista.testing.network import NodeNetwork, Partition, SimulatedNetwork
from vista.testing.rest import contradictions, unrest
from vista.testing.seeds import run_seed, run_seeds
from vista.testing.storms import Faults
from vista.testing.trace import Event, Trace, first_difference
from vista.testing.wires import Conditions, Wire
from vista.testing.world import SimulatedNode, World

__all__ = [
    "Conditions",
    "Event",
    "Failure",
    "Faults",
    "Medium",
    "NodeNetwork",
    "Partition",
    "SimulatedDisk",
    "SimulatedHub",
    "SimulatedNetwork",
    "SimulatedNode",
    "Trace",
    "Wire",
    "World",
    "contradictions",
    "first_difference",
    "run_seed",
    "run_seeds",
    "unrest",
]
