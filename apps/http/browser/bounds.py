"""Every bound of the object browser, with its unit and its reason."""

from __future__ import annotations

from typing import Final

NODES_MAX: Final = 64
"""Nodes that are asked for one page and drawn: more circles than a person tells apart."""

ROWS_MAX: Final = 100
"""Rows of a table on one page; a node with 100,000 objects has a thousand such pages."""

VARIABLES_MAX: Final = 200
"""Instance variables of an object that are shown."""

METHODS_MAX: Final = 100
"""Methods in the list of the slowest."""

GRAPHED_LINKS_MAX: Final = 512
"""Links that are drawn: a mesh of 32 nodes has 496, and is a black disc already."""

VALUE_CHARACTERS_MAX: Final = 4_000
"""Characters of a variable's value: a screen or two."""

RESULT_CHARACTERS_MAX: Final = 20_000
"""Characters of the result of a message that was sent by hand."""

STACK_CHARACTERS_MAX: Final = 4_000
"""Characters of a thread's stack, its end if it is longer: that is where the thread is."""

TEXT_CHARACTERS_MAX: Final = 10_000
"""Characters of documentation and of errors."""

ARGUMENTS_CHARACTERS_MAX: Final = 20_000
"""Characters of the arguments that are typed into a form."""

ARGUMENTS_DEPTH_MAX: Final = 50
"""Containers nested in an argument that is typed in; half of what a value may have."""

FORM_FIELDS_MAX: Final = 16
"""Fields of a form; the largest has four."""

NAME_CHARACTERS_MAX: Final = 255
"""Characters of a name or a pattern that is asked for, as long as names of vista may be."""

ANSWER_SECONDS: Final = 3.0
"""How long a page waits for a node: one that is silent so long is shown as such."""

SEND_SECONDS: Final = 20.0
"""How long the result of a message is awaited that was sent by hand, with a person looking."""

SESSIONS_MAX: Final = 32
"""Sessions at a time; the one that was idle longest ends for the next. Each has a key of 32 bytes
and what it saw last."""

SESSION_SECONDS: Final = 12 * 3600.0
"""How long a session is kept that nobody uses: over lunch, not over the weekend."""

LIVE_SECONDS: Final = 3.0
"""How often a page that is looked at is made again. A link that carries something every two seconds
is not pinged (``ping_seconds``), and its round trip not known."""

LIVE_MAX: Final = 32
"""Pages that are kept live at a time, of all sessions. Each asks its nodes all the time."""

FEED_CLIENTS_MAX: Final = 16
"""Windows in which one session has the same page open."""

PART_BYTES_MAX: Final = 48 * 1024
"""Bytes of a part of a page that are sent as one event, which may have 64 KiB with its quoting."""

RATES_KEPT: Final = 60
"""Looks at a node that are remembered for its curve: three minutes of a page that is open."""

NODES_REMEMBERED_MAX: Final = 256
"""Nodes whose looks are remembered: four times those that are asked."""
