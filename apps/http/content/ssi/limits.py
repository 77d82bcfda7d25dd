"""The bounds of one page made by server-side includes, each with its unit and its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from apps.http.errors import BadLimitError


@dataclass(frozen=True, slots=True, kw_only=True)
class SsiLimits:
    """The bounds of a page. Every field is a positive whole number; units end the names.

    What is over a bound that holds for one thing gets the error text in its place; where a bound of
    the whole page is reached, the page ends with the error text.
    """

    output_chars_max: int = 16 * 1024 * 1024
    """Characters of the whole page. Files that include each other twice make much of little."""

    steps_max: int = 20_000
    """Directives of the whole page, those not shown counted too. One counts once more for every 128
    characters it has, a match of a regular expression four times and once for every 8 characters it
    reads. A page of nothing but the slowest ones takes 2 to 3 seconds."""

    loads_max: int = 256
    """Files and objects the whole page asks its loader for, each a walk on the disk or a call."""

    depth_max: int = 16
    """Documents open at once, each included by the one before. Sites nest three or four."""

    directive_chars_max: int = 8_192
    """Characters of one directive; so far is looked for its end."""

    attributes_max: int = 32
    """Attributes of one directive; only calls have more than two."""

    branches_max: int = 64
    """``if`` directives open at once in a document."""

    expression_depth_max: int = 32
    """Parentheses open at once in an expression."""

    pattern_chars_max: int = 512
    """Characters of a regular expression."""

    value_chars_max: int = 8_192
    """Characters of a variable or an attribute after substitution. Without it a page of forty times
    ``set`` to twice what it was would need a terabyte."""

    variables_max: int = 1_024
    """Variables a page may set."""

    problems_max: int = 32
    """Mistakes of a page that are told to the log; the others show on the page only."""

    def validate(self) -> None:
        """Check each bound. Raises `BadLimitError` that names the first mistake."""
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or not 0 < value < math.inf:
                raise BadLimitError(
                    f"limit {field.name} must be a positive whole number, not {value!r}"
                )
        if self.output_chars_max < self.value_chars_max:
            raise BadLimitError("limit output_chars_max must be at least value_chars_max")
