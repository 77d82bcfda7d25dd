"""Every error of the game, in one tree.

::

    StarshipError
    |-- ThemeError       a theme that cannot be used (a ValueError)
    |-- ScenarioError    a state or a scenario that describes no galaxy (a ValueError)
    |-- MergeError       two results for one unit of a step (a RuntimeError)
    |-- BadAddress       an address is no URL of a web site (a ValueError)
    `-- NoAnswer         a game's server cannot be reached (an OSError)

What a captain orders and may not is no error but a `Refusal`, which is shown to him.
"""

from __future__ import annotations


class StarshipError(Exception):
    """The root of every error the game raises by itself."""


class ThemeError(StarshipError, ValueError):
    """A theme cannot be used; the text says what is wrong with it."""


class ScenarioError(StarshipError, ValueError):
    """A state, a scenario or settings describe no galaxy; the text says where."""


class MergeError(StarshipError, RuntimeError):
    """Two deltas of one step are for the same unit, or one is for no unit there is."""


class BadAddress(StarshipError, ValueError):
    """An address is no URL of a web site."""


class NoAnswer(StarshipError, OSError):
    """A game's server cannot be reached, or what answers is none."""
