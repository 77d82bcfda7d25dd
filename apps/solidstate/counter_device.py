"""``python -m apps.solidstate.counter_device FOLDER``: a trusted counter, in a process of its own.

A STAND-IN FOR TRUSTED HARDWARE. It keeps the promises of a USIG (`usig`) as long as nobody who can
act as its user, read its memory or put back its files is faulty; hardware keeps them anyway. It is
there to run, measure and test groups with `Config.minbft` before there is such hardware.

Three rules. A number is on disk before its UI leaves this process, so a record that was torn has
left no UI; that it was damaged later, as the last one, cannot be told from it. The secret is drawn
with the file and never leaves; with the file goes the epoch. Two processes never count in one
folder.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
import struct
import sys
from pathlib import Path
from typing import IO, Any

from apps.solidstate.pbft.canonical import DIGEST_BYTES, MalformedMessage, digest_of, pack, unpack
from apps.solidstate.pbft.durable import frame, frames, read_frames
from apps.solidstate.pbft.ed25519 import Ed25519Keyring
from apps.solidstate.pbft.usig import COUNTER_MAX, UI, ui_body, ui_bytes
from vista import StoreError

MESSAGE_BYTES_MAX = 64 * 1024
"""Bytes of what is certified at once: statements name batches by digests and are far smaller."""

RECORDS_MAX = 4096
"""Records in the file after which it is written anew with what is still kept, about 600 KB."""

GROUP = b"usig"
"""What binds the device's signatures: an epoch is drawn for one group and says which."""

_LENGTH = struct.Struct(">I")


class Device:
    """The counter in a folder: its secret, its epoch, its count, and the UIs it still keeps.

    ``records_max`` says how long the file may become before it is written anew. Raises
    `vista.StoreError` where another process counts in the folder, or where the file is
    damaged: a count that may be wrong is worth nothing, and cannot be had back.
    """

    def __init__(self, folder: Path, records_max: int = RECORDS_MAX) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "counter"
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise StoreError(f"{folder}: another process counts here; end it first") from error
        self._kept: dict[int, bytes] = {}
        self.counter = 0
        self._forgotten = 0
        self._records_max = records_max
        self._file = -1
        try:
            if self._path.exists():
                self._recover()
            else:
                self.epoch, self._seed = secrets.randbits(62), secrets.token_bytes(32)
                self._rewrite()
        except BaseException:
            self.close()
            raise
        self._keyring = Ed25519Keyring(GROUP, self._seed, {})

    @property
    def public_key(self) -> bytes:
        """The key that others check the UIs of this epoch with."""
        return self._keyring.public_key

    def create_ui(self, message: bytes, base: int = 0) -> bytes:
        """Return a UI with the next number above ``base``; it is on disk."""
        counter, digest = max(self.counter, base) + 1, digest_of(message)
        certificate = self._keyring.sign(ui_body(self.epoch, counter, digest))
        ui = ui_bytes(UI(self.epoch, counter, certificate))
        if self._records >= self._records_max:
            self._rewrite()
        self._append(["ui", counter, ui])
        self.counter = counter
        self._kept[counter] = ui
        return ui

    def kept(self, counter: int) -> bytes | None:
        """Return a UI again that was made and not forgotten."""
        return self._kept.get(counter)

    def forget(self, counter: int) -> None:
        """Forget the UIs up to a number; the file does when it is written anew."""
        self._forgotten = max(self._forgotten, min(counter, self.counter))
        self._kept = {number: ui for number, ui in self._kept.items() if number > counter}

    def close(self) -> None:
        """Let go of the file and the folder."""
        for descriptor in (self._file, self._lock):
            if descriptor >= 0:
                os.close(descriptor)

    def _recover(self) -> None:
        records, damaged = read_frames(self._path.read_bytes())
        if damaged or not records:
            raise StoreError(
                f"{self._path} is damaged: the count is lost, and the replica with it; its group "
                f"goes on with one faulty replica"
            )
        _, self.epoch, self._seed, self._forgotten = unpack(records[0])
        self.counter = self._forgotten
        for record in records[1:]:
            _, counter, ui = unpack(record)
            self._kept[counter], self.counter = ui, counter
        # What was torn has not left: its number is free. Writing goes on in its place.
        self._rewrite()

    def _rewrite(self) -> None:
        """Replace the file at once by what is kept."""
        head = ["device", self.epoch, self._seed, self._forgotten]
        records = [head, *(["ui", number, ui] for number, ui in sorted(self._kept.items()))]
        path = self._path.with_suffix(".next")
        path.unlink(missing_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        _write_all(file, frames(pack(record) for record in records))
        os.fsync(file)
        path.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._records = file, len(records)

    def _append(self, record: list[Any]) -> None:
        _write_all(self._file, frame(self._records, pack(record)))
        os.fdatasync(self._file)
        self._records += 1


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def answer(device: Device, request: object) -> list[Any]:
    """Return a device's answer to what was asked: ``["ok", value]`` or ``["error", words]``."""
    match request:
        case ["identity"]:
            return ["ok", [device.epoch, device.public_key, device.counter]]
        case ["create", bytes(message), int(base)] if (
            len(message) <= MESSAGE_BYTES_MAX and max(device.counter, base) < COUNTER_MAX
        ):
            return ["ok", device.create_ui(message, base)]
        case ["create", bytes(), int()]:
            most = f"{MESSAGE_BYTES_MAX} bytes at once, and numbers up to {COUNTER_MAX}"
            return ["error", f"a device certifies up to {most}; its count is {device.counter}"]
        case ["kept", int(counter)]:
            return ["ok", device.kept(counter)]
        case ["forget", int(counter)]:
            device.forget(counter)
            return ["ok", None]
    return ["error", "a device is asked for identity, create, kept or forget"]


def read_message(stream: IO[bytes]) -> object:
    """Return the next message of a pipe, None at its end; raises `MalformedMessage`."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > MESSAGE_BYTES_MAX + 2 * DIGEST_BYTES:
        raise MalformedMessage(f"a message of {length} bytes: {MESSAGE_BYTES_MAX} are the most")
    data = stream.read(length)
    found: object = unpack(data) if len(data) == length else None
    return found


def write_message(stream: IO[bytes], message: list[Any]) -> None:
    """Write a message to a pipe."""
    data = pack(message)
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def main(arguments: list[str]) -> int:
    """Answer what comes by standard input until it ends; return the exit code."""
    if len(arguments) != 1:
        print("usage: python -m apps.solidstate.counter_device FOLDER", file=sys.stderr)
        return 2
    # A key that is pressed for the replica reaches this process as well: it ends with the replica.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    try:
        device = Device(Path(arguments[0]))
    except (StoreError, OSError) as error:
        write_message(sink, ["error", str(error)])
        return 1
    try:
        return serve(device, source, sink)
    finally:
        device.close()


def serve(device: Device, source: IO[bytes], sink: IO[bytes]) -> int:
    """Answer what comes until it ends, or the device's disk fails; return the exit code."""
    try:
        while (request := read_message(source)) is not None:
            try:
                said = answer(device, request)
            except OSError as error:
                # How much of the number is on disk is seen at the next start, not here.
                words = f"its disk fails ({error}); mend that and start the replica anew"
                write_message(sink, ["error", words])
                return 1
            write_message(sink, said)
    except MalformedMessage as error:
        write_message(sink, ["error", str(error)])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
