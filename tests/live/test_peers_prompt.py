"""A prompt that joins a node of another process, on a real pseudo-terminal."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.live.process import COMMAND, ROOT, Process, own_directories, vista
from tests.live.test_repl_terminal import WAIT_SECONDS_MAX, Prompt

LOSS_SECONDS_MAX = 2.0
"""How soon calls in flight end when the process of their peer is killed."""


class JoinedPrompt(Prompt):
    """``vista repl`` with words of its own, on a pseudo-terminal."""

    def __init__(self, *words: str) -> None:
        python, *arguments = COMMAND
        # What the terminal says of its width counts.
        inherited = {name: text for name, text in os.environ.items() if name != "COLUMNS"}
        self.process = pexpect.spawn(
            python,
            [*arguments, "repl", *words],
            cwd=str(ROOT),
            env={
                **inherited,
                "PYTHONPATH": str(ROOT),
                "TERM": "xterm",
                "NO_COLOR": "1",
                "PROMPT_TOOLKIT_NO_CPR": "1",
            },
            encoding="utf-8",
            timeout=WAIT_SECONDS_MAX,
            dimensions=(50, 160),
        )
        self.number = 1

    def begin(self) -> None:
        """Wait for the first prompt; ``banner`` is what came before it."""
        self.banner = self.until_prompt()

    def close(self) -> None:
        """End the process, whatever it does."""
        self.process.close(force=True)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """Directories of this module's own for keys, sockets and history."""
    with own_directories() as directory:
        yield directory


def start_hub(process: Process) -> None:
    """Wait until the hub can be joined."""
    process.expect("peers may connect: vista repl --connect ipc:")


@pytest.fixture(scope="module")
def hub(place: Path) -> Iterator[Process]:
    """The node of rc/hub.rc, at ``ipc:hub``."""
    with vista("rc/hub.rc", "ipc:hub") as process:
        start_hub(process)
        yield process


@pytest.fixture(scope="module")
def joined(hub: Process) -> Iterator[JoinedPrompt]:
    """A prompt that is linked with the hub; ``counter`` is the object of its service."""
    prompt = JoinedPrompt("--connect", "ipc:hub")
    try:
        prompt.begin()
        prompt.enter('counter = wait_for_service("Counters/main", 10)')
        yield prompt
    finally:
        prompt.close()


def test_the_banner_says_with_whom_the_prompt_is_linked(joined: JoinedPrompt) -> None:
    assert "linked with hub at ipc:hub" in joined.banner
    _, _, words = joined.banner.partition("vista 0")
    assert len(words.strip().splitlines()) <= 5


def test_a_service_of_the_peer_is_called_as_one_here(joined: JoinedPrompt) -> None:
    joined.enter("before = counter.increment(0)")
    assert "True" in joined.enter("counter.increment(2) == before + 2")


def test_objects_of_the_peer_are_listed(joined: JoinedPrompt) -> None:
    assert "Standard.AcceptPeerConnections" in joined.enter("objects(at=peers()[0])")


def test_an_object_made_at_the_peer_is_moved_here_and_works_on(joined: JoinedPrompt) -> None:
    joined.enter("import os")
    joined.enter('w = create("Worker", at=peers()[0])')
    first = joined.enter("w.run()")
    joined.enter("move(w, here())")
    joined.enter("second = w.run()")
    assert "worker works in process" in first
    assert "True" in joined.enter("f'in process {os.getpid()}, so far in' in second")
    assert "True" in joined.enter("len(second.partition('[')[2].split()) == 2")


def test_the_variable_peer_is_the_peers_creator(joined: JoinedPrompt) -> None:
    assert "True" in joined.enter("peer == peers()[0]")


def test_services_of_the_peer_are_listed_with_their_node(joined: JoinedPrompt) -> None:
    shown = joined.enter("services()")
    assert "node" in shown
    assert "Counters/main" in shown


def test_figures_of_the_peer_are_shown_as_a_table(joined: JoinedPrompt) -> None:
    assert "uptime seconds" in joined.enter("statistics(at=peer)").replace("_", " ")


def test_tab_completes_the_methods_of_an_object_elsewhere(joined: JoinedPrompt) -> None:
    joined.type("counter.increment_l\t")
    joined.until("counter.increment_later")
    assert ".increment_later" in joined.enter("")


def test_tab_completes_services_of_the_peer(joined: JoinedPrompt) -> None:
    joined.type('service("Counters/m\t')
    joined.until("Counters/main")
    assert "Out[" in joined.enter('")')


