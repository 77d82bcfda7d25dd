"""The commands that ask a running node, each as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pexpect
import pytest

from tests.live.process import COMMAND, ROOT, SECONDS_MAX, Process, own_directories, vista


@pytest.fixture(scope="module")
def place() -> Iterator[None]:
    """Directories of this module's own for keys and sockets."""
    with own_directories(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        yield


@pytest.fixture(scope="module")
def hub(place: None) -> Iterator[Process]:
    """The node of rc/hub.rc, at the only socket."""
    with vista("rc/hub.rc", "ipc:hub") as process:
        process.expect("peers may connect: vista repl --connect ipc:")
        yield process


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def document(*words: str) -> Any:
    """Run a command with ``--json`` and return what it prints."""
    ran = run(*words, "--json", "--connect", "ipc:hub")
    assert (ran.returncode, ran.stderr) == (0, "")
    return json.loads(ran.stdout)


def test_the_only_node_is_asked_without_its_name(hub: Process) -> None:
    ran = run("ps")
    assert (ran.returncode, ran.stderr) == (0, "vista: asking the node at ipc:hub\n")
    head, line = ran.stdout.splitlines()
    assert head.split()[:2] == ["node", "name"]
    assert line.split()[1] == "hub"


def test_objects_are_listed_as_json(hub: Process) -> None:
    rows = document("objects")
    assert [set(row) for row in rows] == [
        {"id", "class_name", "services", "threads", "messages_queued"}
    ] * len(rows)
    assert ["Counters/main"] in [row["services"] for row in rows]


def test_services_are_listed_as_json(hub: Process) -> None:
    (row,) = [row for row in document("services") if row["name"] == "Counters/main"]
    assert row["class_name"] == "Local.SharedCounter"


def test_threads_are_listed_as_json(hub: Process) -> None:
    assert [row["method"] for row in document("threads")] == ["list_threads"]


def test_classes_of_a_node_are_those_it_has_loaded(hub: Process) -> None:
    assert "SharedCounter" in [row["name"] for row in document("classes")]


def test_peers_do_not_include_the_command_itself(hub: Process) -> None:
    assert document("peers") == []


def test_a_node_is_chosen_by_its_name(hub: Process) -> None:
    assert document("services", "--at", "hub") == document("services")


def test_a_node_that_is_not_reached_ends_with_2_and_those_there_are(hub: Process) -> None:
    ran = run("objects", "--connect", "ipc:hub", "--at", "mars")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("vista: no node 'mars' is reached; there are ")
    assert ran.stderr.endswith(" (hub)\n")


def test_top_looks_as_often_as_asked_and_prints_plainly_into_a_pipe(hub: Process) -> None:
    ran = run("top", "--connect", "ipc:hub", "--count", "2", "--interval", "0.05")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.count("hub  up 00:0") == 2
    assert "\x1b" not in ran.stdout


def test_top_prints_a_document_a_line(hub: Process) -> None:
    ran = run("top", "--connect", "ipc:hub", "--count", "2", "--interval", "0.05", "--json")
    assert [json.loads(line)["name"] for line in ran.stdout.splitlines()] == ["hub", "hub"]


def test_top_refreshes_a_terminal_in_place_until_ctrl_c(hub: Process) -> None:
    python, *arguments = COMMAND
    process = pexpect.spawn(
        python,
        [*arguments, "top", "--connect", "ipc:hub", "--interval", "0.05"],
        encoding="utf-8",
        timeout=SECONDS_MAX,
    )
    try:
        for _ in range(2):
            process.expect_exact("\x1b[H\x1b[J")
            process.expect_exact("hub  up 00:0")
        process.sendintr()
        process.expect(pexpect.EOF)
        process.close()
        assert process.exitstatus == 0
    finally:
        process.close(force=True)


def test_send_prints_the_result(hub: Process) -> None:
    before = run("send", "--connect", "ipc:hub", "Counters/main", "reset")
    assert (before.returncode, before.stderr) == (0, "")
    ran = run("send", "--connect", "ipc:hub", "Counters/main", "increment", "3")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "3\n", "")


def test_send_prints_the_result_as_json(hub: Process) -> None:
    ran = run("send", "--connect", "ipc:hub", "--json", "ObjectCreator", "get_name")
    assert (ran.returncode, ran.stdout) == (0, '"hub"\n')


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (
            ["Counters/main", "incremnt"],
            1,
            "vista: NoSuchMethod: Local.SharedCounter has no method 'incremnt'; "
            "did you mean increment or increment_later?\n",
        ),
        (
            ["ObjectCreator", "create_object", "Nothing"],
            1,
            "vista: NoSuchClass: ",
        ),
        (["Counters/mian", "reset"], 1, "vista: no service 'Counters/mian'"),
        (
            ["Counters/main", "increment", "x"],
            2,
            'vista: argument 1: by must be an int, not "x"; expected increment(by: int = 1)\n',
        ),
    ],
)
def test_send_tells_in_one_line_why_it_failed(
    hub: Process, words: list[str], code: int, text: str
) -> None:
    ran = run("send", "--connect", "ipc:hub", *words)
    assert (ran.returncode, ran.stdout) == (code, "")
    assert ran.stderr.startswith(text)
    assert len(ran.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "words", [("ps", "--connect", "ipc:nobody"), ("solidstate", "status", "ipc:nobody")]
)
def test_a_peer_that_is_not_there_ends_with_1_and_what_to_do(
    place: None, words: tuple[str, ...]
) -> None:
    ran = run(*words)
    assert (ran.returncode, ran.stdout) == (1, "")
    (told,) = ran.stderr.splitlines()
    assert told.endswith(
        "/nobody: nobody listens at this socket; start the node first, or mend the URL"
    )


def test_a_peer_that_stands_still_ends_with_1_after_the_timeout(place: None) -> None:
    with vista("rc/hub.rc", "ipc:still") as still:
        still.expect("peers may connect")
        still.signal(signal.SIGSTOP)
        ran = run("objects", "--connect", "ipc:still", "--timeout", "0.3")
        assert (ran.returncode, ran.stdout) == (1, "")
        assert ran.stderr.startswith("vista: no link to ipc:")


def test_several_nodes_to_choose_from_end_with_2_and_their_names(hub: Process) -> None:
    with vista("rc/hub.rc", "ipc:other") as other:
        other.expect("peers may connect")
        ran = run("services")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert "2 nodes listen in " in ran.stderr
    assert "ipc:hub, ipc:other; name one: --connect ipc:hub" in ran.stderr
