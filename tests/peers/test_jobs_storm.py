"""A pool of three nodes in storms: each job ends exactly once, whatever is lost."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import vista
from tests.peers.system import KIN, assert_rest
from vista.limits import Limits
from vista.testing import Failure, Faults, SimulatedNode, World, run_seed, run_seeds

JOBS = 24
STORM_SECONDS = 20.0
CALM_SECONDS = 200.0
RATES = Faults(
    losses=0.3,
    partitions=0.1,
    one_way=0.05,
    slow_phases=0.05,
    refusals=0.05,
    crashes=0.3,
    down_max=2,
    spared=("hub",),
)


class StormyJob(vista.Object):
    """A job of some seconds."""

    def create(self, number: int, seconds: float) -> None:
        self.number, self.seconds = number, seconds

    def run(self) -> int:
        vista.sleep(self.seconds)
        return self.number**2


class StormClient(vista.Object):
    """Keeps what it is told of each job."""

    def create(self) -> None:
        self.ends: dict[int, list[Any]] = {}

    def job_complete(self, number: int, result: int) -> None:
        self.ends.setdefault(number, []).append(result)

    def job_failed(self, number: int, error: Exception) -> None:
        self.ends.setdefault(number, []).append(type(error).__name__)

    def list_ends(self) -> dict[int, list[Any]]:
        return self.ends


def boot(node: SimulatedNode) -> None:
    """Be a node of the pool, also when it comes back after a crash."""
    vista.create("ConnectToPeer", node.kernel.settings["hub"])
    vista.create("JobServer", "storm", 2)


def work(world: World, attempts_max: int = 1_000) -> tuple[dict[int, list[Any]], int]:
    """Have jobs done through a storm and a calm; return what was told of each, and retries."""
    limits = Limits(job_attempts_max=attempts_max)
    settings: dict[str, Any] = {"secret_key": KIN}
    hub = world.node("hub", settings=settings, limits=limits)
    settings["hub"] = hub.call(
        lambda: vista.create("AcceptPeerConnections", "tcp:127.0.0.1:0").get_url()
    )
    for name in ("left", "right"):
        world.node(name, settings=settings, boot=boot)
    jobs = hub.call(vista.create, "JobController", "storm")
    client = hub.call(vista.create, StormClient)
    hub.kernel.classes.add(StormyJob)
    world.storm(STORM_SECONDS, RATES)
    for number in range(JOBS):
        seconds = world.hub.dice.uniform(0.1, 4.0)
        hub.call(
            lambda n=number, s=seconds: jobs.queue_job(client, n, StormyJob.__name__, None, [n, s])
        )
        world.pass_time(0.5)
    world.pass_time(STORM_SECONDS)
    world.calm()
    world.pass_time(CALM_SECONDS)
    state = hub.call(jobs.get_state)
    if state["queued"] or state["running"] or len(state["servers"]) != 2:
        raise Failure(f"the pool has not come to rest: {state}")
    ends: dict[int, list[Any]] = hub.call(client.list_ends)
    counts = {number: len(told) for number, told in ends.items()}
    if counts != dict.fromkeys(range(JOBS), 1):
        raise Failure(f"not every job ended once: {ends}")
    if state["finished"] + state["failed"] != JOBS:
        raise Failure(f"the controller counts otherwise: {state}")
    assert_rest(*world.nodes)
    for row in state["servers"]:
        if hub.call(row["server"].get_load).running:
            raise Failure(f"{row['server']} still does what nobody awaits")
    return ends, state["retried"]


@pytest.mark.timeout(300)
def test_each_job_completes_exactly_once(
    request: pytest.FixtureRequest, seeds: range, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "vista")
    replay = f"pytest {request.node.nodeid} --seeds-from {{seed}} --seeds 1"
    retried: list[int] = []

    def scenario(world: World) -> None:
        ends, count = work(world)
        assert ends == {number: [number**2] for number in range(JOBS)}
        retried.append(count)

    for seed in seeds[::8]:
        run_seed(scenario, seed, replay)
    # A storm in which nothing is lost would show nothing.
    assert sum(retried) > len(retried)


def test_with_few_attempts_each_job_ends_once_all_the_same(
    request: pytest.FixtureRequest, seeds: range, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "vista")
    replay = f"pytest {request.node.nodeid} --seeds-from {{seed}} --seeds 1"

    def scenario(world: World) -> None:
        ends, _ = work(world, attempts_max=2)
        assert sorted(ends) == list(range(JOBS))
        for number, told in ends.items():
            assert told in ([number**2], ["PeerLost"])

    run_seeds(scenario, seeds[::20], replay)
