"""The command ``vista``: boot an rc file, check one, show classes, open a prompt, ask a node.

Exit codes: 0 when all went well or a signal ended it, 1 when it failed while running, 2 for
mistakes in the command line or in a file. Modules that only one of the commands needs are imported
there: a class list needs no event loop and a boot no prompt.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from vista.errors import (
    KeyFileError,
    NoSuchClass,
    PeerAddressError,
    RcError,
    StoreError,
    VistaError,
)
from vista.shell.log import LEVELS, start_logging
from vista.shell.options import (
    DONE,
    FAILED,
    INTERRUPTED,
    MISTAKEN,
    Parser,
    directory,
    options_of_file,
    take_options,
)
from vista.standard.rc_grammar import did_you_mean

if TYPE_CHECKING:
    from vista.kernel.futures import Future
    from vista.kernel.node import Node
    from vista.kernel.rows import ClassRow
    from vista.shell.member import Member, MemberSignals
    from vista.shell.signals import StopSignals

COLLECT_AFTER_OBJECTS = 10_000
"""New containers between two runs of Python's cyclic collector; its default is 700, a few hundred
messages. Making many objects is 20 to 40 % faster with this; a program that makes a node by itself
keeps the setting it has."""

HELP = """\
usage: vista [OPTIONS] FILE [ARGUMENTS]    run an rc file until told to stop
       vista [OPTIONS] COMMAND [...]       vista COMMAND --help says more

commands:
  repl [FILE [ARGUMENTS]]  a prompt on a running node, which has booted FILE
  check FILE [ARGUMENTS]   find every mistake in an rc file; start nothing
  classes, doc CLASS       the installed classes, and what one of them is for
  keygen, authorize        make this user's keys; let in a peer of another user
  starship, solidstate     of applications: a game here, how replicas are

commands about a running node (--connect URL, --at NODE, --json):
  ps, top, objects, threads, services, peers, classes   what it has and does
  send TARGET METHOD ...   send a message to one of its objects

options (before FILE or COMMAND):
  --keep-going             log a line that fails and go on with the next one
  --name NAME              the name of the node
  --processes N            run FILE in N processes that are one system
  --state DIRECTORY        where it keeps what outlives it (FILE and repl)
  --log-level LEVEL        debug, info (the default), warning, error or critical
  --log-json               log JSON, one object a line
  --version                print the version
  --help                   print this
SIGTERM and SIGINT end it in good order, with exit code 0; a second one at once.
"""


def read_command_line(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; ``words`` is what follows the options.

    Prints and raises `SystemExit` for ``--help``, ``--version`` and mistakes.
    """
    parser = Parser("vista", HELP)
    parser.add_argument("--keep-going", action="store_true")
    parser.add_argument("--name")
    parser.add_argument("--state", type=directory)
    parser.add_argument("--log-level", choices=LEVELS)
    parser.add_argument("--log-json", action="store_true")
    parser.add_argument("--processes", type=_process_count)
    parser.add_argument("--member", type=_member)
    parser.add_argument("--version", action="store_true")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if not options.words and not options.version and options.member is None:
        parser.error("an rc file or a command is missing")
    if (
        options.state is not None
        and options.words
        and options.words[0] in COMMANDS.keys() - {"repl"}
    ):
        parser.error(f"{options.words[0]} keeps nothing: --state is for FILE and repl")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; ``arguments`` are those of the process if None."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    options = read_command_line(given)
    if options.words and options.words[0] not in COMMANDS and options.member is None:
        # Those of the file come first: what is typed says otherwise where it does.
        options = read_command_line([*_options_of(options.words[0]), *given])
    try:
        return _run(options)
    except RcError as error:
        print(error, file=sys.stderr)
        return MISTAKEN
    except (NoSuchClass, KeyFileError, PeerAddressError) as error:
        print(f"vista: {error}", file=sys.stderr)
        return MISTAKEN
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output, such as head, has had enough. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (VistaError, OSError) as error:
        print(f"vista: {error}", file=sys.stderr)
        return FAILED


