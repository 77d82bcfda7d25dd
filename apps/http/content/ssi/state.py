"""A page while it is made: what is written, what it depends on, its variables and its bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from apps.http.content.ssi.errors import DirectiveError, PageBoundError
from apps.http.content.ssi.formats import GMT, TIME_FORMAT, Zone, format_time
from apps.http.content.ssi.limits import SsiLimits
from apps.http.content.ssi.loading import Path, show
from apps.http.content.ssi.patterns import search
from apps.http.content.ssi.substitution import encode, substitute

ERROR_TEXT = "[an error occurred while processing this directive]"
"""What stands for a directive that cannot be carried out, unless ``config errmsg`` says else."""
UNKNOWN_TEXT = "(none)"
"""What ``echo`` writes for a variable nobody set, unless the page says else."""
GROUPS = tuple("0123456789")
"""The names of what the last regular expression matched, and of its groups."""

# What keeps a step of a regular expression within 0.1 ms: up to 0.4 ms to compile it, up to 75 ms
# for a text of 8,192 characters.
_MATCH_STEPS, _MATCH_CHARS_A_STEP = 4, 8


@dataclass(frozen=True, slots=True)
class Forms:
    """What ``config`` sets."""

    errmsg: str = ERROR_TEXT
    echomsg: str = UNKNOWN_TEXT
    timefmt: str = TIME_FORMAT
    sizefmt: str = "abbrev"


@dataclass(frozen=True, slots=True)
class Origin:
    """What a page is made for and from.

    ``environment`` holds the variables of the request; ``now`` and ``modified``, when the source
    was changed, are seconds since 1970; ``zone`` is the one of local times.
    """

    environment: Mapping[str, str]
    now: float
    path: Path
    modified: float | None
    zone: Zone


class PageState:
    """One page while it is made; also the `Scope` of its expressions.

    What goes over a bound of the whole page raises `PageBoundError`.
    """

    def __init__(self, origin: Origin, limits: SsiLimits) -> None:
        self.origin = origin
        self.forms = Forms()
        """Those of the document that is carried out."""
        self.written: list[str] = []
        self.dependencies: set[Path] = set()
        self.expires: float | None = None
        self.asked: set[str] = set()
        """The variables of the environment that were asked for."""
        self.problems: list[str] = []
        self._limits = limits
        self._set: dict[str, str] = {}
        self._groups: tuple[str, ...] = ()
        self._chars = self._steps = self._loads = 0

    def write(self, text: str, encoding: str = "none") -> None:
        """Add a text to the page, written as ``encoding`` wants it."""
        # Before it is encoded, too: the text of an object may be longer than any page.
        self._check_length(len(text))
        encoded = encode(text, encoding)
        self._check_length(len(encoded))
        self._chars += len(encoded)
        self.written.append(encoded)

    def _check_length(self, more: int) -> None:
        if self._chars + more > self._limits.output_chars_max:
            raise PageBoundError(
                f"longer than output_chars_max = {self._limits.output_chars_max} characters"
            )

    def count_steps(self, steps: int) -> None:
        """Take note of work that is done."""
        self._steps += steps
        if self._steps > self._limits.steps_max:
            raise PageBoundError(f"more than steps_max = {self._limits.steps_max} steps")

    def count_load(self) -> None:
        """Take note that the loader is asked."""
        self._loads += 1
        if self._loads > self._limits.loads_max:
            raise PageBoundError(f"more than loads_max = {self._limits.loads_max} things asked for")

    def expire(self, at: float | None) -> None:
        """Take note that the page holds something that is good until ``at``; None: for ever."""
        if at is not None and (self.expires is None or at < self.expires):
            self.expires = at

    def note(self, source: str, position: int, path: Path, problem: Exception) -> None:
        """Keep a mistake for the log, if there are not too many."""
        if len(self.problems) < self._limits.problems_max:
            before = source[:position]
            line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
            self.problems.append(f"{show(path)}:{line}:{column}: {problem}")

    def text(self, written: str) -> str:
        """Return a text with its variables put in. Raises `DirectiveError` for a bad one."""
        return substitute(written, self.lookup, self._limits.value_chars_max)

    def matches(self, pattern: str, text: str) -> bool:
        """Tell whether a regular expression matches somewhere in a text, and keep its groups."""
        self.count_steps(_MATCH_STEPS + len(text) // _MATCH_CHARS_A_STEP)
        found = search(pattern, text, self._limits.pattern_chars_max)
        self._groups = found or ()
        return found is not None

    def lookup(self, name: str) -> str | None:
        """Return a variable: what the page set, of the request or built in; None for no such."""
        if name in GROUPS:
            number = int(name)
            return self._groups[number] if number < len(self._groups) else None
        if name in self._set:
            return self._set[name]
        self.asked.add(name)
        if name in self.origin.environment:
            return self.origin.environment[name]
        built_in = _BUILT_IN.get(name)
        return built_in(self) if built_in else None

    def set_variable(self, name: str, value: str) -> None:
        """Set a variable for the rest of the page. Raises `DirectiveError` when it has too many."""
        if name not in self._set and len(self._set) >= self._limits.variables_max:
            raise DirectiveError(f"more than variables_max = {self._limits.variables_max} are set")
        self._set[name] = value

    def names(self) -> list[str]:
        """Return the names of all variables in order."""
        return sorted({*_BUILT_IN, *self.origin.environment, *self._set})

    def time(self, seconds: float, zone: Zone | None = None) -> str:
        """Return a time as the document wants it, in local time if no ``zone`` is named."""
        return format_time(seconds, self.forms.timefmt, zone or self.origin.zone)

    def _present(self, zone: Zone) -> str:
        self.expire(self.origin.now // 1 + 1)
        return self.time(self.origin.now, zone)

    def _last_modified(self) -> str | None:
        modified = self.origin.modified
        return None if modified is None else self.time(modified)


_BUILT_IN: dict[str, Callable[[PageState], str | None]] = {
    "DATE_GMT": lambda state: state._present(GMT),
    "DATE_LOCAL": lambda state: state._present(state.origin.zone),
    "DOCUMENT_NAME": lambda state: "".join(state.origin.path[-1:]),
    "DOCUMENT_URI": lambda state: show(state.origin.path),
    "LAST_MODIFIED": PageState._last_modified,
}
