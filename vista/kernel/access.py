"""Access control: who may send which message to an object."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from vista.errors import BadValueError
from vista.kernel.methods import message_name
from vista.records import record

_VERDICTS = ("allow", "deny")


@record
@dataclass(frozen=True, slots=True)
class AccessControlList:
    """An ordered list of rules; the first that matches decides, and no match means denied.

    Each rule is (verdict, user, method): verdict ``"allow"`` or ``"deny"``; user and method are
    names or patterns, ``*`` for all (`fnmatch`'s, upper and lower case told apart). The user of a
    message is that of the thread that sends it, through every call it makes. Raises
    `BadValueError` for what is no rule.

    >>> acl = AccessControlList.of("allow alice *", "allow * get_*", "deny * *")
    >>> acl.allows("bob", "get_total"), acl.allows("bob", "delete_yourself")
    (True, False)

    In the original system an access control list is an associative array.
    """

    rules: tuple[tuple[str, str, str], ...] = field(default=())

    def __post_init__(self) -> None:
        given: Any = self.rules
        if not isinstance(given, list | tuple):
            raise BadValueError(f"an access list is a tuple of rules, not {given!r}")
        object.__setattr__(self, "rules", tuple(_rule(rule) for rule in self.rules))

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
            rules.append((words[0], words[1], words[2]))
        return cls(tuple(rules))

    def allows(self, user: str, method: str) -> bool:
        """Return whether ``user`` may send ``method``."""
        for verdict, who, what in self.rules:
            if (who in ("*", user) or fnmatchcase(user, who)) and (
                what in ("*", method) or fnmatchcase(method, what)
            ):
                return verdict == "allow"
        return False


def _rule(rule: Any) -> tuple[str, str, str]:
    if isinstance(rule, list | tuple) and len(rule) == 3 and rule[0] in _VERDICTS:
        verdict, user, method = rule
        if isinstance(user, str) and user and isinstance(method, str) and method:
            return verdict, user, message_name(method)
    raise BadValueError(
        f"access rule {rule!r}: write (verdict, user, method) with the verdict 'allow' or 'deny'"
    )


def checked_acl(acl: Any) -> AccessControlList | None:
    """Return an access list that somebody sent, after looking at its rules; None stays None.

    A record that comes in a message is made without its ``__init__``, so it may hold anything.
    Raises `BadValueError`.
    """
    if acl is None:
        return None
    if not isinstance(acl, AccessControlList):
        raise BadValueError(f"an access list is an AccessControlList, not {acl!r}")
    return AccessControlList(acl.rules)


def default_acl_of(owner: str) -> AccessControlList:
    """Return the list of `vista.make_default_acl` for ``owner``, the name of a user."""
    denied = tuple(("deny", "*", method) for method in ADMINISTERING)
    return AccessControlList((("allow", owner, "*"), *denied, ("allow", "*", "*")))


ADMINISTERING = ("set_acl", "set_meta", "upgrade", "move_to", "copy_to", "delete_yourself")
"""Messages that administer an object."""
