"""The prompt on a real pseudo-terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

WAIT_SECONDS_MAX = 30
"""How long an expected output may take: long enough for a machine that does much else."""

START = """
import sys
from vista import Node
from vista.shell.repl import run_repl
node = Node("town").start()
sys.exit(run_repl(node, {"answer": 42}, "rc/some.rc"))
"""

COUNTER = '''class Counter(Object):
    """Counts."""
    def create(self, start: int = 0):
        self.value = start
    def increment(self, by: int = 1) -> int:
        """Add to the value."""
        self.value += by
        return self.value
    def divide(self, by):
        return self.value / by
    def rest(self):
        print("re" + "sts", flush=True)
        try:
            sleep(3600)
        finally:
            rested.set()
'''

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[=>(][B0]?|\r")
CONTROLS = f"(?:{CONTROL.pattern})*"


class Prompt:
    """A process with a prompt on a pseudo-terminal, and a user who types."""

    def __init__(self, state: Path, columns: int = 120) -> None:
        environment = {
            **os.environ,
            "XDG_STATE_HOME": str(state),
            "TERM": "xterm",
            "NO_COLOR": "1",
            "PROMPT_TOOLKIT_NO_CPR": "1",
        }
        environment.pop("COLUMNS", None)
        self.process = pexpect.spawn(
            sys.executable,
            ["-c", START],
            env=environment,
            encoding="utf-8",
            timeout=WAIT_SECONDS_MAX,
            dimensions=(50, columns),
        )
        self.number = 1
        self.banner = self.until_prompt()

    def until(self, text: str) -> str:
        """Wait for a text; return what came before it.

        A terminal is sent only what changes on its screen, so the text may come in pieces.
        """
        self.process.expect(CONTROLS.join(map(re.escape, text)))
        return CONTROL.sub("", self.process.before or "")

    def until_prompt(self) -> str:
        """Wait for the next prompt; return what came before it."""
        return self.until(f"In [{self.number}]:")

    def type(self, text: str) -> None:
        self.process.send(text)

    def enter(self, line: str) -> str:
        """Type a line, or paste several, press Enter and return what is printed."""
        if "\n" in line:
            self.type(f"\x1b[200~{line}\x1b[201~")
        else:
            self.type(line)
        self.type("\r")
        self.number += 1
        return self.until_prompt()

    def press_enter(self) -> str:
        self.type("\r")
        self.number += 1
        return self.until_prompt()

    def leave(self) -> int:
        """Press Ctrl-D and return the exit code."""
        self.type("\x04")
        self.process.expect(pexpect.EOF)
        self.process.close()
        assert self.process.exitstatus is not None
        return self.process.exitstatus


@pytest.fixture
def prompt(tmp_path: Path) -> Iterator[Prompt]:
    prompt = Prompt(tmp_path)
    yield prompt
    prompt.process.close(force=True)


@pytest.fixture
def counter(prompt: Prompt) -> Prompt:
    prompt.enter(COUNTER + "import threading; rested = threading.Event()\n")
    prompt.enter('counter = create("Counter", 5)')
    return prompt


def test_the_banner_says_in_at_most_five_lines_what_to_type(prompt: Prompt) -> None:
    lines = prompt.banner.strip().splitlines()
    assert len(lines) <= 5
    assert lines[0].endswith(", node town, rc/some.rc is running")
    assert "help()" in prompt.banner


def test_variables_given_to_the_prompt_are_there(prompt: Prompt) -> None:
    assert "Out[1]: 42" in prompt.enter("answer")


def test_a_class_typed_at_the_prompt_is_created_and_called(counter: Prompt) -> None:
    assert "Out[3]: 7" in counter.enter("counter.increment(2)")


def test_a_class_is_created_in_the_cell_that_defines_it(prompt: Prompt) -> None:
    assert "Out[1]: 9" in prompt.enter(COUNTER + '\ncreate("Counter", 8).increment()\n')


def test_the_newest_definition_of_a_class_wins(counter: Prompt) -> None:
    counter.enter(COUNTER.replace("+= by", "+= 100 * by"))
    assert "Out[4]: 100" in counter.enter('create("Counter").increment()')
    assert "Out[5]: 6" in counter.enter("counter.increment()")


def test_the_source_of_a_class_typed_at_the_prompt_is_found(counter: Prompt) -> None:
    counter.enter("import inspect")
    assert "def divide(self, by):" in counter.enter("print(inspect.getsource(Counter))")


def test_the_functions_at_the_prompt_use_its_node(counter: Prompt) -> None:
    assert "Out[3]: True" in counter.enter("node.call(objects) == objects() != []")


def test_tab_completes_the_methods_of_an_object(counter: Prompt) -> None:
    counter.type("counter.incr\t")
    counter.until("counter.increment")
    assert "Out[3]: 6" in counter.enter("()")


def test_tab_completes_the_methods_of_a_target_in_send(counter: Prompt) -> None:
    counter.type('send(counter, "incr\t')
    counter.until("increment")
    assert "Out[3]: 6" in counter.enter('")')


def test_tab_completes_services_in_strings(counter: Prompt) -> None:
    counter.enter('register_service("Counters/main", counter)')
    counter.type('send("Cou\t')
    counter.until("Counters/main")
    assert "Out[4]: 6" in counter.enter('", "increment")')


def test_tab_completes_class_names_in_create(counter: Prompt) -> None:
    counter.type('create("Local.Coun\t')
    counter.until("Local.Counter")
    assert "<Counter " in counter.enter('")')


def test_tab_completes_ids_in_strings(counter: Prompt) -> None:
    counter.enter("name = str(id_of(counter)); delete(here())  # no other Id begins so")
    shown = counter.enter("print('begins', name[:-1], 'and ends', name[-1])")
    _, begun, *_, last = shown[shown.rindex("begins ") :].split()[:5]
    counter.type(f'send("{begun}\t')
    counter.until(begun + last)
    counter.type('", "increment")')
    assert "Out[5]: 6" in counter.press_enter()


def test_a_question_mark_shows_signature_and_docstring_of_a_method(counter: Prompt) -> None:
    shown = counter.enter("counter.increment?")
    assert "counter.increment(by: int = 1) -> int" in shown
    assert "Add to the value." in shown


def test_a_question_mark_after_a_function_is_left_to_ipython(prompt: Prompt) -> None:
    assert "Return the number of items in a container." in prompt.enter("len?")


def test_a_traceback_shows_the_users_line_and_the_methods_and_no_machinery(
    counter: Prompt,
) -> None:
    shown = counter.enter("counter.divide(0)")
    assert "counter.divide(0)" in shown
    assert "return self.value / by" in shown
    assert "ZeroDivisionError: division by zero" in shown
    assert "vista/kernel" not in shown
    assert "/asyncio/" not in shown


def test_tb_full_shows_every_frame(counter: Prompt) -> None:
    counter.enter("counter.divide(0)")
    shown = counter.enter("%tb full")
    assert "vista/kernel" in shown
    assert "ZeroDivisionError: division by zero" in shown


def test_a_message_nobody_answers_is_one_line_with_the_near_miss(counter: Prompt) -> None:
    shown = counter.enter("counter.incremnt()").strip().splitlines()
    assert len(shown[1:]) == 1
    assert shown[1].startswith("NoSuchMethod: ")
    assert "increment" in shown[1]


def test_ctrl_c_ends_a_waiting_call_and_its_thread(counter: Prompt) -> None:
    counter.type("counter.rest()\r")
    counter.until("rests")
    counter.number += 1
    counter.process.sendintr()
    assert "KeyboardInterrupt" in counter.until_prompt()
    assert "Out[4]: True" in counter.enter("rested.wait(10)")
    assert "Out[5]: 6" in counter.enter("counter.increment()")


def test_a_list_of_rows_is_shown_as_a_table_that_fits_the_terminal(counter: Prompt) -> None:
    shown = counter.enter("objects()")
    assert "class name" in shown
    assert "Local.Counter" in shown or "Counter" in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_help_lists_the_functions(prompt: Prompt) -> None:
    shown = prompt.enter("help()")
    assert "wait_for_service" in shown
    assert "Ctrl-D" in shown


def test_history_is_kept_in_the_state_directory(prompt: Prompt, tmp_path: Path) -> None:
    prompt.enter("remembered = 12345")
    assert prompt.leave() == 0
    assert (tmp_path / "vista" / "history.sqlite").exists()
    again = Prompt(tmp_path)
    try:
        again.type("\x1b[A")
        again.until("remembered = 12345")
    finally:
        again.process.close(force=True)


def test_ctrl_d_leaves_with_exit_code_0(counter: Prompt) -> None:
    assert counter.leave() == 0


SUBSCRIBER = """class LastWords(Object):
    def system_shutdown(self):
        print("told that it ends", flush=True)
