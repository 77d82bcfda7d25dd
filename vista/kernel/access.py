"""Access control: who may send which message to an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from vista.errors import BadValueError
from vista.kernel.current import current, kernel
from vista.kernel.methods import message_name
from vista.records import record

_VERDICTS = ("allow", "deny")


@record
@dataclass(frozen=True, slots=True)
class AccessControlList:
    """An ordered list of rules; the first that matches decides, and no match means denied.

    Each rule is (verdict, user, method): verdict ``"allow"`` or ``"deny"``; user and method are
    names or patterns, ``*`` for all.

    >>> acl = AccessControlList.of("allow alice *", "allow * get_*", "deny * *")
    >>> acl.allows("bob", "get_total"), acl.allows("bob", "delete_yourself")
    (True, False)

    In the original system an access control list is an associative array.
    """

    rules: tuple[tuple[str, str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        for rule in self.rules:
            if len(rule) != 3 or rule[0] not in _VERDICTS or not all(rule):
                raise BadValueError(
                    f"access rule {rule!r}: write (verdict, user, method) with the verdict "
                    f"'allow' or 'deny'"
                )

    @classmethod
    def of(cls, *lines: str) -> AccessControlList:
        """Make a list from lines such as ``"allow alice *"``: verdict, user, method.

        Raises `BadValueError` when a line has not three words.
        """
        rules = []
        for line in lines:
            words = line.split()
            if len(words) != 3:
                raise BadValueError(f"access rule {line!r}: write verdict, user and method")
            rules.append((words[0], words[1], message_name(words[2])))
        return cls(tuple(rules))

    def allows(self, user: str, method: str) -> bool:
        """Return whether ``user`` may send ``method``."""
        for verdict, who, what in self.rules:
            if (who in ("*", user) or fnmatchcase(user, who)) and (
                what in ("*", method) or fnmatchcase(method, what)
            ):
                return verdict == "allow"
        return False


def make_default_acl(owner: str | None = None) -> AccessControlList:
    """Return the usual list: ``owner`` may do everything, others everything but administer.

    ``owner`` is a user name, by default the user of the calling thread. Messages that administer an
    object are set_acl, set_meta, upgrade and delete_yourself. The original's ``makeDefaultACL()``.
    """
    name = owner if owner is not None else current().user or kernel().user
    denied = tuple(("deny", "*", method) for method in ADMINISTERING)
    return AccessControlList((("allow", name, "*"), *denied, ("allow", "*", "*")))


ADMINISTERING = ("set_acl", "set_meta", "upgrade", "delete_yourself")
"""Messages that administer an object."""
