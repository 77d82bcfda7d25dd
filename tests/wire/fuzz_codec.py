"""A fuzz target for everything that reads bytes from outside.

Run it by hand from the top of the repository: ``python -m tests.wire.fuzz_codec [ARGUMENTS]``.
Where atheris is installed it guides the search and takes libFuzzer's arguments, such as
``-max_total_time=600``; otherwise hypothesis draws 20,000 examples, or as many as the first
argument says. A failure shows the bytes.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

import hypothesis
from hypothesis import strategies as st

from tests.values.strategies import values
from tests.wire.checks import (
    check_frame_parts,
    check_value_bytes,
    check_value_parts,
    make_codec,
)

EXAMPLES = 20_000


def check(data: bytes) -> None:
    """Feed bytes to every reader, whole and cut into two parts at a place they name."""
    check_value_bytes(data)
    at = data[0] if data else 0
    for parts in ([data], [data[1:at], data[at:]]):
        check_value_parts(parts)
        check_frame_parts(parts)


def spoiled_bytes() -> st.SearchStrategy[bytes]:
    """Garbage, and the bytes of a value with a piece of them replaced."""
    pieces = st.tuples(
        values().map(make_codec().encode), st.integers(0, 200), st.binary(max_size=4)
    )
    return st.one_of(
        st.binary(),
        pieces.map(lambda piece: piece[0][: piece[1]] + piece[2] + piece[0][piece[1] + 1 :]),
    )


def fuzz_with_hypothesis(examples: int) -> int:
    """Check that many examples, and return how many they were."""
    checked = 0

    def check_and_count(data: bytes) -> None:
        nonlocal checked
        check(data)
        checked += 1

    settings = hypothesis.settings(
        max_examples=examples,
        deadline=None,
        database=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    settings(hypothesis.given(spoiled_bytes())(check_and_count))()
    return checked


def main() -> None:
    """Fuzz until a failure or the end of the examples."""
    if importlib.util.find_spec("atheris") is None:
        fuzz_with_hypothesis(int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES)
        return
    atheris = importlib.import_module("atheris")
    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
