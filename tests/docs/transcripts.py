"""Running the transcripts that documents show."""

from __future__ import annotations

import doctest


def run_transcript(text: str, names: dict[str, object], where: str) -> list[str]:
    """Run the ``>>>`` lines of ``text`` and return what came out other than it shows.

    Raises `AssertionError` when there is no example in it.
    """
    test = doctest.DocTestParser().get_doctest(text, names, where, where, 0)
    assert test.examples, f"{where} shows no example"
    said: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=flags).run(test, out=said.append, clear_globs=False)
    return said