def _options_of(file_name: str) -> list[str]:
    """The options in the first line of an rc file. Prints and raises `SystemExit` for others."""
    found = options_of_file(file_name)
    if found and read_command_line([*found, file_name]).words != [file_name]:
        print(f"{file_name}:1: vista takes options there, not {' '.join(found)}", file=sys.stderr)
        raise SystemExit(MISTAKEN)
    return found


def _run(options: argparse.Namespace) -> int:
    if options.version:
        return show_version()
    if options.member is not None:
        return run_member(options, options.words)
    name, *words = options.words
    command = COMMANDS.get(name)
    if options.processes is not None:
        return run_processes(options, options.words)
    if command is None:
        return run_file(options, options.words)
    if words[:1] == ["--help"]:
        from vista.shell.command_help import COMMAND_HELP

        print(COMMAND_HELP[name], end="")
        return DONE
    return command(options, words)


def show_version() -> int:
    """``vista --version``."""
    from importlib.metadata import version

    print(f"vista {version('vista')}")
    return DONE


def run_file(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista FILE [ARGUMENTS]``: boot the file and run until a signal or an object stops the
    node."""
    from vista.shell.signals import StopSignals
    from vista.standard.preloading import load_named_classes

    file_name, arguments = words[0], list(words[1:])
    _must_exist(file_name)
    node = _make_node(options, Path(file_name).stem, arguments)
    load_named_classes(node.kernel, file_name)
    signals = StopSignals(node.kernel)
    return _run_node(node, signals, file_name, lambda: _boot(file_name, options.keep_going))


def run_processes(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista --processes N FILE [ARGUMENTS]``: run the file in several processes."""
    from vista.shell.processes import Supervisor

    if words[0] in COMMANDS:
        print(f"vista: --processes goes with an rc file, not with {words[0]}", file=sys.stderr)
        return MISTAKEN
    _must_exist(words[0])
    name = options.name or Path(words[0]).stem
    start_logging(options.log_level or "info", as_json=options.log_json, node=name)
    passed = ["--log-level", options.log_level or "info"]
    if options.log_json:
        passed.append("--log-json")
    first = ["--keep-going"] if options.keep_going else []
    if options.state is not None:
        # One process has a state directory at a time: it is that of the file's objects.
        first += ["--state", str(options.state)]
    return Supervisor(options.processes, name, words, passed, first, as_json=options.log_json).run()


def run_member(options: argparse.Namespace, words: Sequence[str]) -> int:
    """One of the processes of ``vista --processes``: join the others; the first boots the file."""
    # Here, since the node's loop would stand still while ZeroMQ is loaded.
    import vista.peering.sockets  # noqa: F401
    from vista.shell.member import MemberSignals
    from vista.standard.preloading import load_named_classes

    member = options.member
    node = _make_node(options, "process", list(words[1:]))
    if words:
        # The others, too: the file makes objects on every node.
        load_named_classes(node.kernel, words[0])
    signals = MemberSignals(node.kernel, member)

    def boot() -> None:
        member.join(node.kernel.limits.process_link_seconds)
        if member.runs_file:
            _boot(words[0], options.keep_going)

    return _run_node(node, signals, words[0] if member.runs_file else node.name, boot)


def _run_node(
    node: Node, signals: StopSignals | MemberSignals, what: str, boot: Callable[[], object]
) -> int:
    """Run a node with ``boot`` as its first thread until it is stopped or ``boot`` fails."""
    boots: list[Future] = []

    def note_end(boot: Future) -> None:
        if boot.exception() is not None:
            node.kernel.request_stop(f"{what} could not be booted")

    def begin() -> None:
        signals.install()
        boots.append(node.kernel.spawn(boot))
        boots[0].on_done(note_end)

    node.run_main(begin)
    error = boots[0].exception()
    if error is not None and signals.received is None:
        raise error
    # A boot that a signal ended was told to end.
    return DONE


def check(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista check FILE [ARGUMENTS]``: print every mistake, or how many lines are in order."""
    from vista.shell.check import check_file

    _need(words, 1, None, "check FILE [ARGUMENTS]")
    mistakes = check_file(words[0], words[1:], os.environ)
    for mistake in mistakes:
        print(mistake)
    if mistakes:
        return MISTAKEN
    print(f"{words[0]}: no mistakes found")
    return DONE


def classes(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista classes``: the table of the installed classes, or of those that a peer knows."""
    if words:
        return _remote("classes")(options, words)
    from vista.shell import show

    show.print_classes(installed_rows())
    return DONE


def installed_rows() -> list[ClassRow]:
    """A row for each installed class, by name space and name."""
    from vista.kernel.classes import ClassEntry
    from vista.kernel.rows import ClassRow
    from vista.standard.installed import find_installed, installed_classes

    entries = [ClassEntry(cls) for name in installed_classes() if (cls := find_installed(name))]
    entries.sort(key=lambda entry: (entry.namespace, entry.name))
    return [
        ClassRow(
            namespace=entry.namespace,
            name=entry.name,
            version=entry.version,
            objects=0,
            module=entry.cls.__module__,
            summary=entry.doc.partition("\n")[0],
        )
        for entry in entries
    ]


def doc(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista doc CLASS``: the documentation of an installed class."""
    from vista.kernel.classes import ClassEntry
    from vista.shell import show
    from vista.standard.installed import bare_name, find_installed, installed_classes

    _need(words, 1, 1, "doc CLASS")
    name = bare_name(words[0])
    cls = find_installed(name)
    if cls is None:
        raise NoSuchClass(f'no class "{words[0]}"{did_you_mean(name, installed_classes())}')
    show.print_doc(ClassEntry(cls))
    return DONE


def repl(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista repl [--connect URL] [--state DIRECTORY] [FILE [ARGUMENTS]]``: a prompt, with the
    objects FILE names as variables."""
    from vista.shell.repl import run_repl

    taken, rest = take_options(words)
    url = taken.get("--connect")
    options.state = taken.get("--state", options.state)
    file_name = rest[0] if rest else None
    if file_name is not None:
        _must_exist(file_name)
    node = _make_node(options, Path(file_name).stem if file_name else "prompt", rest[1:])
    node.start()
    names: dict[str, object] = {}
    try:
        linked = "" if url is None else _join(node, url, names)
        if file_name is not None:
            names.update(node.call(_boot, file_name, options.keep_going))
    except BaseException:
        node.stop()
        raise
    return run_repl(node, names, file_name, linked)


def _join(node: Node, url: str, names: dict[str, object]) -> str:
    """Link the node of a prompt, put its peer among the names, and return words for the peer."""
    from vista.shell.joining import SCRIPT_SECONDS_MAX, join

    bound = None if sys.stdin.isatty() else SCRIPT_SECONDS_MAX
    names["peer"] = peer = join(node, url, bound, lambda line: print(line, file=sys.stderr))
    return f"{node.call(peer.get_name)} at {url}"


def _remote(name: str) -> Callable[[argparse.Namespace, Sequence[str]], int]:
    """Return what runs a command that asks a running node."""

    def run(options: argparse.Namespace, words: Sequence[str]) -> int:
        from vista.shell.remote import remote_command

        return remote_command(options, name, words)

    return run


def keygen(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista keygen [--force] [--directory D]``: make the key pair of this user's nodes."""
    from vista.peering.keys import config_directory
    from vista.shell.command_help import COMMAND_HELP
    from vista.shell.key_commands import new_key

    parser = Parser("vista keygen", COMMAND_HELP["keygen"])
    parser.add_argument("--force", action="store_true")
    parser.add_argument("--directory", type=Path)
    given = parser.parse_args(words)
    print(new_key(given.directory or config_directory(), force=given.force))
    return DONE


def authorize(options: argparse.Namespace, words: Sequence[str]) -> int:
    """``vista authorize KEY USER RIGHTS [--directory D]``: say who else may link to this user's
    nodes; ``--list`` shows them, ``--remove KEY`` takes one out."""
    from vista.peering.keys import config_directory
    from vista.shell import key_commands
    from vista.shell.command_help import COMMAND_HELP

    parser = Parser("vista authorize", COMMAND_HELP["authorize"])
    parser.add_argument("--directory", type=Path)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true")
    what.add_argument("--remove", metavar="KEY")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args(words)
    directory = given.directory or config_directory()
    if given.list or given.remove is not None:
        _need(given.words, 0, 0, "authorize --list or authorize --remove KEY")
        if given.list:
            lines = key_commands.list_peers(directory)
        else:
            lines = [key_commands.remove(directory, given.remove)]
    else:
        _need(given.words, 3, 3, "authorize KEY USER RIGHTS")
        lines = [key_commands.authorize(directory, *given.words)]
    for line in lines:
        print(line)
    return DONE


def _of_application(name: str) -> Callable[[argparse.Namespace, Sequence[str]], int]:
    """Return what runs a command that an installed application has."""

    def run(options: argparse.Namespace, words: Sequence[str]) -> int:
        from vista.standard.installed import find_command

        found = find_command(name)
        if found is None:
            print(f"vista: the application that has {name} is not installed", file=sys.stderr)
            return MISTAKEN
        return found(words)

    return run


COMMANDS: Mapping[str, Callable[[argparse.Namespace, Sequence[str]], int]] = MappingProxyType(
    {
        "authorize": authorize,
        "check": check,
        "classes": classes,
        "doc": doc,
        "keygen": keygen,
        "repl": repl,
        "solidstate": _of_application("solidstate"),
        "starship": _of_application("starship"),
        **{
            name: _remote(name)
            for name in ("objects", "peers", "ps", "send", "services", "threads", "top")
        },
    }
)
"""The words that are commands; any other first word is the name of an rc file."""


def _need(words: Sequence[str], least: int, most: int | None, usage: str) -> None:
    if len(words) < least or (most is not None and len(words) > most):
        print(f"vista: usage: vista {usage}", file=sys.stderr)
        raise SystemExit(MISTAKEN)


def _must_exist(file_name: str) -> None:
    path = Path(file_name)
    if path.exists():
        return
    beside = [str(other) for other in path.parent.glob("*.rc")]
    commands = [f"vista {command}" for command in COMMANDS]
    near = did_you_mean(file_name, beside) or did_you_mean(f"vista {file_name}", commands)
    raise RcError(f"{file_name}: No such file or directory{near}")


def _process_count(text: str) -> int:
    from vista.shell.processes import process_count

    return process_count(text)


def _member(text: str) -> Member:
    from vista.shell.member import Member

    return Member.parse(text)


def _make_node(options: argparse.Namespace, name: str, arguments: list[str]) -> Node:
    """Make a node called ``name`` unless the command line has another name for it."""
    from vista.kernel.node import Node

    try:
        node = Node(
            options.name or name, settings={"arguments": arguments}, state_directory=options.state
        )
    except StoreError as error:
        print(f"vista: {error}", file=sys.stderr)
        raise SystemExit(MISTAKEN) from None
    several = "" if options.member is None else options.name
    start_logging(options.log_level or "info", as_json=options.log_json, node=several)
    gc.set_threshold(COLLECT_AFTER_OBJECTS, 10, 10)
    return node


def _boot(file_name: str, keep_going: bool) -> Mapping[str, object]:
    """Run an rc file on the node whose thread calls; returns the objects it keeps under names."""
    from vista.standard.creator import boot

    return boot(file_name, keep_going=keep_going)
