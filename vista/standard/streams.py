"""Streams of bytes made from other objects: reading by records, and copying.

Both know the objects they work on only by their messages, those of `IOobject`: anything that
answers them will do, here or on another node.
"""

from __future__ import annotations

from vista.api import future, post, self_ref, send
from vista.errors import BadValueError, RemoteProtocolError
from vista.kernel.current import kernel
from vista.kernel.futures import Future
from vista.kernel.objects import Object
from vista.kernel.refs import Ref
from vista.standard.bounds import COPY_BLOCK_BYTES_MAX, READ_BYTES_DEFAULT, RECORD_BYTES_MAX
from vista.standard.notices import Target, client_or_sender
from vista.standard.turns import Ending, Turns

_LINE_FEED = b"\n"


class ReadBuffer(Object, namespace="Standard"):
    """Reads another object's bytes by records, such as lines; it answers an IOobject's messages.

    rc line: ``lines = ReadBuffer $connection``

    ``create(io_object, buffer_limit=65536)``: ``io_object`` is the source, which needs only answer
    ``select_for_read`` and ``read_bytes``; ``buffer_limit`` is the number of bytes held at most.

    Without a delimiter it passes bytes on; with one (see `set_delimiter`) ``read_bytes`` returns
    one whole record at a time. A record longer than the buffer is `RemoteProtocolError`; reading
    without delimiter gets at its bytes. Several threads that read get whole records, first come
    first served. Deleting it leaves the source as it is.

    Notification after `select_for_read`: ``can_read(buffer)``.

    The original's ReadBuffer.
    """

    def create(self, io_object: Target, buffer_limit: int = RECORD_BYTES_MAX) -> None:
        """Read from ``io_object``, holding at most ``buffer_limit`` bytes."""
        if buffer_limit < 1:
            raise BadValueError(f"buffer_limit must be 1 byte or more, not {buffer_limit}")
        self.source = io_object
        self.buffer_limit = buffer_limit
        self.buffered = b""
        self.delimiter = b""
        self.at_end = False
        self.clients: list[Target] = []
        self._turns = Turns(kernel().hub.loop)

    def set_delimiter(self, delimiter: bytes | str | None) -> None:
        """Read records that end with ``delimiter``, of one or more bytes; None: plain bytes."""
        self.delimiter = _delimiter_of(delimiter)

    def set_delimeter(self, delimiter: bytes | str | None) -> None:
        """`set_delimiter`, as the original spells it."""
        self.set_delimiter(delimiter)

    def read_bytes(self, maximum: int | None = None) -> bytes:
        """Return the next record with its delimiter; nothing (``b""``) is the end. Waits.

        The last record may lack its delimiter. Without a delimiter, or with a ``maximum``, it
        returns what is there, at most ``maximum`` bytes.
        """
        if maximum is not None and maximum < 1:
            raise BadValueError(f"read_bytes takes 1 byte or more, not {maximum}")
        with self._turns.turn():
            if self.delimiter and maximum is None:
                return self._next_record(self.delimiter)
            if not self.buffered:
                self._fill(maximum or READ_BYTES_DEFAULT)
            return self._take(maximum or len(self.buffered))

    def read_record(self, delimiter: bytes | str | None = None) -> bytes | None:
        """Return the next record without its delimiter, or None at the end. Waits.

        ``delimiter`` is the one that was set, or a line feed, when left out.
        """
        mark = _delimiter_of(delimiter) or self.delimiter or _LINE_FEED
        with self._turns.turn():
            record = self._next_record(mark)
        return record.removesuffix(mark) if record else None

    def read_line(self) -> str | None:
        """Return the next line as text, without CR LF or LF, or None at the end. Waits.

        Raises UnicodeDecodeError when it is not UTF-8.
        """
        line = self.read_record(_LINE_FEED)
        return None if line is None else line.removesuffix(b"\r").decode()

    def select_for_read(self, client: Target | None = None) -> None:
        """Post ``can_read(buffer)`` to ``client``, once, when reading would not wait.

        That is when there are bytes, with a delimiter a whole record, or the end. ``client`` is the
        sender when left out.
        """
        target = client_or_sender(client)
        if self._is_ready():
            post(target, "can_read", self_ref(self))
            return
        if target not in self.clients:
            self.clients.append(target)
        send(self.source, "select_for_read", self_ref(self))

    def can_read(self, io_object: Ref | None = None) -> None:
        """Take in what the source has and tell the clients if it is enough."""
        with self._turns.turn():
            if self.clients and not self._is_ready():
                self._fill(READ_BYTES_DEFAULT)
        if not self.clients:
            return
        if not self._is_ready():
            send(self.source, "select_for_read", self_ref(self))
            return
        clients, self.clients = self.clients, []
        for client in clients:
            post(client, "can_read", self_ref(self))

    def select_for_write(self, client: Target | None = None) -> None:
        """Ask the source to post ``can_write`` to ``client``, the sender when left out."""
        send(self.source, "select_for_write", client_or_sender(client))

    def write_bytes(self, data: bytes | str) -> int:
        """Write to the source; nothing is buffered."""
        return int(send(self.source, "write_bytes", data))

    def write_vector_of_bytes(self, vector: list[bytes | str]) -> int:
        """Write several parts to the source; nothing is buffered."""
        return int(send(self.source, "write_vector_of_bytes", vector))

    def get_id(self) -> int:
        """Return the source's `IOobject.get_id`."""
        return int(send(self.source, "get_id"))

    def get_descriptor(self) -> int:
        """Return the source's `IOobject.get_descriptor`."""
        return int(send(self.source, "get_descriptor"))

    def set_delete_on_close(self) -> None:
        """Have the source delete itself once it is closed."""
        send(self.source, "set_delete_on_close")

    def clear_delete_on_close(self) -> None:
        """Have the source stay when it is closed."""
        send(self.source, "clear_delete_on_close")

    def close(self) -> None:
        """Close the source."""
        send(self.source, "close")

    def close_for_read(self) -> None:
        """Close the source for reading."""
        send(self.source, "close_for_read")

    def close_for_write(self) -> None:
        """Close the source for writing."""
        send(self.source, "close_for_write")

    def _is_ready(self) -> bool:
        """Whether reading returns, or fails, at once."""
        if self.at_end or not self.delimiter:
            return self.at_end or bool(self.buffered)
        return self.delimiter in self.buffered or len(self.buffered) >= self.buffer_limit

    def _next_record(self, mark: bytes) -> bytes:
        searched = 0
        while (found := self.buffered.find(mark, max(0, searched - len(mark) + 1))) < 0:
            if self.at_end:
                return self._take(len(self.buffered))
            searched = len(self.buffered)
            if searched >= self.buffer_limit:
                raise RemoteProtocolError(
                    f"no {mark!r} within {self.buffer_limit} bytes, the limit of this ReadBuffer"
                )
            self._fill(READ_BYTES_DEFAULT)
        return self._take(found + len(mark))

    def _take(self, count: int) -> bytes:
        taken, self.buffered = self.buffered[:count], self.buffered[count:]
        return taken

    def _fill(self, wanted: int) -> None:
        room = self.buffer_limit - len(self.buffered)
        if room and not self.at_end:
            data = send(self.source, "read_bytes", min(wanted, room))
            self.at_end = not data
            self.buffered += data


