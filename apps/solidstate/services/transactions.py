"""Transactions over many keys with snapshot isolation.

After Berenson and others, "A Critique of ANSI SQL Isolation Levels" (SIGMOD 1995), section 4.2: a
transaction reads the state in which it began; of two that write the same key and overlap, the one
that commits first wins. A transaction that asks for it is serializable: then what it read may not
have been written meanwhile either (backward validation, Kung and Robinson, TODS 1981).
"""

from __future__ import annotations

import heapq
import logging
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Self, TypeVar

from apps.solidstate.errors import ConflictError, ExpiredError, StateTooLargeError
from apps.solidstate.objects.replicated import ReplicatedObject, read_only
from vista import BadValueError, CallError, Ref, encode_value

_log = logging.getLogger("vista.solidstate")

KEY_CHARACTERS_MAX = 1_000
KEYS_MAX = 1_000_000
VALUE_BYTES_MAX = 250_000
"""Bytes of a value as it is sent: it has to fit into an answer, which has 256 KiB at most."""
WRITES_MAX = 10_000
"""Keys that one transaction reads at once, or writes."""
OPEN_MAX = 10_000
"""Transactions of one store that are open."""
LEASE_MIN, LEASE_MAX = 1.0, 3_600.0
"""Bounds in seconds of how long a transaction may take: what it may read is kept that long."""
CONFLICTS_SHOWN = 10
VERSIONS_MANY = 16
"""Versions of one key from which on those are looked for that nobody reads."""
TIDIED_AT_ONCE = 5_000
"""Keys, or transactions that are over, that one call tidies away: a call has a bound of lines."""
THINNED_AT_ONCE = 50_000
"""Versions that one call looks through for those that nobody reads."""

_T = TypeVar("_T")


