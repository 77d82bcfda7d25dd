"""Every error vista raises, in one tree.

::

    VistaError
    |-- CallError                 how a call ended when it brought no result of the method
    |   |-- NoSuchObject          no object has this Id
    |   |   `-- ObjectDeleted     it existed and was deleted, before or during the call
    |   |-- NoSuchMethod          the object does not answer this message
    |   |-- NoSuchService         nobody registered this service name
    |   |-- NoSuchClass           no class of this name and version can be found
    |   |-- AccessDenied          the object's access control list refuses this user
    |   |-- CallTimeout           no answer within the caller's time (a TimeoutError)
    |   |-- PeerLost              the object's node stopped or was lost (a ConnectionError)
    |   |-- Overloaded            a bounded queue is full, or a chain of calls too long
    |   |-- DeadlockError         the call waits for an object its own chain keeps
    |   |-- ThreadKilled          somebody killed the thread that was to answer
    |   `-- RemoteFailure         the method raised something its caller does not know
    |-- UsageError                the caller used the interface wrongly
    |   |-- NotAValueError        an argument or a result cannot be sent (a TypeError)
    |   |-- WrongContextError     a function called where it cannot work
    |   |-- ClassDefinitionError  a class cannot be an object class as written
    |   |-- ServiceTaken          the service name belongs to another object
    |   |-- ObjectBusy            threads of the object did not finish in time
    |   |-- PeerAddressError      a peer's address that cannot be used
    |   |-- KeyFileError          a key file that cannot be used as it is
    |   `-- BadValueError         an argument is outside what the function takes (a ValueError)
    |-- StoreError                the store of persistent objects cannot do what was asked of it
    |-- RcError                   a mistake in an rc file, with file, line and column
    |-- ProtocolError
    |   |-- LocalProtocolError    this side asked the protocol for something it forbids
    |   `-- RemoteProtocolError   the other side sent what the protocol forbids
    `-- InternalError             a mistake of vista's own: please report it

An exception that a method raises reaches its caller as itself; the tree holds only what the runtime
adds. Errors of the other side and of this one are different types, after h11.
"""

from __future__ import annotations


class VistaError(Exception):
    """The root of every error vista raises by itself."""


class CallError(VistaError):
    """A call ended without a result or an exception of the method."""


class NoSuchObject(CallError):
    """No object has this Id, here or on any peer that can be asked."""


class ObjectDeleted(NoSuchObject):
    """The object existed and was deleted, before the message arrived or while it waited."""


class NoSuchMethod(CallError):
    """The object's class does not answer this message; the text names near misses."""


class NoSuchService(CallError):
    """No object is registered under this service name."""


class NoSuchClass(CallError):
    """No class of this name (and version) is known or can be loaded; the text names near misses."""


class AccessDenied(CallError):
    """The access control list of the object refuses the message to this user."""


class CallTimeout(CallError, TimeoutError):
    """The answer did not come within the caller's time; the called thread was cancelled."""


class PeerLost(CallError, ConnectionError):
    """The node of the object stopped, or the link to it broke, before the answer came."""


class Overloaded(CallError):
    """A bounded queue is full, or a chain of calls is longer than the limit."""


class DeadlockError(CallError):
    """The call would wait for an object which its own chain of calls keeps exclusively."""


class ThreadKilled(CallError):
    """The thread that was to answer was killed."""


class RemoteFailure(CallError):
    """The method raised an exception whose type or arguments the caller's side cannot have."""


class UsageError(VistaError):
    """The caller used vista's interface in a way it does not allow."""


class NotAValueError(UsageError, TypeError):
    """An argument, a result or a variable is no value; the text names the path to it."""


class WrongContextError(UsageError):
    """A function was called where it cannot work, such as ``send`` inside a coroutine."""


class ClassDefinitionError(UsageError):
    """A class cannot serve as an object class as it is written."""


class ServiceTaken(UsageError):
    """The service name is registered by another object."""


class ObjectBusy(UsageError):
    """Threads of the object did not finish in time for what was asked of it."""


class PeerAddressError(UsageError):
    """The address of a peer cannot be used: malformed, taken, or not of this machine."""


class KeyFileError(UsageError):
    """A key file or list of peers cannot be used as it is; the text says what mends it."""


class BadValueError(UsageError, ValueError):
    """An argument is outside what the function takes."""


class StoreError(VistaError):
    """The store of persistent objects cannot be used, or did not take what was to be kept."""


class RcError(VistaError):
    """A mistake in an rc file.

    The text reads ``file:line:column: what was wrong``; line and column count from 1.
    """


class ProtocolError(VistaError):
    """A message or a step that vista's wire protocol forbids."""


class LocalProtocolError(ProtocolError):
    """This side asked the protocol for something it forbids."""


class RemoteProtocolError(ProtocolError):
    """The other side sent bytes or a step that the protocol forbids."""


class InternalError(VistaError):
    """A mistake of vista's own. It is never caught; please report it with its traceback."""
