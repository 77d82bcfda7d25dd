"""From the source of a page to the page: carries out its directives, one after the other.

Three rules. Nothing a page or a visitor writes stops it: a mistake becomes the error text, in its
place, and what was meant to stand there is not shown; where an ``if`` cannot be decided none of its
branches is, since it may be a rule about who sees what. Values are escaped unless the page says
otherwise, and never read for directives. Everything is bounded by `SsiLimits`.

Variables belong to the whole page: what an included document sets, its includer sees. ``config``
holds in its own document and in those it includes.

==========  ===============================  ==========  ==============
branch is   ``elif``                         ``else``    ``endif``
==========  ===============================  ==========  ==============
WAITING     holds: SHOWN, not: WAITING,      SHOWN       ends
            cannot be decided: OVER
SHOWN       OVER                             OVER        ends
OVER        OVER                             OVER        ends
==========  ===============================  ==========  ==============

After ``else`` an ``elif`` or a second ``else`` is a mistake, and the branch is OVER.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from functools import lru_cache

from apps.http.content.ssi.errors import DirectiveError, LoadFailed, PageBoundError
from apps.http.content.ssi.expressions import parse_expression
from apps.http.content.ssi.formats import (
    GMT,
    Zone,
    check_size_format,
    check_time_format,
    format_size,
)
from apps.http.content.ssi.grammar import Directive, Text, parse_page
from apps.http.content.ssi.limits import SsiLimits
from apps.http.content.ssi.loading import Loader, Path, place_file, place_virtual, show
from apps.http.content.ssi.state import GROUPS, Forms, Origin, PageState
from apps.http.content.ssi.substitution import check_encoding, check_name


@dataclass(frozen=True, slots=True)
class Page:
    """A finished page and what has to be known to keep it."""

    text: str
    dependencies: frozenset[Path]
    """The paths whose change changes the page, those where nothing was found included."""
    expires: float | None
    """Until when the page is good, in seconds since 1970; None: until one of them changes."""
    variables: frozenset[str]
    """The variables of the environment that the page asked for. It is good for the requests which
    have the same values for these, or have none where this one had none."""
    problems: tuple[str, ...]
    """The mistakes in it, as ``/path:line:column: what``, for the log."""


def process(
    source: str,
    environment: Mapping[str, str],
    loader: Loader,
    now: float,
    *,
    path: Path = ("",),
    modified: float | None = None,
    zone: Zone = GMT,
    limits: SsiLimits | None = None,
) -> Page:
    """Make the page that ``source`` describes.

    ``environment`` holds the variables of the request, such as ``QUERY_STRING``; ``loader`` gets
    whatever else the page asks for. ``now`` and ``modified``, when the source was changed, are
    seconds since 1970; ``path`` is where the source stands, which relative addresses start from.
    ``zone`` is the one of local times. Raises nothing for any source; what the loader raises beside
    `LoadFailed` is passed on. The original class: ``HTTP_SSIprocessor``.

    >>> class Nothing:
    ...     pass
    >>> process('Hi <!--#echo var="who" -->', {"who": "<Ann>"}, Nothing(), 0).text
    'Hi &lt;Ann&gt;'
    """
    origin = Origin(environment, now, path, modified, zone)
    return _Maker(loader, origin, limits or SsiLimits()).make(source)


# A long expression takes 0.8 us a character, a long value with many variables half of it. So a
# step stays within 0.1 ms, as one of a regular expression does.
_CHARS_A_STEP = 128


KEPT_CHARS_MAX = 16_384
"""Characters of a document whose parts are kept."""
KEPT_MAX = 128
"""Documents whose parts are kept: to take one apart is half of making a page. Usual ones have less
than a MiB in all, and 80 MiB if each is as long as may be and nothing but mistakes."""


@lru_cache(maxsize=KEPT_MAX)
def _kept_parts(source: str, limits: SsiLimits) -> tuple[Text | Directive, ...]:
    return tuple(parse_page(source, limits))


def _parts(source: str, limits: SsiLimits) -> Iterable[Text | Directive]:
    if len(source) > KEPT_CHARS_MAX:
        return parse_page(source, limits)
    return _kept_parts(source, limits)


class _State(Enum):
    WAITING = auto()
    """No branch was taken yet."""
    SHOWN = auto()
    """This branch is taken."""
    OVER = auto()
    """No further branch will be taken."""


@dataclass(slots=True)
class _Branch:
    """An ``if`` that is open; ``outside`` tells whether what stands around it is shown."""

    state: _State
    outside: bool
    opened: Directive
    after_else: bool = False


@dataclass(slots=True)
class _Frame:
    """A document that is open: ``trail`` holds the paths from the page down to this one."""

    source: str
    trail: tuple[Path, ...]
    forms: Forms
    branches: list[_Branch] = field(default_factory=list)

    @property
    def path(self) -> Path:
        return self.trail[-1]

    @property
    def shown(self) -> bool:
        return not self.branches or self.branches[-1].state is _State.SHOWN


class _Maker:
    """Carries out the directives of one page."""

    def __init__(self, loader: Loader, origin: Origin, limits: SsiLimits) -> None:
        self._loader = loader
        self._limits = limits
        self._state = PageState(origin, limits)

    def make(self, source: str) -> Page:
        state = self._state
        frame = _Frame(source, (state.origin.path,), state.forms)
        try:
            self._document(frame)
        except PageBoundError as error:
            state.note("", 0, frame.path, error)
            state.written.append(state.forms.errmsg)
        return Page(
            "".join(state.written),
            frozenset(state.dependencies),
            state.expires,
            frozenset(state.asked),
            tuple(state.problems),
        )

    # Documents and their branches

    def _document(self, frame: _Frame) -> None:
        for part in _parts(frame.source, self._limits):
            self._state.forms = frame.forms
            if isinstance(part, Text):
                if frame.shown:
                    self._state.write(part.text)
                continue
            self._state.count_steps(1 + part.chars // _CHARS_A_STEP)
            if branching := _BRANCHING.get(part.name):
                branching(self, frame, part)
            elif frame.shown:
                self._attempt(frame, part)
        for branch in frame.branches:
            if branch.outside:
                self._fail(frame, branch.opened, DirectiveError("if without endif"))

    def _attempt(self, frame: _Frame, directive: Directive) -> None:
        try:
            if directive.mistake is not None:
                raise DirectiveError(*directive.mistake.args)
            _DIRECTIVES[directive.name](self, frame, directive)
        except DirectiveError as error:
            if isinstance(error, LoadFailed):
                # It may be there the next moment, and nobody says when.
                self._state.expire(self._state.origin.now)
            self._fail(frame, directive, error)

    def _if(self, frame: _Frame, directive: Directive) -> None:
        if len(frame.branches) >= self._limits.branches_max:
            raise PageBoundError(f"more than branches_max = {self._limits.branches_max} if open")
        branch = _Branch(_State.OVER, frame.shown, directive)
        if branch.outside:
            branch.state = self._decide(frame, directive)
        frame.branches.append(branch)

    def _decide(self, frame: _Frame, directive: Directive) -> _State:
        """Tell what becomes of a branch by its expression."""
        try:
            if directive.mistake is not None:
                raise DirectiveError(*directive.mistake.args)
            written = directive.get("expr") or ""
            expression = parse_expression(written, self._limits.expression_depth_max)
            return _State.SHOWN if expression.holds(self._state) else _State.WAITING
        except DirectiveError as error:
            self._fail(frame, directive, error)
            return _State.OVER

    def _elif(self, frame: _Frame, directive: Directive) -> None:
        branch = self._open_branch(frame, directive)
        if branch is None:
            return
        waiting = branch.state is _State.WAITING
        branch.state = _State.OVER
        if branch.after_else:
            self._misplaced(frame, directive, branch)
        elif waiting:
            branch.state = self._decide(frame, directive)

    def _else(self, frame: _Frame, directive: Directive) -> None:
        branch = self._open_branch(frame, directive)
        if branch is None:
            return
        waiting = branch.state is _State.WAITING
        branch.state = _State.OVER
        if branch.after_else:
            self._misplaced(frame, directive, branch)
        elif directive.mistake is not None:
            if branch.outside:
                self._fail(frame, directive, directive.mistake)
        elif waiting:
            branch.state = _State.SHOWN
        branch.after_else = True

    def _endif(self, frame: _Frame, directive: Directive) -> None:
        if self._open_branch(frame, directive) is None:
            return
        frame.branches.pop()
        if directive.mistake is not None and frame.shown:
            self._fail(frame, directive, directive.mistake)

    def _open_branch(self, frame: _Frame, directive: Directive) -> _Branch | None:
        if not frame.branches:
            self._fail(frame, directive, DirectiveError(f"{directive.name} without if"))
            return None
        return frame.branches[-1]

    def _misplaced(self, frame: _Frame, directive: Directive, branch: _Branch) -> None:
        if branch.outside:
            self._fail(frame, directive, DirectiveError(f"{directive.name} after else"))

    # Directives that write

    def _include(self, frame: _Frame, directive: Directive) -> None:
        path, query = self._place(frame, directive)
        if path in frame.trail:
            way = " -> ".join(show(one) for one in (*frame.trail, path))
            raise DirectiveError(f"the document includes itself: {way}")
        if len(frame.trail) >= self._limits.depth_max:
            raise DirectiveError(f"more than depth_max = {self._limits.depth_max} documents open")
        self._state.count_load()
        document = self._loader.load(path, query)
        self._state.expire(document.expires)
        if document.processed:
            self._document(_Frame(document.text, (*frame.trail, path), frame.forms))
        else:
            self._state.write(document.text)

    def _echo(self, frame: _Frame, directive: Directive) -> None:
        name = directive.get("var") or ""
        value = self._state.lookup(name if name in GROUPS else check_name(name))
        if value is None and (default := directive.get("default")) is not None:
            value = self._state.text(default)
        encoding = _encoding(directive)
        if value is None:
            self._state.write(frame.forms.echomsg)
        else:
            self._state.write(value, encoding)

    def _call(self, frame: _Frame, directive: Directive) -> None:
        # Object and method are as written: no visitor says whom a page calls.
        name, method = directive.get("object") or "", directive.get("method") or ""
        encoding = _encoding(directive)
        arguments = tuple(self._state.text(written) for written in directive.get_all("arg"))
        self._state.count_load()
        answer = self._loader.call(name, method, arguments)
        self._state.expire(self._state.origin.now if answer.expires is None else answer.expires)
        self._state.write(answer.text, encoding)

    def _file_size(self, frame: _Frame, directive: Directive) -> None:
        path, _ = self._place(frame, directive)
        self._state.count_load()
        self._state.write(format_size(self._loader.look(path).size, frame.forms.sizefmt))

    def _file_time(self, frame: _Frame, directive: Directive) -> None:
        path, _ = self._place(frame, directive)
        self._state.count_load()
        self._state.write(self._state.time(self._loader.look(path).modified))

    def _print_environment(self, frame: _Frame, directive: Directive) -> None:
        # It shows all there is to know of one request: no other one gets it.
        self._state.expire(self._state.origin.now)
        for name in self._state.names():
            value = self._state.lookup(name)
            if value is not None:
                self._state.write(f"{name}={value}\n", "entity")

    # Directives that do not

    def _set_variable(self, frame: _Frame, directive: Directive) -> None:
        name = check_name(directive.get("var") or "")
        value = self._state.text(directive.get("value") or "")
        self._state.set_variable(name, value)

    def _configure(self, frame: _Frame, directive: Directive) -> None:
        for name, value in directive.attributes:
            check = _CHECKED.get(name)
            frame.forms = replace(frame.forms, **{name: check(value) if check else value})

    # What they share

    def _place(self, frame: _Frame, directive: Directive) -> tuple[Path, str]:
        """Return the path and query that a directive names, which the page depends on."""
        name = directive.get("file")
        if name is not None:
            path, query = place_file(self._state.text(name), frame.path), ""
        else:
            path, query = place_virtual(
                self._state.text(directive.get("virtual") or ""), frame.path
            )
        self._state.dependencies.add(path)
        return path, query

    def _fail(self, frame: _Frame, directive: Directive, error: DirectiveError) -> None:
        self._state.note(frame.source, directive.position, frame.path, error)
        self._state.write(frame.forms.errmsg)


def _encoding(directive: Directive) -> str:
    return check_encoding(directive.get("encoding") or "entity")


_BRANCHING: dict[str, Callable[[_Maker, _Frame, Directive], None]] = {
    "if": _Maker._if,
    "elif": _Maker._elif,
    "else": _Maker._else,
    "endif": _Maker._endif,
}
_DIRECTIVES: dict[str, Callable[[_Maker, _Frame, Directive], None]] = {
    "include": _Maker._include,
    "echo": _Maker._echo,
    "set": _Maker._set_variable,
    "config": _Maker._configure,
    "fsize": _Maker._file_size,
    "flastmod": _Maker._file_time,
    "printenv": _Maker._print_environment,
    "call": _Maker._call,
}
_CHECKED = {"timefmt": check_time_format, "sizefmt": check_size_format}
