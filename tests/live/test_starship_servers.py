"""Servers of a game as real processes that are killed, stopped and lied by; the game goes on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.process import ROOT, Process, own_directories, vista
from tests.live.starship_servers import Crew, Server, hashes, until

MANUAL = "step_mode=manual soft_deadline=90 hard_deadline=99"
"""Steps by hand, which wait for a server that is stopped as long as they may: 4 seconds."""

LIAR = '''
from apps.starship.objects.secondary import StarshipSecondary
from apps.starship.game.messages import StepUpdate


class LyingStarshipServer(StarshipSecondary):
    """A server whose ships are always whole."""

    def _send(self, answers):
        for number, answer in enumerate(answers):
            if isinstance(answer, StepUpdate):
                deltas = tuple(
                    delta._replace(changes={**delta.changes, "energy": 777})
                    if delta.group == "tac" else delta
                    for delta in answer.deltas
                )
                answers[number] = answer._replace(deltas=deltas)
        super()._send(answers)
'''

Begin = Callable[..., Crew]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    with own_directories(), ExitStack() as stack:
        yield lambda *words, **settings: Crew(tmp_path, stack, *words, **settings)


def stop_with_work(crew: Crew, server: Server, step: int) -> None:
    """Stop a server, and have a step begun whose work it has."""
    id = crew.servers()[-1]["id"]
    server.process.signal(signal.SIGSTOP)
    crew.step_aside()
    crew.until(lambda: id in crew.assigned(step))


def test_a_server_that_is_killed_in_the_midst_of_a_step_changes_nothing(begin: Begin) -> None:
    crew = begin(more=MANUAL)
    server = crew.join()
    crew.step(2)
    stop_with_work(crew, server, 3)
    server.kill()
    crew.until(lambda: crew.hash()["step"] == 3)
    assert crew.hash()["hash"] == hashes(3)[3]
    crew.until(lambda: not crew.servers())
    # Another one may join at any time, and has its share.
    crew.join()
    assert crew.step(3)["hash"] == hashes(6)[6]
    assert crew.servers()[0]["done"] > 0


def test_a_primary_that_is_killed_goes_on_at_the_exact_step_twice(begin: Begin) -> None:
    crew = begin(more=MANUAL)
    server = crew.join()
    known = hashes(8)
    for life in (1, 2):
        step = crew.step(2)["step"]
        # Once between two steps, and once in the midst of one.
        if life == 2:
            stop_with_work(crew, server, step + 1)
        crew.primary.kill()
        server.process.signal(signal.SIGCONT)
        crew.restart()
        assert crew.hash() == {"step": step, "hash": known[step], "epoch": life}
        crew.until(lambda: crew.states() == ["ready"])
    assert crew.step()["hash"] == known[step + 1]
    assert [row["units"] > 0 for row in crew.servers()] == [True]


def test_a_server_that_hangs_is_named_gets_no_work_and_comes_back(begin: Begin) -> None:
    crew = begin(1)
    server = crew.join()
    [row] = crew.servers()
    server.process.signal(signal.SIGSTOP)
    crew.until(lambda: row["id"] in {report["server"] for report in crew.reported("slow")})
    # It follows without work, and is let go when its node has not been heard of for 8 seconds.
    crew.until(lambda: crew.states() in (["following"], []))
    step = crew.hash()["step"]
    crew.until(lambda: crew.hash()["step"] >= step + 2)
    server.process.signal(signal.SIGCONT)
    crew.until(lambda: crew.states() == ["ready"])
    found = crew.hash()
    assert found["hash"] == hashes(found["step"])[found["step"]]


def test_a_server_that_lies_is_named_and_barred(begin: Begin) -> None:
    crew = begin(more=f"{MANUAL} sample=all")
    (crew.directory / "liar.py").write_text(LIAR)
    crew.join("LyingStarshipServer", "LoadClassFile liar.py")
    crew.step()
    for _ in range(20):
        crew.step()
        if crew.servers()[0]["state"] == "barred":
            break
    [row] = crew.servers()
    assert (row["state"], row["faults"]) == ("barred", 3)
    assert {report["server"] for report in crew.reported("divergent")} == {row["id"]}
    found = crew.hash()
    assert found["hash"] == hashes(found["step"])[found["step"]]


def test_a_server_that_is_told_to_stop_leaves_at_once(begin: Begin) -> None:
    crew = begin(more=MANUAL)
    server = crew.join()
    crew.step()
    server.process.signal(signal.SIGTERM)
    assert server.process.end() == 0
    assert crew.servers() == []
    assert crew.reported("lost") == []


# --- the rc files ---------------------------------------------------------------------------


def copied(directory: Path) -> Path:
    """A copy of rc/starship.rc that takes a free port."""
    text = (ROOT / "rc" / "starship.rc").read_text()
    assert "tcp:127.0.0.1:4321" in text
    (directory / "starship.rc").write_text(text.replace("tcp:127.0.0.1:4321", "tcp:127.0.0.1:0"))
    return directory / "starship.rc"


def url_of(process: Process) -> str:
    """The URL that a node tells its peers."""
    told = "peers may connect: vista repl --connect "
    if not any(told in line for line in process.errors):
        process.expect(told)
    line = next(line for line in process.errors if told in line)
    return line.rpartition(" ")[2]


def test_the_rc_files_make_a_game_of_two_servers_that_goes_on_after_a_stop(tmp_path: Path) -> None:
    with own_directories(), ExitStack() as stack:
        rc = str(copied(tmp_path))
        # A busy machine may need half a step for anything: it takes no server out for that.
        words = (rc, "1", "42", "soft_deadline=90", "hard_deadline=99")
        primary = Server(stack.enter_context(vista(*words)))
        url = url_of(primary.process)
        second = Server(stack.enter_context(vista("rc/starship-secondary.rc", url)))

        def rows() -> list[dict[str, Any]]:
            found = second.ask("/starship/servers.json")
            return found["servers"] if isinstance(found, dict) else []

        until(lambda: [row["state"] for row in rows()] == ["ready"] * 2)
        until(lambda: all(row["url"] for row in rows()))
        for server in (primary, second):
            assert "Create" in server.ask("/starshipLogin.html")
        # A busy machine may take a server out for a step now and then.
        until(lambda: 'name="StarshipServers"} 2.0' in str(primary.ask("/metrics")))
        stop(primary)
        second.process.expect("the primary has ended")
        again = Server(stack.enter_context(vista(*words)))
        again.process.expect("the saved game goes on at step ")
        # The other server comes back by itself: the game is where it was.
        second.process.expect("in the game at step")
        until(lambda: [row["state"] for row in rows()] == ["ready"] * 2)
        assert again.ask("/starship/map.json")["step"] > 1
        stop(second)
        stop(again)


def stop(server: Server) -> None:
    """Tell a server to stop, as an operator does; nothing goes wrong."""
    server.process.signal(signal.SIGTERM)
    assert server.process.end() == 0
    assert [line for line in server.process.errors if " error " in line] == []


ORIGINAL = """\
PeerRegistry
AnnounceServices
HTTPcommonLogFormat {place}/http.log www.domain.com
HTTPdaemon {place}/http.profile tcp:127.0.0.1:0
HTTPpurgeCache 30 www.domain.com
# Setup HTTP services
StarshipHTTPsetup www.domain.com
{game}
"""


def test_the_lines_of_the_original_boot_as_written(tmp_path: Path) -> None:
    """Figures 1 and 2 of the guide, but for the port, and for code that is loaded by itself.

    Other servers are configured identically, with a StarshipSecondary; links have rc lines here.
    """
    (tmp_path / "http.profile").write_text("ServerName www.domain.com\n")
    game = (
        "# create StarshipPrimary only on main machine\n"
        "StarshipPrimary\n"
        "# StarshipSecondary is automatically created by StarshipPrimary\n"
        "AcceptPeerConnections ipc:original"
    )
    (tmp_path / "game.rc").write_text(ORIGINAL.format(place=tmp_path, game=game))
    other = ORIGINAL.format(place=tmp_path, game="StarshipSecondary\nConnectToPeer ipc:original")
    (tmp_path / "other.rc").write_text(other.replace("http.log", "other.log"))
    with own_directories(), vista("game.rc", directory=tmp_path) as primary:
        primary.expect("www.domain.com is served at ")
        primary.expect("in the game at step 0")
        primary.expect("peers may connect")
        with vista("other.rc", directory=tmp_path) as secondary:
            secondary.expect("www.domain.com is served at ")
            secondary.expect("in the game at step ")
            for process in (secondary, primary):
                process.signal(signal.SIGTERM)
                assert process.end() == 0
