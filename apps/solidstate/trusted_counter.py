"""A replica's side of a trusted counter, and the keys by which others check what it counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from apps.solidstate.counter_device import GROUP, read_message, write_message
from apps.solidstate.pbft.authentication import Principal
from apps.solidstate.pbft.canonical import MalformedMessage, digest_of, pack, unpack
from apps.solidstate.pbft.ed25519 import KEY_BYTES, Ed25519Keyring
from apps.solidstate.pbft.usig import read_ui, ui_body
from vista import StoreError

END_SECONDS = 10.0
"""How long a device has to end when it is closed; then it is killed, which loses nothing."""


def device_name(epoch: int, public_key: bytes) -> bytes:
    """Return what names a device to those who do not know it yet, as `DeviceKeys` reads it."""
    return pack([epoch, public_key])


class ProcessUsig:
    """A `Usig` in a process of its own, which is started here: a stand-in for trusted hardware.

    ``folder`` is the device's, not the replica's; back up neither by itself. ``epoch`` and
    ``public_key`` are what others need for `DeviceKeys`. Each call waits for the device, which
    waits for its disk. Raises `vista.StoreError` when the device cannot start or has ended.

    >>> from tempfile import TemporaryDirectory
    >>> from apps.solidstate.pbft.usig import read_ui
    >>> with TemporaryDirectory() as name, ProcessUsig(Path(name)) as usig:
    ...     keys = DeviceKeys({0: (usig.epoch, usig.public_key)})
    ...     ui = usig.create_ui(b"first")
    ...     keys.verify_ui(0, b"first", ui), keys.verify_ui(0, b"other", ui), usig.kept(1) == ui
    (1, None, True)
    """

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "apps.solidstate.counter_device", str(folder)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.epoch, self.public_key, self._counter = self._ask("identity")
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The number of the device's process."""
        return self._process.pid

    @property
    def name(self) -> bytes:
        """What names this device to a group that its replica comes into (`usig.member_key`)."""
        return device_name(self.epoch, self.public_key)

    def create_ui(self, message: bytes, base: int = 0) -> bytes:
        """Return a UI with the next number above ``base``."""
        ui: bytes = self._ask("create", message, base)
        made = read_ui(ui)
        assert made is not None
        self._counter = made.counter
        return ui

    def kept(self, counter: int) -> bytes | None:
        """Return a UI again that was made and not forgotten."""
        # Nobody else asks this device: what it has not counted here it did not make.
        ui: bytes | None = self._ask("kept", counter) if counter <= self._counter else None
        return ui

    def forget(self, counter: int) -> None:
        """Have the UIs up to a number forgotten."""
        self._ask("forget", counter)

    def close(self) -> None:
        """End the device; its count stays in its folder."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, *request: object) -> Any:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            write_message(process.stdin, list(request))
            said = read_message(process.stdout)
        except (BrokenPipeError, ValueError, MalformedMessage):
            # Also where this side is closed. What the device said before it ended is below.
            said = None
        match said:
            case ["ok", value]:
                return value
            case ["error", str(words)]:
                raise StoreError(f"the trusted counter: {words}")
        raise StoreError("the trusted counter has ended: start the replica anew")


class DeviceKeys:
    """A `UsigVerifier` that knows the epoch and the public key of every replica's device.

    A device that lost its count has another epoch and key, so its UIs are none here: it may not
    speak for the replica whose statements it does not know.
    """

    def __init__(self, devices: Mapping[int, tuple[int, bytes]]) -> None:
        self._epochs = {number: epoch for number, (epoch, _) in devices.items()}
        # It verifies and signs nothing, so its own secret is none.
        public: dict[Principal, bytes] = {number: key for number, (_, key) in devices.items()}
        self._keyring = Ed25519Keyring(GROUP, bytes(32), public)

    def verify_ui(self, replica: int, message: bytes, ui: bytes) -> int | None:
        """Return the number under which a replica's device certified a message, if it did."""
        found = read_ui(ui)
        if found is None or found.epoch != self._epochs.get(replica):
            return None
        body = ui_body(found.epoch, found.counter, digest_of(message))
        if not self._keyring.verify(replica, body, found.certificate):
            return None
        return found.counter

    def is_device(self, device: bytes) -> bool:
        """Tell whether bytes are the ``name`` of a device."""
        return _read_name(device) is not None

    def learn(self, replica: int, device: bytes) -> None:
        """Take up the device of a replica that came into the group."""
        found = _read_name(device)
        if found is not None:
            self._epochs[replica], key = found
            self._keyring.learn(replica, key)


def _read_name(device: bytes) -> tuple[int, bytes] | None:
    try:
        found = unpack(device)
    except MalformedMessage:
        return None
    match found:
        case [int(epoch), bytes(key)] if type(epoch) is int and len(key) == KEY_BYTES:
            return epoch, key
    return None
