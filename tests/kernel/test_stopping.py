"""What a node still does when it is told to stop."""

from __future__ import annotations

import vista

POSTS = 50_000
"""Messages for many turns of the loop, and fewer than a mailbox takes."""

_written: list[int] = []


class StoppingScribe(vista.Object):
    """Writes where a test can read after the end of its node."""

    def write(self, number: int) -> None:
        _written.append(number)


def test_a_node_that_stops_carries_out_what_was_sent_before() -> None:
    _written.clear()

    def pour() -> None:
        scribe = vista.create(StoppingScribe)
        for number in range(POSTS):
            scribe.write.post(number)
        node.kernel.request_stop("by the test")

    with vista.Node() as node:
        node.call(pour)
    assert _written == list(range(POSTS))
