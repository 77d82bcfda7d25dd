"""The bounds of sessions that a group of servers keeps, each with its unit and its reason."""

from __future__ import annotations

SESSION_SECONDS = 86_400.0
"""How long a session stays in which nothing was changed: who fills a cart comes back next morning.
By the time that replicas agree on."""

UNUSED_SECONDS = 3_600.0
"""How long a session stays in which nothing ever was: floods are made of those."""

TOUCH_SECONDS = 900.0
"""How long a server shows pages of a session before it tells the group again that it is used: a
quarter of `UNUSED_SECONDS`, so that nobody's ends under his eyes. Where a class has its sessions
end sooner, a quarter of that."""

RETIRE_SECONDS = 600.0
"""How often a server has the group forget sessions that are over. It costs about a millisecond for
a thousand sessions, and nothing hangs on the minute."""

ANSWERS_MAX = 100
"""Answers that a session keeps for forms that come again: far more than a person has open at once;
a thousand, as others have, would make each session as large as somebody wants."""

LOCAL_SESSIONS_MAX = 10_000
"""Sessions that one server has objects for, about 10 KiB each. Then the one that was not used
for longest loses them: its state is the group's, and its next request makes them again."""

LOCAL_IDLE_SECONDS = 1_800.0
"""How long a server keeps the objects of a session that nobody uses here: half an hour, as usual
for sessions. Less would only make them again more often."""

SESSIONS_PER_MINUTE = 60.0
"""Sessions that one address of a client may begin in a minute in the long run, unless the rc line
says otherwise: an office behind one address begins fewer."""

SESSIONS_AT_ONCE = 100
"""Sessions that an address may begin at once before that: a class that is told to open the shop."""

ADDRESSES_MAX = 4_096
"""Addresses whose sessions are counted, about 200 bytes each; then the longest silent one goes."""

ANSWER_SECONDS = 15.0
"""How long the group may take for an answer; then the page says so with 503. A group that loses its
primary answers after two of its timeouts; the server's own bound is four times as long."""

RETRY_SECONDS = 5
"""After how many seconds a client is told to try again."""

FIELDS_MAX = 100
"""Fields of a form, or parameters of an address: the largest forms of shops have about forty."""

FORM_CHARACTERS_MAX = 16_000
"""Characters of a form in all. They are part of a request that every replica writes to its disk."""

QUERY_CHARACTERS_MAX = 2_000
"""Characters of the parameters that lead to a page: more does not fit into every address."""

TYPES_MAX = 100
"""Transaction types of one site."""

ROWS_MAX = 1_000
"""Rows of the lists of one page, those within rows included: 40 us each, and more than anybody
reads."""

ROWS_DEEP_MAX = 2
"""Lists within rows of lists."""

PAGE_CHARACTERS_MAX = 1_000_000
"""Characters of one page: a thousand rows of a thousand characters."""

TEMPLATE_BYTES_MAX = 262_144
"""Bytes of one template, which is in memory as long as its type is registered."""

TEMPLATES_MAX = 1_000
"""Templates of one folder that are kept in memory; beyond, each is read when it is asked for."""

PROBLEMS_MAX = 1_000
"""Mistakes in templates of a type that are told to the log, each once."""

REPLACED_MAX = 100
"""Pages of one session that are made once and kept, on one server."""