class TransactionalStore(ReplicatedObject, namespace="SolidState"):
    """A key-value store with transactions that a group of replicas keeps.

    rc line: ``CreateReplicasOnServers bank 1 TransactionalStore accounts``

    ``create()`` makes an empty one. Keys are text; values any values but None, which stands for no
    value. `Transaction` is how a program uses it.
    """

    def create(self) -> None:
        """Begin without keys."""
        self.version = 0
        # The versions of each key, with the values: those that somebody may still read.
        self.history: dict[str, tuple[list[int], list[Any]]] = {}
        # Of each transaction: the version it reads, and until when it may.
        self.open: dict[str, tuple[int, float]] = {}
        self.ends: list[tuple[float, str]] = []
        # Keys with more than one version, or none that counts: for each the oldest version that
        # somebody read when it was tidied last. The first of them waits longest.
        self.crowded: dict[str, int] = {}
        self.valued = 0

    def begin(self, lease: float = 60.0) -> str:
        """Begin a transaction, which has ``lease`` seconds; return its Id.

        Raises `BadValueError` for a lease that is not 1 to 3600 seconds, and when too many
        transactions are open.
        """
        self._expire()
        if not isinstance(lease, int | float) or not LEASE_MIN <= lease <= LEASE_MAX:
            raise BadValueError(f"a lease is {LEASE_MIN} to {LEASE_MAX} seconds, not {lease!r:.40}")
        if len(self.open) >= OPEN_MAX:
            raise BadValueError(f"{OPEN_MAX} transactions are open: commit or abort some")
        if len(self.ends) > 2 * OPEN_MAX:
            # Of most the transaction is over long before its lease.
            self.ends = [(end, id) for id, (_, end) in self.open.items()]
            heapq.heapify(self.ends)
        id = f"{self.agreed_random.getrandbits(128):032x}"
        end = self.agreed_time + lease
        self.open[id] = (self.version, end)
        heapq.heappush(self.ends, (end, id))
        return id

    @read_only
    def read(self, transaction: str, keys: Sequence[str]) -> dict[str, Any]:
        """Return the values the keys had when the transaction began; without those that had none.

        Raises `ExpiredError` when the transaction is over.
        """
        self._check_count(keys)
        version = self._transaction(transaction)[0]
        found = ((key, self._value(key, version)) for key in keys)
        return {key: value for key, value in found if value is not None}

    @read_only
    def get(self, key: str) -> Any:
        """Return the value of a key that was committed last, None if it has none."""
        _check_key(key)
        return self._value(key, self.version)

    @read_only
    def count(self) -> int:
        """Return the number of keys that have a value."""
        return self.valued

    def commit(
        self, transaction: str, writes: Mapping[str, Any], unchanged: Sequence[str] = ()
    ) -> int:
        """Write all values, None for no value, or none of them; the transaction is over then.

        ``unchanged`` are further keys that nobody may have written since it began. Returns the
        version that all of it has. Raises `ConflictError` when a key was written meanwhile,
        `ExpiredError` when the transaction is over, `BadValueError` for keys that are none and for
        a value that is too large.
        """
        self._expire()
        began = self._transaction(transaction)[0]
        if not isinstance(writes, Mapping):
            raise BadValueError(f"writes are values by their keys, unlike {writes!r:.60}")
        self._check_count(writes)
        self._check_count(unchanged)
        _check_values(writes)
        self._check_room(writes)
        late = sorted(key for key in {*writes, *unchanged} if self._written_at(key) > began)
        del self.open[transaction]
        if late:
            self._tidy()
            shown = ", ".join(late[:CONFLICTS_SHOWN])
            raise ConflictError(f"written by another transaction meanwhile: {shown}; begin anew")
        if writes:
            self.version += 1
        self._write(writes)
        self._tidy()
        return self.version

    def abort(self, transaction: str) -> None:
        """End a transaction that writes nothing; one that is over already is no mistake."""
        self._expire()
        if isinstance(transaction, str) and self.open.pop(transaction, None) is not None:
            self._tidy()

    # --- how it is kept --------------------------------------------------------------------

    def _transaction(self, id: str) -> tuple[int, float]:
        found = self.open.get(id) if isinstance(id, str) else None
        if found is None:
            raise ExpiredError("the transaction is over: it took too long, or it was ended")
        return found

    def _value(self, key: str, version: int) -> Any:
        versions, values = self.history.get(key, ([], []))
        place = bisect_right(versions, version)
        return values[place - 1] if place else None

    def _written_at(self, key: str) -> int:
        versions, _ = self.history.get(key, ([], []))
        return versions[-1] if versions else 0

    def _write(self, writes: Mapping[str, Any]) -> None:
        read = sorted({version for version, _ in self.open.values()})
        oldest, room = read[0] if read else self.version, THINNED_AT_ONCE
        for key in sorted(writes):
            value = writes[key]
            versions, values = self.history.setdefault(key, ([], []))
            self.valued += (value is not None) - (bool(values) and values[-1] is not None)
            versions.append(self.version)
            values.append(value)
            if len(versions) > 1 or value is None:
                self.crowded.setdefault(key, min(oldest, self.version - 1))
            count = len(versions)
            if not count % VERSIONS_MANY and count <= room:
                room -= count
                _thin(versions, values, read)

    def _check_count(self, keys: Iterable[str]) -> None:
        # A text is a sequence of texts as well, and none of keys.
        if isinstance(keys, str) or not isinstance(keys, Iterable):
            raise BadValueError(f"keys are a list of texts, unlike {keys!r:.60}")
        rows = list(keys)
        if len(rows) > WRITES_MAX:
            raise BadValueError(f"a transaction takes {WRITES_MAX} keys at once, not {len(rows)}")
        for key in rows:
            _check_key(key)

    def _check_room(self, writes: Mapping[str, Any]) -> None:
        if len(self.history) + len(writes) > KEYS_MAX:
            made = sum(key not in self.history for key in writes)
            if made and len(self.history) + made > KEYS_MAX:
                raise BadValueError(f"a store has room for {KEYS_MAX} keys: remove some")

    def _expire(self) -> None:
        now = self.agreed_time
        for _ in range(TIDIED_AT_ONCE):
            if not self.ends or self.ends[0][0] > now:
                break
            _, id = heapq.heappop(self.ends)
            self.open.pop(id, None)
        self._tidy()

    def _tidy(self) -> None:
        """Forget versions that nobody can read any longer, of some keys with each call."""
        oldest = min(self.open.values(), default=(self.version, 0.0))[0]
        for key in tuple(islice(self.crowded, TIDIED_AT_ONCE)):
            if self.crowded[key] >= oldest:
                # Those behind it were tidied later still.
                return
            versions, values = self.history[key]
            needed = max(0, bisect_right(versions, oldest) - 1)
            del versions[:needed], values[:needed], self.crowded[key]
            if len(versions) > 1 or versions[0] > oldest:
                self.crowded[key] = oldest
            elif values[0] is None:
                del self.history[key]


