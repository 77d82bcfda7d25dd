"""``vista ps``, ``objects``, ``services``, ``peers``, ``classes``, ``threads``, ``top``, ``send``.

Each runs a small node of its own that joins the peer, asks and ends. What is asked for goes to the
standard output, as a table or as JSON; words about it go to the standard error.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import vista
from vista.errors import CallTimeout, PeerLost
from vista.shell import show
from vista.shell.as_json import json_text
from vista.shell.behind import node_at
from vista.shell.command_help import COMMAND_HELP
from vista.shell.joining import chosen_url, object_at, silence
from vista.shell.log import start_logging
from vista.shell.options import DONE, FAILED, MISTAKEN, Parser, count, seconds
from vista.shell.sending import Refused, message_arguments
from vista.shell.summary import node_rows, other_rows
from vista.shell.top import reports, text_of

if TYPE_CHECKING:
    from vista.kernel.refs import Ref

TIMEOUT_SECONDS = 5.0
"""How long a command waits for its peer unless it is told: longer than a node that is well ever
takes, and not so long that a person gives up first."""

INTERVAL_SECONDS = 1.0
"""How often ``vista top`` looks unless it is told."""

OPTIONS = ("--connect", "--at", "--timeout", "--json")
"""What all commands take; behind the target of ``vista send`` it is an argument of the message."""

COMMAND_NODE = "vista-command"
"""What the node of a command calls itself to its peer unless ``--name`` says otherwise."""

LINES_KEPT = 1
"""Lines of a terminal that ``vista top`` leaves free, for the cursor."""

_HOME_AND_CLEAR = "\x1b[H\x1b[J"

Answer = TypeVar("Answer")


def remote_command(options: argparse.Namespace, command: str, words: Sequence[str]) -> int:
    """Run one of the commands that ask a running node, and return its exit code.

    ``options`` are those before the command. Raises `PeerAddressError` when there is no peer to
    ask, and `CallError` when it does not answer.
    """
    given = read_options(command, words)
    start_logging(options.log_level or "error", as_json=options.log_json)
    if command == "send":
        return _send(options, given)
    if command == "top":
        return _top(options, given)
    rows, troubles = ask(options, given, QUESTIONS[command])
    for trouble in troubles:
        print(f"vista: {trouble}", file=sys.stderr)
    if given.json:
        print(json_text(rows))
    else:
        show.print_table(rows)
    return DONE


def read_options(command: str, words: Sequence[str]) -> argparse.Namespace:
    """Read what follows a command that asks a running node.

    Prints and raises `SystemExit` for ``--help`` and for mistakes.
    """
    parser = Parser(f"vista {command}", COMMAND_HELP[command])
    parser.add_argument("--connect", metavar="URL")
    parser.add_argument("--at", metavar="NODE")
    parser.add_argument("--timeout", type=seconds, default=TIMEOUT_SECONDS)
    parser.add_argument("--json", action="store_true")
    if command == "top":
        parser.add_argument("--interval", type=seconds, default=INTERVAL_SECONDS)
        parser.add_argument("--count", type=count)
    if command == "send":
        parser.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args(words)
    if command == "send" and len(given.words) < 2:
        parser.error("TARGET and METHOD are missing")
    return given


def ask(
    options: argparse.Namespace, given: argparse.Namespace, question: Callable[[Ref], Answer]
) -> Answer:
    """Join the peer with a node of its own, put a question to it, and return the answer.

    With ``--at`` the question goes to a node behind the peer. The timeout bounds all together.
    Raises `CallTimeout` with the trouble in words, and `PeerAddressError` for no such node.
    """
    due = time.monotonic() + given.timeout
    with joined(options, given) as peer, vista.timeout(max(0.0, due - time.monotonic())):
        return question(node_at(peer, given.at))


@contextmanager
def joined(options: argparse.Namespace, given: argparse.Namespace) -> Iterator[Ref]:
    """Run a node for the block, linked with the peer, whose ObjectCreator is given."""
    url = chosen_url(given.connect)
    with vista.Node(options.name or COMMAND_NODE):
        # A second more, so that the end comes from who knows what the trouble is.
        connection = vista.create("ConnectToPeer", url)
        try:
            with vista.timeout(given.timeout + 1.0):
                peer = connection.wait(given.timeout, patient=False)
        except CallTimeout as error:
            trouble = connection.get_state()["trouble"]
            raise CallTimeout(f"{error}{silence(url, trouble)}") from None
        try:
            yield peer
        except PeerLost as error:
            raise with_trouble(error, connection) from None


def with_trouble(error: PeerLost, connection: Ref) -> PeerLost:
    """Return the error with the reason why the link ended, if that is known.

    A call that comes after the end does not tell it: two ends that are of different releases, say.
    """
    trouble = connection.get_state()["trouble"]
    if not trouble or trouble in str(error):
        return error
    return PeerLost(f"{error}; the link ended: {trouble}")


def _plainly(question: Callable[[Ref], list[Any]]) -> Callable[[Ref], tuple[list[Any], list[str]]]:
    return lambda peer: (question(peer), [])


QUESTIONS: Mapping[str, Callable[[Ref], tuple[list[Any], list[str]]]] = MappingProxyType(
    {
        "classes": _plainly(lambda peer: peer.list_classes()),
        "objects": _plainly(lambda peer: peer.list_objects()),
        "peers": _plainly(lambda peer: other_rows(peer.describe_peers())),
        "ps": node_rows,
        "services": _plainly(lambda peer: peer.list_services()),
        "threads": _plainly(lambda peer: peer.list_threads()),
    }
)
"""What each command asks; the answer is its rows and what went wrong besides."""


# --- vista send ----------------------------------------------------------------------------


def _send(options: argparse.Namespace, given: argparse.Namespace) -> int:
    target, method, *words = given.words
    try:
        value, error = ask(options, given, lambda peer: deliver(peer, target, method, words))
    except Refused as refused:
        late = next((word for word in words if word.partition("=")[0] in OPTIONS), None)
        hint = "" if late is None else f"; if {late} is an option, it stands before TARGET"
        print(f"vista: {refused}{hint}", file=sys.stderr)
        return MISTAKEN
    if error is not None:
        line = f"{type(error).__name__}: {error}".replace("\n", "\\n")
        print(f"vista: {line}", file=sys.stderr)
        return FAILED
    print_value(value, as_json=given.json)
    return DONE


def deliver(
    peer: Ref, target: str, method: str, words: Sequence[str]
) -> tuple[object, BaseException | None]:
    """Send a message whose target and arguments are words; return the result and the error.

    Raises `Refused` for words that are not what the method takes, and `CallError` when there is no
    such target.
    """

    def find(text: str) -> Ref:
        return object_at(peer, text)

    found = find(target)
    sent = vista.future(found, method, *message_arguments(found, method, words, find))
    error = sent.exception()
    return (sent.result() if error is None else None), error


def print_value(value: object, *, as_json: bool) -> None:
    """Print the result of a message: rows as a table, a text as it is, nothing for None."""
    if as_json:
        print(json_text(value))
    elif value is not None:
        table = show.display(value, width=show.width_of(sys.stdout))
        print(table or (value if isinstance(value, str) else repr(value)))


# --- vista top -----------------------------------------------------------------------------


def _top(options: argparse.Namespace, given: argparse.Namespace) -> int:
    with joined(options, given) as peer, suppress(KeyboardInterrupt):
        with vista.timeout(given.timeout):
            asked = node_at(peer, given.at)
        for report in reports(asked, given.interval, given.count, given.timeout):
            _print_report(report, as_json=given.json)
    return DONE


def _print_report(report: Any, *, as_json: bool) -> None:
    width = show.width_of(sys.stdout)
    if as_json:
        print(json_text(report, indent=None), flush=True)
    elif width is None:
        print(f"{text_of(report)}\n", flush=True)
    else:
        lines = show.lines_of_terminal() - LINES_KEPT
        print(f"{_HOME_AND_CLEAR}{text_of(report, width=width, lines_max=lines)}", flush=True)
