"""For which users a machine does what it is asked to."""

from __future__ import annotations

from fnmatch import fnmatchcase

import vista
from vista import AccessDenied


def check_user(owner: str, users: str, what: str) -> None:
    """Raise `AccessDenied` unless the calling code acts for ``owner`` or one of ``users``.

    ``users`` are patterns, joined by commas; ``what`` is what is refused else.
    """
    user = vista.current_user()
    if user != owner and not any(fnmatchcase(user, one.strip()) for one in users.split(",")):
        raise AccessDenied(
            f"{what} for {owner} and users that match {users!r}, and not for {user}: the line "
            f"ReplicaPoolMember of this machine says for whom"
        )
