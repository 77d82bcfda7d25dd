"""A pool whose servers are on several nodes: finding them, losing them, and who may take part."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

import vista
from tests.peers.system import (
    DEAF,
    PROMPT,
    add_node,
    assert_rest,
    chain,
    join,
    limits,
    links,
    meet,
    stranger,
)
from vista.errors import AccessDenied
from vista.kernel.node import kernel_here
from vista.standard.job_pool import ServerDown
from vista.standard.job_server import JobLoad
from vista.testing import SimulatedNode, World

OURS, THEIRS = b"o" * 32, b"t" * 32


class FarSquare(vista.Object):
    """A job that takes a while and says where it was done."""

    def create(self, number: int, seconds: float = 1.0) -> None:
        self.number, self.seconds = number, seconds

    def run(self) -> list[Any]:
        vista.sleep(self.seconds)
        return [self.number**2, kernel_here().name]


class FarUnwilling(vista.Object):
    """A job that fails with something only its own module knows."""

    def run(self) -> None:
        raise UnknownElsewhereError("on purpose")


class UnknownElsewhereError(Exception):
    """An error of a job."""


class PoolClient(vista.Object):
    """Is told how jobs end."""

    def create(self) -> None:
        self.ends: list[Any] = []

    def job_complete(self, info: Any, result: Any) -> None:
        self.ends.append([info, result])

    def job_failed(self, info: Any, error: Any) -> None:
        self.ends.append([info, error])

    def list_ends(self) -> list[Any]:
        return self.ends


def serve(node: SimulatedNode, concurrent: int = 1) -> vista.Ref:
    """Have a node do jobs."""
    made: vista.Ref = node.call(vista.create, "JobServer", "far", concurrent)
    return made


def control(node: SimulatedNode) -> vista.Ref:
    """Have a node give out jobs; the classes of this module are known there."""
    node.kernel.classes.add(FarSquare)
    node.kernel.classes.add(FarUnwilling)
    made: vista.Ref = node.call(vista.create, "JobController", "far")
    return made


def await_servers(world: World, jobs: vista.Ref, count: int) -> None:
    """Let time pass until a controller has so many servers."""
    instance: Any = jobs._record.instance
    world.drive(lambda: len(instance._core.servers()) == count, 60.0)


def test_servers_are_found_on_every_node_and_share_the_jobs() -> None:
    with World(1) as world:
        nodes = chain(world, "abc")
        for node in nodes:
            serve(node)
        jobs = control(nodes[0])
        await_servers(world, jobs, 3)
        results = nodes[0].call(lambda: jobs.map_jobs("FarSquare", [[n] for n in range(9)]))
        assert [value for value, _ in results] == [n**2 for n in range(9)]
        assert sorted(name for _, name in results) == ["a"] * 3 + ["b"] * 3 + ["c"] * 3
        world.pass_time(1.0)
        assert_rest(*nodes)


def test_a_server_made_before_its_node_had_any_link_is_found() -> None:
    with World(2) as world:
        near, far = add_node(world, "near"), add_node(world, "far")
        serve(far)
        jobs = control(near)
        join(far, near)
        await_servers(world, jobs, 1)
        assert near.call(lambda: jobs.run_job("FarSquare", 3)) == [9, "far"]


@pytest.mark.parametrize("patterns", [(), ("Other/*",)])
def test_announcing_services_or_no_longer_hides_no_server(patterns: tuple[str, ...]) -> None:
    with World(3) as world:
        near, far = chain(world, "nf")
        serve(far)
        announcing = far.call(vista.create, "AnnounceServices", *patterns)
        jobs = control(near)
        await_servers(world, jobs, 1)
        far.call(announcing.delete_yourself)
        world.pass_time(5.0)
        assert near.call(lambda: len(jobs.get_state()["servers"])) == 1


def test_a_server_that_is_deleted_is_forgotten_by_its_peers() -> None:
    with World(3) as world:
        near, far = chain(world, "nf")
        server = serve(far)
        jobs = control(near)
        await_servers(world, jobs, 1)
        far.call(server.delete_yourself)
        world.pass_time(5.0)
        assert near.call(lambda: jobs.get_state()["servers"]) == []


def test_a_server_is_found_though_a_younger_link_took_the_place_of_the_one_it_was_asked_by() -> (
    None
):
    with World(14, conditions=PROMPT) as world:
        near, far = add_node(world, "n"), add_node(world, "f")
        join(far, near)
        meet(near, [far])
        server = serve(far)
        name = f"JobServer/far/{server._id}"
        world.drive(lambda: near.kernel.services.get(name) is not None, 60.0)
        [old] = links(near)
        # Only the far end learns that the connection broke, and makes another one.
        world.network.wire("f", "n").conditions = DEAF
        world.network.lose("n", "f")
        jobs = control(near)
        await_servers(world, jobs, 1)
        assert old.ended == "a younger link takes its place"


def test_one_that_is_asked_in_vain_for_its_load_is_no_server_for_ever() -> None:
    # On a network on which the link stands: after its return the server is asked again.
    with World(15, conditions=PROMPT) as world:
        near, far = chain(world, "nf")
        jobs = control(near)
        bad = far.call(vista.create, UnansweringServer)
        far.call(vista.register_service, "JobServer/far/bad", bad)
        world.pass_time(1_000.0)
        asked = far.call(bad.count_asked)
        world.pass_time(1_000.0)
        assert near.call(lambda: jobs.get_state()["servers"]) == []
        assert asked == far.call(bad.count_asked)
        assert 10 <= asked <= 100


class UnansweringServer(vista.Object):
    """Takes itself for lost whenever it is asked."""

    def create(self) -> None:
        self.asked = 0

    def get_load(self) -> None:
        self.asked += 1
        raise vista.PeerLost("it says so")

    def count_asked(self) -> int:
        return self.asked


def test_what_a_job_raises_far_away_reaches_its_caller_with_its_traceback() -> None:
    with World(5) as world:
        near, far = chain(world, "nf")
        serve(far)
        jobs = control(near)
        await_servers(world, jobs, 1)
        with pytest.raises(Exception, match="on purpose") as caught:
            near.call(lambda: jobs.run_job("FarUnwilling"))
        assert "in run" in caught.value.remote_traceback  # type: ignore[attr-defined]


def test_the_client_may_be_anywhere() -> None:
    with World(6) as world:
        nodes = chain(world, "abc")
        serve(nodes[2])
        jobs = control(nodes[1])
        await_servers(world, jobs, 1)
        client = nodes[0].call(vista.create, PoolClient)
        seen = nodes[0].kernel.ref(jobs._id)
        nodes[0].call(lambda: seen.queue_job(client, "far", "FarSquare", None, [4]))
        world.pass_time(10.0)
        assert nodes[0].call(client.list_ends) == [["far", [16, "c"]]]


def test_the_jobs_of_a_lost_node_are_done_by_others() -> None:
    with World(7, conditions=PROMPT) as world:
        nodes = chain(world, "abc")
        for node in nodes[1:]:
            serve(node, 2)
        jobs = control(nodes[0])
        await_servers(world, jobs, 2)
        client = nodes[0].call(vista.create, PoolClient)
        for number in range(6):
            nodes[0].call(lambda n=number: jobs.queue_job(client, n, "FarSquare", None, [n, 5.0]))
        world.pass_time(2.0)
        world.crash("c")
        world.pass_time(60.0)
        ends = nodes[0].call(client.list_ends)
        assert sorted(ends) == [[n, [n**2, "b"]] for n in range(6)]
        state = nodes[0].call(jobs.get_state)
        assert (state["finished"], state["failed"], state["retried"]) == (6, 0, 2)
        assert len(state["servers"]) == 1


def test_a_job_that_never_reached_its_server_has_not_failed() -> None:
    with World(13, conditions=PROMPT) as world:
        near, _ = nodes = chain(world, "nf", limits=limits(job_attempts_max=1))
        serve(nodes[1])
        jobs = control(near)
        await_servers(world, jobs, 1)
        world.crash("f")
        world.pass_time(30.0)
        client = near.call(vista.create, PoolClient)
        near.call(lambda: jobs.queue_job(client, "late", "FarSquare", None, [3]))
        world.pass_time(10.0)
        serve(near)
        world.pass_time(10.0)
        assert near.call(client.list_ends) == [["late", [9, "n"]]]
        assert near.call(jobs.get_state)["retried"] == 0


def test_an_answer_that_comes_after_a_partition_is_dropped() -> None:
    with World(8, conditions=PROMPT) as world:
        near, far = chain(world, "nf")
        server = serve(far)
        jobs = control(near)
        await_servers(world, jobs, 1)
        client = near.call(vista.create, PoolClient)
        near.call(lambda: jobs.queue_job(client, "once", "FarSquare", None, [3, 20.0]))
        world.pass_time(2.0)
        partition = world.network.partition(["n"], ["f"])
        world.pass_time(60.0)
        assert near.call(client.list_ends) == []
        serve(near)
        world.pass_time(60.0)
        assert near.call(client.list_ends) == [["once", [9, "n"]]]
        partition.heal()
        world.pass_time(60.0)
        assert near.call(client.list_ends) == [["once", [9, "n"]]]
        await_servers(world, jobs, 2)
        assert far.call(server.get_load).running == 0


def test_a_slow_node_gets_fewer_jobs() -> None:
    with World(9) as world:
        near, far = chain(world, "nf")
        near.kernel.settings["pause"], far.kernel.settings["pause"] = 0.5, 4.5
        serve(near)
        serve(far)
        jobs = control(near)
        await_servers(world, jobs, 2)
        near.kernel.classes.add(UnevenJob)
        far.kernel.classes.add(UnevenJob)
        names = near.call(lambda: jobs.map_jobs("UnevenJob", [[]] * 40))
        assert (names.count("n"), names.count("f")) == (36, 4)


class UnevenJob(vista.Object):
    """A job that takes as long as its node's settings say."""

    def run(self) -> str:
        vista.sleep(kernel_here().settings["pause"])
        return kernel_here().name