"""


def test_leaving_tells_the_subscribers_of_the_shutdown_service(prompt: Prompt) -> None:
    prompt.enter(SUBSCRIBER + "\n")
    prompt.enter('create("ShutdownService").subscribe(create("LastWords"))')
    assert prompt.leave() == 0
    assert "told that it ends" in CONTROL.sub("", prompt.process.before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_prompt_that_waits_for_a_line(
    prompt: Prompt, number: signal.Signals
) -> None:
    prompt.process.kill(number)
    prompt.process.expect(pexpect.EOF)
    prompt.process.close()
    assert prompt.process.exitstatus == 0


def test_a_signal_ends_a_prompt_that_runs_what_was_typed(counter: Prompt) -> None:
    counter.type("counter.rest()\r")
    counter.until("rests")
    counter.process.kill(signal.SIGTERM)
    counter.process.expect(pexpect.EOF)
    counter.process.close()
    assert counter.process.exitstatus == 0


def piped(script: str) -> subprocess.CompletedProcess[str]:
    """Run a script that comes over a pipe, as in ``echo ... | vista repl``."""
    return subprocess.run(
        [sys.executable, "-c", START],
        input=script,
        capture_output=True,
        text=True,
        timeout=WAIT_SECONDS_MAX,
        check=False,
    )


def test_a_script_over_a_pipe_runs_and_prints_without_prompts() -> None:
    ran = piped(COUNTER + "counter = create('Counter', 5)\ncounter.increment(2)\nprint(answer)\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "7\n42\n", "")


def test_a_script_over_a_pipe_that_fails_gives_1_and_shows_no_machinery() -> None:
    ran = piped(COUNTER + "create('Counter').divide(0)\n")
    assert ran.returncode == 1
    assert "return self.value / by" in ran.stderr
    assert "vista/kernel" not in ran.stderr


def test_a_table_over_a_pipe_is_plain() -> None:
    ran = piped(COUNTER + "objects()\ncreate('Counter')\n" + "objects()\n")
    assert "Local.Counter" in ran.stdout
    assert "\x1b" not in ran.stdout