def test_tab_completes_classes_that_only_the_peer_knows(joined: JoinedPrompt) -> None:
    joined.type('create("SharedC\t')
    joined.until("SharedCounter")
    assert "Out[" in joined.enter('", "Counters/typed", at=peer)')


def test_a_question_mark_asks_the_object_elsewhere(joined: JoinedPrompt) -> None:
    shown = joined.enter("counter.increment?")
    assert "counter.increment(by: int = 1) -> int" in shown
    assert "Add to the value and return it." in shown


def test_a_message_nobody_answers_elsewhere_is_one_line(joined: JoinedPrompt) -> None:
    shown = joined.enter("counter.incremnt()").strip().splitlines()
    assert len(shown[1:]) == 1
    assert shown[1].startswith("NoSuchMethod: ")


def test_a_third_node_linked_only_with_the_first_reaches_objects_of_the_second(
    joined: JoinedPrompt,
) -> None:
    joined.enter('create("AnnounceServices"); own = create("VirtualConsole", "harbour")')
    joined.enter('register_service("Consoles/second", own)')
    script = 'wait_for_service("Consoles/second", 10).append_text("seen")\nlen(peers())\n'
    third = subprocess.run(
        [*COMMAND, "repl", "--connect", "ipc:hub"],
        cwd=ROOT,
        input=script,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS_MAX,
        check=False,
    )
    assert (third.returncode, third.stdout) == (0, "2\n"), third.stderr
    assert "seen" in joined.enter("own.get_page_data()")


@pytest.fixture
def hub_to_kill(place: Path) -> Iterator[Process]:
    """A hub of the test's own, at ``ipc:mortal``."""
    with vista("rc/hub.rc", "ipc:mortal") as process:
        start_hub(process)
        yield process


def test_calls_in_flight_end_with_peer_lost_when_the_peer_is_killed_and_the_link_returns(
    hub_to_kill: Process,
) -> None:
    prompt = JoinedPrompt("--connect", "ipc:mortal")
    try:
        prompt.begin()
        prompt.enter('import time; counter = wait_for_service("Counters/main", 10)')
        prompt.enter("calls = [counter.increment_later.future(1, 60.0) for _ in range(3)]")
        assert "True" in prompt.enter("counter.increment(3) == 3")

        hub_to_kill.signal(signal.SIGKILL)
        hub_to_kill.end()
        ended = prompt.enter(
            "began = time.monotonic(); "
            "[type(call.exception(10)).__name__ for call in calls], time.monotonic() - began"
        )
        assert ended.count("'PeerLost'") == 3
        assert float(ended.rpartition("], ")[2].rstrip().rstrip(")")) < LOSS_SECONDS_MAX
        lost = prompt.enter("counter.increment()").strip().splitlines()
        assert len(lost[1:]) == 1
        assert lost[1].startswith("PeerLost: ")

        with vista("rc/hub.rc", "ipc:mortal") as again:
            start_hub(again)
            prompt.enter('counter = wait_for_service("Counters/main", 30)')
            assert "True" in prompt.enter("counter.increment(41) == 41")
    finally:
        prompt.close()


def test_a_prompt_that_waits_for_its_peer_says_so_and_ctrl_c_ends_it(place: Path) -> None:
    prompt = JoinedPrompt("--connect", "ipc:nobody")
    try:
        prompt.until("waiting for the peer at ipc:nobody: nobody listens at this socket")
        prompt.until("Ctrl-C ends it")
        prompt.process.sendintr()
        prompt.process.expect(pexpect.EOF)
        prompt.process.close()
        assert prompt.process.exitstatus == 130
    finally:
        prompt.close()


def test_a_prompt_that_waits_goes_on_when_its_peer_comes(place: Path) -> None:
    prompt = JoinedPrompt("--connect", "ipc:late")
    try:
        prompt.until("waiting for the peer at ipc:late")
        with vista("rc/hub.rc", "ipc:late"):
            prompt.begin()
            assert "linked with hub at ipc:late" in prompt.banner
    finally:
        prompt.close()


def test_a_wrong_url_ends_the_prompt_with_2_and_the_reason(place: Path) -> None:
    with vista("repl", "--connect", "tcp:4500") as process:
        assert process.end() == 2
    assert process.errors[-1].startswith('vista: peer URL "tcp:4500": ')
