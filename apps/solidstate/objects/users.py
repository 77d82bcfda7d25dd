"""For which users a machine does what it is asked to."""

from __future__ import annotations

from fnmatch import fnmatchcase

import vista
from vista import AccessDenied

NO_PEERS = ""
"""What stands for everybody in whose name no peer with a key of its own sends."""


def check_user(owner: str, users: str, what: str) -> None:
    """Raise `AccessDenied` unless the calling code acts for ``owner`` or one of ``users``.

    ``users`` are patterns, joined by commas, or `NO_PEERS`; ``what`` is what is refused else.
    """
    user = vista.current_user()
    if user == owner:
        return
    if users == NO_PEERS:
        if vista.is_peers_user(user):
            raise AccessDenied(
                f"{what} for {owner} and visitors, and not for {user}, who is a peer with a key of "
                f"its own: where that is meant, name it and the visitors in the line of this "
                f"machine, as in ReplicaPoolMember POOL DIRECTORY {user},guest"
            )
    elif not any(fnmatchcase(user, one.strip()) for one in users.split(",")):
        raise AccessDenied(
            f"{what} for {owner} and users that match {users!r}, and not for {user}: the line "
            f"ReplicaPoolMember of this machine says for whom"
        )