class SendFile(Object, namespace="Standard"):
    """Copies one stream of bytes to another.

    rc line: ``SendFile $source $destination``

    ``create(source, destination, max_bytes_to_copy=-1, max_block_size=None)``: both are IOobjects
    or answer their messages: the source ``select_for_read``, ``read_bytes`` and at its end
    ``close_for_read``, the destination ``write_bytes``. With ``max_bytes_to_copy`` it stops exactly
    there and leaves the source open; -1 is no limit. ``max_block_size`` is the bytes moved at a
    time, 65,536 when left out.

    Copying begins at once and goes at the pace of the slower side. Delete it when it is done;
    deleted earlier, it stops. It notifies nobody: ask `get_bytes_copied`.

    The original's SendFile.
    """

    def create(
        self,
        source: Target,
        destination: Target,
        max_bytes_to_copy: int = -1,
        max_block_size: int | None = None,
    ) -> None:
        """Begin to copy."""
        block = READ_BYTES_DEFAULT if max_block_size is None else max_block_size
        if not 1 <= block <= COPY_BLOCK_BYTES_MAX:
            raise BadValueError(f"max_block_size lies in 1..{COPY_BLOCK_BYTES_MAX}, not {block}")
        if max_bytes_to_copy < -1:
            raise BadValueError(f"max_bytes_to_copy is -1 or more, not {max_bytes_to_copy}")
        self.source = source
        self.destination = destination
        self.bytes_left = max_bytes_to_copy
        self.block_size = block
        self.bytes_copied = 0
        self._copied = Ending(kernel().hub.loop)
        self._go_on()

    def get_bytes_copied(self) -> int:
        """Return how many bytes were copied, once it is done. Waits.

        Raises the error with which reading or writing failed.
        """
        self._copied.wait()
        return self.bytes_copied

    def can_read(self, io_object: Ref | None = None) -> None:
        """Copy one block."""
        if self._copied.ended:
            return
        wanted = self.block_size if self.bytes_left < 0 else min(self.block_size, self.bytes_left)
        reading = self._attempt(self.source, "read_bytes", wanted)
        if reading is None:
            return
        data = reading.result()
        if not data:
            self._attempt(self.source, "close_for_read")
            self._copied.end()
        elif self._attempt(self.destination, "write_bytes", data) is not None:
            self.bytes_copied += len(data)
            if self.bytes_left > 0:
                self.bytes_left -= len(data)
            self._go_on()

    def delete(self) -> None:
        """Stop copying; who waits for the end gets the bytes copied so far."""
        self._copied.end()

    def _go_on(self) -> None:
        if self.bytes_left == 0:
            self._copied.end()
        else:
            self._attempt(self.source, "select_for_read", self_ref(self))

    def _attempt(self, target: Target, message: str, *arguments: object) -> Future | None:
        """Send and wait; return the call that ended well, or end the copying and return None."""
        call = future(target, message, *arguments)
        error = call.exception()
        if error is None:
            return call
        self._copied.end(error=error)
        return None


def _delimiter_of(delimiter: bytes | str | None) -> bytes:
    return delimiter.encode() if isinstance(delimiter, str) else delimiter or b""
