"""Every error of replicated objects, in one tree.

::

    SolidStateError
    |-- PoolError              servers that cannot be a group (a ValueError)
    |-- PinnedKeyError         a key that is not the one which was pinned
    |-- BackupError            a file that is no backup of a group, or not a whole one
    |-- EndlessMethodError     a method that took more steps than it may
    |-- OutsideCallError       a method that sent to the outside while it was executed
    |-- StateTooLargeError     a call that would make the state larger than it may be
    |-- RefusedOperationError  an operation the group refuses: no such variable, class or method
    |-- ExpiredError           a session or a transaction whose lease ran out
    `-- ConflictError          a transaction that another one was faster than

What a method of a replicated object raises reaches its caller as it is.
"""

from __future__ import annotations


class SolidStateError(Exception):
    """The root of every error that SolidState raises by itself."""


class PoolError(SolidStateError, ValueError):
    """The servers of a pool cannot be a group; the text says what is missing."""


class PinnedKeyError(SolidStateError):
    """A machine shows another key than the one which was pinned; the text says what to do."""


class BackupError(SolidStateError):
    """A file is no backup, was cut or changed, or proves nothing; the text says which."""


class EndlessMethodError(SolidStateError):
    """A method executed more lines, or called itself deeper, than it may.

    All replicas count the same, so it is the agreed answer. What the method changed until then
    stays, as after any exception.
    """


class OutsideCallError(SolidStateError):
    """A method sent a message while it was executed: it would be sent by each replica.

    Use ``self.outbox``, whose messages are sent when the answer is agreed.
    """


class StateTooLargeError(SolidStateError):
    """A call was refused, since the state is as large as it may be and would have grown."""


class RefusedOperationError(SolidStateError):
    """The group refuses an operation: it knows no such variable, class or method."""


class ExpiredError(SolidStateError):
    """A session of a tuple space, or a transaction, is over: its lease ran out, or it was ended."""


class ConflictError(SolidStateError):
    """A transaction was not committed: what it wrote, or read, was written meanwhile."""
