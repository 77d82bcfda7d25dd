"""What can go wrong with a page: the branch of the tree in ``apps.http.errors`` for its makers.

::

    HttpError
    |-- DirectiveError   a directive is not what it should be; shown as the page's error text
    |   `-- LoadFailed   what a directive names cannot be had; raised by loaders
    `-- PageBoundError   the page reached a bound and ends there

None of them leaves `apps.http.content.ssi.processor.process`.
"""

from __future__ import annotations

from apps.http.errors import HttpError


class DirectiveError(HttpError):
    """A directive is wrong: the text says what, and what was expected."""


class LoadFailed(DirectiveError):
    """What a directive names cannot be had; a `Loader` raises it, with the reason for the log."""


class PageBoundError(HttpError):
    """A page reached a bound that holds for the whole of it; the text names the bound."""