# --- peers with other keys -----------------------------------------------------------------


@pytest.mark.parametrize(("rights", "servers"), [("call", 0), ("call,create", 1)])
def test_the_server_of_a_stranger_gets_jobs_only_if_he_may_create_here(
    tmp_path: Path, rights: str, servers: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "vista.standard.jobs")
    with World(10) as world:
        ours = stranger(world, tmp_path, "ours", OURS, {THEIRS: f"bob {rights}"})
        theirs = stranger(world, tmp_path, "theirs", THEIRS, {OURS: "ann call,create,code"})
        serve(theirs)
        jobs = control(ours)
        join(theirs, ours)
        meet(ours, [theirs])
        world.pass_time(10.0)
        assert len(ours.call(jobs.get_state)["servers"]) == servers
    assert ("it lacks the right create" in caplog.text) is not bool(servers)


@pytest.mark.parametrize("message", ["queue_job", "run_job", "map_jobs"])
def test_a_stranger_who_may_only_call_queues_nothing(tmp_path: Path, message: str) -> None:
    with World(11) as world:
        ours = stranger(world, tmp_path, "ours", OURS, {THEIRS: "bob call"})
        theirs = stranger(world, tmp_path, "theirs", THEIRS, {OURS: "ann call"})
        jobs = control(ours)
        join(theirs, ours)
        meet(theirs, [ours])
        seen = theirs.kernel.ref(jobs._id)
        with pytest.raises(AccessDenied, match="user 'bob' has no right to create"):
            theirs.call(lambda: vista.send(seen, message, None, None, "FarSquare", None, [1]))
        assert ours.call(jobs.get_state)["queued"] == 0