def _check_key(key: str) -> None:
    if not isinstance(key, str) or len(key) > KEY_CHARACTERS_MAX:
        raise BadValueError(
            f"a key is a text of {KEY_CHARACTERS_MAX} characters at most, not {key!r:.60}"
        )


def _check_values(writes: Mapping[str, Any]) -> None:
    for key in sorted(writes):
        size = len(encode_value(writes[key]))
        if size > VALUE_BYTES_MAX:
            raise BadValueError(
                f"a value has {VALUE_BYTES_MAX} bytes at most, not {size} as that of {key:.60}"
            )


def _thin(versions: list[int], values: list[Any], read: Sequence[int]) -> None:
    """Forget the versions between those that somebody reads: of a key that is written often."""
    kept = [
        n
        for n in range(len(versions))
        # Somebody's version is at this one or behind it, and before the next one.
        if n == len(versions) - 1
        or bisect_right(read, versions[n + 1] - 1) > bisect_right(read, versions[n] - 1)
    ]
    values[:] = [values[n] for n in kept]
    versions[:] = [versions[n] for n in kept]


class Transaction:
    """One transaction of a `TransactionalStore`, as a context manager.

    ``store`` is the Ref of the store, ``lease`` how many seconds it may take. With
    ``serializable`` what it read may not be written meanwhile either. It is committed at the end of
    the block and aborted when that raises. Raises `ConflictError` at the end of the block when
    another one was faster: begin anew, or use `transact`.

    >>> with Transaction(vista.service("accounts")) as accounts:
    ...     accounts["ann"] = accounts["ann"] - 5
    ...     accounts["bob"] = accounts.get("bob", 0) + 5
    """

    def __init__(self, store: Ref, lease: float = 60.0, serializable: bool = False) -> None:
        self._store = store
        self._lease = lease
        self._serializable = serializable
        self._id = ""
        self._read: dict[str, Any] = {}
        self._written: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._id = self._store.begin(self._lease)
        self._read, self._written = {}, {}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None:
            try:
                self._store.abort(self._id)
            except CallError as trouble:
                # The caller is to see what the block raised; the transaction ends with its lease.
                _log.warning("a transaction was not aborted: %s", trouble)
            return
        unchanged = [key for key in self._read if key not in self._written]
        self._store.commit(self._id, self._written, unchanged if self._serializable else [])

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value of a key when the transaction began, or what it wrote itself."""
        if key not in self._written:
            self.fetch([key])
        found = self._written[key] if key in self._written else self._read[key]
        return default if found is None else found

    def fetch(self, keys: Sequence[str]) -> None:
        """Read keys with one call, so that asking for each takes none."""
        wanted = [key for key in dict.fromkeys(keys) if key not in self._read]
        if wanted:
            found = self._fetched(wanted)
            self._read.update({key: found.get(key) for key in wanted})

    def _fetched(self, keys: Sequence[str]) -> dict[str, Any]:
        try:
            found: dict[str, Any] = self._store.read(self._id, keys)
        except StateTooLargeError:
            if len(keys) == 1:
                raise
            # More than one answer holds.
            half = len(keys) // 2
            return self._fetched(keys[:half]) | self._fetched(keys[half:])
        return found

    def __getitem__(self, key: str) -> Any:
        found = self.get(key)
        if found is None:
            raise KeyError(key)
        return found

    def __contains__(self, key: str) -> bool:
        return self.get(key) is not None

    def __setitem__(self, key: str, value: Any) -> None:
        if value is None:
            raise BadValueError("None stands for no value: delete the key")
        self._written[key] = value

    def __delitem__(self, key: str) -> None:
        self[key]
        self._written[key] = None


def transact(
    store: Ref, work: Callable[[Transaction], _T], attempts: int = 10, serializable: bool = False
) -> _T:
    """Do work in a transaction, again when another one was faster; return what it returns.

    ``work`` is called with the transaction, up to ``attempts`` times. Raises the last
    `ConflictError` when every time another one was faster, and what ``work`` raises.
    """
    if attempts < 1:
        raise BadValueError(f"attempts is 1 or more, not {attempts}")
    for _ in range(attempts - 1):
        try:
            with Transaction(store, serializable=serializable) as transaction:
                result = work(transaction)
        except ConflictError:
            continue
        return result
    with Transaction(store, serializable=serializable) as transaction:
        return work(transaction)
