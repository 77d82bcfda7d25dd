"""A simulated disk: what was flushed stays, of the rest a crash keeps, tears or loses."""

from __future__ import annotations

from random import Random

from apps.solidstate.pbft.canonical import digest_of
from apps.solidstate.pbft.durable import Recovered, frame, read_frames
from apps.solidstate.pbft.effects import Append, Compact, Store

Write = Append | Store | Compact


class SimulatedDisk:
    """One replica's disk.

    ``written`` and ``durable`` count writes: those above ``durable`` are lost in a crash, but for
    some of the first and a torn one.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._frames: list[bytes] = []
        self._blobs: dict[bytes, bytes] = {}
        self._pending: list[Write] = []
        self.written = 0
        self.durable = 0
        self.used = False

    def write(self, effect: Write) -> None:
        """Take a write; it is safe once `flush` was called with its number."""
        self._pending.append(effect)
        self.written += 1

    def flush(self, upto: int) -> None:
        """Make the writes up to number ``upto`` safe."""
        while self.durable < upto:
            self._apply(self._pending.pop(0))
            self.durable += 1

    def crash(self) -> None:
        """Keep a drawn number of the writes that were not flushed, and tear the next one."""
        kept = self._random.randint(0, len(self._pending))
        self.flush(self.durable + kept)
        if self._pending and self._random.random() < 0.5:
            self._tear(self._pending[0])
        self._pending = []
        self.written = self.durable

    def _apply(self, effect: Write) -> None:
        self.used = True
        if isinstance(effect, Append):
            self._frames.append(frame(len(self._frames), effect.record))
        elif isinstance(effect, Store):
            self._blobs.update(effect.blobs)
        else:
            self._frames = [frame(n, record) for n, record in enumerate(effect.records)]
            self._blobs = {d: blob for d, blob in self._blobs.items() if d in effect.blobs}

    def _tear(self, effect: Write) -> None:
        # A compaction writes a new file and renames it: it happens whole or not at all.
        if isinstance(effect, Append):
            whole = frame(len(self._frames), effect.record)
            self._frames.append(whole[: self._random.randrange(len(whole))])
        elif isinstance(effect, Store):
            for digest, blob in effect.blobs.items():
                self._blobs[digest] = blob[: self._random.randrange(len(blob) + 1)]

    def rot(self) -> None:
        """Damage what was safe: flip a bit of a record, or lose a blob."""
        if self._blobs and self._random.random() < 0.3:
            del self._blobs[self._random.choice(sorted(self._blobs))]
        elif self._frames:
            place = self._random.randrange(len(self._frames))
            data = bytearray(self._frames[place])
            # Nothing may be all that is left of a record that was torn.
            if data:
                data[self._random.randrange(len(data))] ^= 1 << self._random.randrange(8)
                self._frames[place] = bytes(data)

    def wipe(self) -> None:
        """Forget everything, as a replaced disk does."""
        self._frames, self._blobs, self._pending = [], {}, []
        self.written = self.durable
        self.used = False

    def recover(self) -> Recovered | None:
        """Return what a replica that starts finds; None where there never was one."""
        records, damaged = read_frames(b"".join(self._frames))
        # What was torn is cut off, also where it is all there is.
        self._frames = [frame(number, record) for number, record in enumerate(records)]
        if not self.used or not (records or damaged):
            return None
        blobs = {d: blob for d, blob in self._blobs.items() if digest_of(blob) == d}
        return Recovered(tuple(records), blobs, damaged)