def test_a_stranger_who_may_only_call_has_a_server_do_nothing(tmp_path: Path) -> None:
    with World(12) as world:
        ours = stranger(world, tmp_path, "ours", OURS, {THEIRS: "bob call"})
        theirs = stranger(world, tmp_path, "theirs", THEIRS, {OURS: "ann call,create"})
        serve(ours)
        jobs = control(theirs)
        join(theirs, ours)
        await_servers(world, jobs, 1)
        with pytest.raises(AccessDenied, match="user 'bob' has no right to create"):
            theirs.call(lambda: jobs.run_job("FarSquare", 3))
        assert theirs.call(jobs.get_state)["retried"] == 0


def test_of_servers_that_are_gone_few_names_are_kept() -> None:
    with World(1, conditions=PROMPT) as world:
        node = add_node(world, "a")
        controller = node.call(vista.create, "JobController", "kept")
        made = node.kernel.record_of(controller).instance
        load = JobLoad(1, 0, 0, 0, None, 0.0)

        def come_and_go() -> None:
            for number in range(1_000):
                server = node.kernel.ref(vista.Id.make(b"far away!!", number))
                made._take_up(f"JobServer/kept/{number}", server, load)
                made._handle(ServerDown(server._id, "it is gone"))

        node.call(come_and_go)
        assert len(made._names) <= 128
