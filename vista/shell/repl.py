"""The prompt: IPython in the main thread, the node in a background thread. IPython only here.

A call typed at the prompt blocks the prompt's thread, so ``counter.increment(2)`` prints ``7``, and
Ctrl-C ends the wait. IPython brings editing, history, TAB and ``?``; this module teaches it Refs,
tables and tracebacks without machinery, through its public hooks only. IPython is loaded when a
terminal asks for it: a script on the standard input starts without.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vista.shell import failure, show
from vista.shell.history import writable_state_directory
from vista.shell.script import EXIT_DONE, Script, main_module
from vista.shell.session import Session
from vista.shell.signals import LeaveSignals, tell_subscribers
from vista.shell.source import PromptSource

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

    from vista.kernel.node import Node

_MATCHER_PRIORITY = 100.0
"""Above IPython's own matchers (0 to 60): ours is asked first and can set the others aside."""


def run_repl(
    node: Node,
    namespace: dict[str, object] | None = None,
    rc_file: str | None = None,
    linked: str = "",
) -> int:
    """Read, evaluate and print on a running node until the user leaves; return the exit code.

    ``node`` runs in a background thread; it is stopped at the end, subscribers of
    ``ShutdownService`` told. SIGTERM and SIGHUP end a prompt as Ctrl-D does. ``namespace`` holds
    variables the prompt begins with besides vista's own, such as the Refs an rc file kept under
    names; ``rc_file`` is the name of that file and ``linked`` says who its peer is, for
    the banner. Without a terminal on the standard input what comes in is run as a script, and the
    code is 1 when that fails.
    """
    with node:
        session = Session(node, namespace or {}, rc_file, linked)
        try:
            if not sys.stdin.isatty():
                return Script(session.module, sys.stdout, sys.stderr).run(sys.stdin.read())
            return _converse(session)
        finally:
            tell_subscribers(node, "the prompt was left")


def _converse(session: Session) -> int:
    """Run IPython on a session until the user leaves."""
    directory = writable_state_directory()
    if directory is None:
        print("The state directory cannot be written: this session leaves no history.")
    with tempfile.TemporaryDirectory() as profile, main_module(session.module):
        history = ":memory:" if directory is None else str(directory / "history.sqlite")
        shell = make_shell(session, history, profile)
        LeaveSignals(shell.ask_exit).install()
        print(session.banner)
        # How a signal ends it; `exit` and Ctrl-D return.
        with contextlib.suppress(SystemExit):
            shell.mainloop()
        type(shell).clear_instance()
    return EXIT_DONE


def make_shell(session: Session, history: str, profile: str) -> Any:
    """Return an IPython shell for a session.

    ``history`` is the name of its history file, ``profile`` a directory for IPython's own files,
    which vista has no use for: the user's IPython profile does not apply here, so that a prompt is
    the same everywhere. Its type stays open because IPython annotates only parts of itself.
    """
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from traitlets.config import Config

    config = Config()
    settings = config.TerminalInteractiveShell
    settings.confirm_exit = False
    settings.term_title = False
    if os.environ.get("NO_COLOR"):
        settings.colors = "nocolor"
    # A top-level await would run on a loop of IPython's own; vista.wait uses the node's.
    settings.autoawait = False
    config.HistoryManager.hist_file = history
    # Jedi guesses from source text; Refs have their methods elsewhere.
    config.Completer.use_jedi = False
    shell: Any = TerminalInteractiveShell.instance(
        config=config, ipython_dir=profile, user_module=session.module
    )
    _show_tables(shell)
    _complete_names(shell, session)
    _describe_refs(shell, session)
    _hide_machinery(shell)
    _keep_sources(shell, session)
    return shell


def _show_tables(shell: Any) -> None:
    """Show lists of rows as tables when they are the value of what was typed."""
    formatter = shell.display_formatter.formatters["text/plain"]

    def printer_for(default: Callable[[Any, Any, bool], None]) -> Callable[[Any, Any, bool], None]:
        def print_value(value: Any, page: Any, cycle: bool) -> None:
            outermost = len(page.stack) == 1
            width = shutil.get_terminal_size().columns
            text = show.display(value, width=width) if outermost else None
            if text is None:
                default(value, page, cycle)
            else:
                page.text(text)

        return print_value

    for kind in (list, tuple, dict):
        formatter.for_type(kind, printer_for(formatter.lookup_by_type(kind)))


def _complete_names(shell: Any, session: Session) -> None:
    """Offer Ids, services, classes and the methods of Refs at TAB."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    @context_matcher(identifier="vista", priority=_MATCHER_PRIORITY)  # type: ignore[untyped-decorator]
    def match(context: CompletionContext) -> SimpleMatcherResult:
        lines = context.full_text.split("\n")[: context.cursor_line + 1]
        lines[-1] = lines[-1][: context.cursor_position]
        found = session.completer.complete("\n".join(lines))
        return {
            "completions": [SimpleCompletion(text) for text in found.candidates],
            "matched_fragment": found.word,
            "suppress": found.alone,
            "ordered": True,
        }

    shell.Completer.custom_matchers.append(match)


def _describe_refs(shell: Any, session: Session) -> None:
    """Let ``ref?`` and ``ref.method?`` ask the object, and leave other names to IPython."""
    for name in ("pinfo", "pinfo2"):
        default = shell.find_line_magic(name)

        def describe(line: str, default: Callable[[str], None] = default) -> None:
            text = session.about(line.strip())
            if text is None:
                default(line)
            else:
                print(text)

        shell.register_magic_function(describe, "line", name)


def _hide_machinery(shell: Any) -> None:
    """Show exceptions without the machinery, or in one line; ``%tb full`` shows the last whole."""
    last: list[BaseException] = []

    def on_error(
        shell: Any,
        kind: type[BaseException],
        error: BaseException,
        entries: TracebackType | None,
        tb_offset: int | None = None,
    ) -> None:
        last[:] = [error]
        if failure.is_brief(error):
            print(failure.in_one_line(error))
            return
        with failure.machinery_hidden(error):
            shell.showtraceback((kind, error, error.__traceback__), tb_offset=0)

    default = shell.find_line_magic("tb")

    def tb(line: str) -> None:
        """Show the last exception again; ``%tb full`` with every frame."""
        if line.strip() == "full" and last:
            print(failure.in_full(last[0]))
        else:
            default(line)

    shell.set_custom_exc((Exception, KeyboardInterrupt), on_error)
    shell.register_magic_function(tb, "line", "tb")


def _keep_sources(shell: Any, session: Session) -> None:
    """Let ``inspect.getsource`` and ``Class??`` find the classes typed here."""
    source = PromptSource(session.module)

    def note(result: Any) -> None:
        source.note(result.info.transformed_cell or "")

    shell.events.register("post_run_cell", note)
