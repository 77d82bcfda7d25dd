"""Logs of requests, in the common and in the extended format, a line for each."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import time
from typing import Any

import vista

_log = logging.getLogger("vista.http")

WAITING_BYTES = 65_536
"""Bytes of lines that wait before they are written at once."""
WAITING_SECONDS = 0.5
"""How long a line waits before it is written."""
VALUE_CHARS_MAX = 2_048
"""Characters of a client's field in a line; the rest is cut off."""

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
# What a client sends must not begin a line of its own, nor a field.
_UNSAFE = {
    **{code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))},
    **{ord(letter): "\\" + letter for letter in '"\\'},
}


class RequestLog(vista.Object, namespace="HTTP", abstract=True):
    """A file to which a line is added for each request; the service ``HTTPlogger:SITE``.

    A derived class writes the line: ``format_request(...)``. Lines are written together, at the
    latest half a second after the first of them.
    """

    def initialize(self, file_name: str, site: str) -> None:
        """Open the file and register; a derived class calls it from its own ``create``.

        ``""`` or ``-`` logs nothing. Raises OSError when the file cannot be opened.
        """
        self.file_name = file_name
        self.site = site
        self.lines = 0
        self._lines: list[str] = []
        self._chars = 0
        self._timed = False
        self._descriptor = -1
        self._open(file_name)
        vista.register_service(f"HTTPlogger:{site}", vista.self_ref(self))

    def delete(self) -> None:
        """Write what waits and close the file."""
        if hasattr(self, "_descriptor"):
            self.flush()
            self._close()

    def reopen(self, new_file_name: str | None = None) -> int:
        """Close the file and open it again, or another one, as one does after moving it away.

        ``""`` or ``-`` logs nothing from here on. Returns 0, or -1 when nothing was open and no
        name was given.
        """
        if new_file_name is None and self._descriptor < 0:
            return -1
        self.flush()
        self._close()
        self.file_name = self.file_name if new_file_name is None else new_file_name
        self._open(self.file_name)
        return 0

    def log_request(
        self,
        from_address: str,
        now: float,
        words: tuple[str, str, str],
        fields: tuple[str, ...],
        status: int,
        sent: int,
    ) -> None:
        """Add a line. ``words`` are method, target and version; ``fields`` name, value, name ..."""
        if self._descriptor < 0:
            return
        line = self.format_request(from_address, now, words, fields, status, sent)
        self.lines += 1
        self._lines.append(line)
        self._chars += len(line)
        if self._chars >= WAITING_BYTES:
            self.flush()
        elif not self._timed:
            self._timed = True
            vista.self_ref(self).flush_later.post()

    def needs_fields(self) -> bool:
        """Return whether lines show fields of requests; they are passed only then."""
        return True

    def format_request(
        self,
        from_address: str,
        now: float,
        words: tuple[str, str, str],
        fields: tuple[str, ...],
        status: int,
        sent: int,
    ) -> str:
        """Return the line of a request, with its end."""
        raise NotImplementedError

    async def flush_later(self) -> None:
        """Write what waits after half a second; `log_request` posts it."""
        await asyncio.sleep(WAITING_SECONDS)
        self._timed = False
        self.flush()

    def flush(self) -> None:
        """Write what waits. A disk that is full costs lines, not requests."""
        lines, self._lines = self._lines, []
        self._chars = 0
        if not lines or self._descriptor < 0:
            return
        data = "".join(lines).encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError as error:
            _log.error("%s: %d lines are lost: %s", self.file_name, len(lines), error)

    def _open(self, name: str) -> None:
        if name not in ("", "-"):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
            self._descriptor = os.open(name, flags, 0o644)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class HTTPcommonLogFormat(RequestLog, namespace="HTTP"):
    """Logs the requests of a site in the common log format.

    rc line: ``HTTPcommonLogFormat /var/log/harbour.log www.harbour.example referer user-agent``

    ``create(file_name, site="localhost", *header_keys)``: each key appends a field of the request,
    in quotes, ``-`` where there is none. See `RequestLog` for `reopen`.

    The original's HTTPcommonLogFormat.
    """

    def create(self, file_name: str, site: str = "localhost", *header_keys: str) -> None:
        """Open the file and register."""
        self.extra_fields = tuple(key.lower() for key in header_keys)
        self.initialize(file_name, site)

    def needs_fields(self) -> bool:
        """Return whether lines show fields of requests."""
        return bool(self.extra_fields)

    def format_request(
        self,
        from_address: str,
        now: float,
        words: tuple[str, str, str],
        fields: tuple[str, ...],
        status: int,
        sent: int,
    ) -> str:
        """Return ``host - - [date] "request" status bytes``."""
        request = _safe(" ".join(words))
        line = f'{from_address or "-"} - - [{_date(int(now))}] "{request}" {status} {sent or "-"}'
        if self.extra_fields:
            given = dict(zip(fields[::2], fields[1::2], strict=True))
            for key in self.extra_fields:
                line += f' "{_safe(given.get(key, "-"))}"'
        return line + "\n"


class HTTPextendedLogFormat(RequestLog, namespace="HTTP"):
    """Logs the requests of a site in the extended log format of W3C.

    rc line: ``HTTPextendedLogFormat /var/log/harbour.log localhost date time cs-uri sc-status``

    ``create(file_name, site, *field_names)``: the names are ``date``, ``time``, ``c-ip``,
    ``cs-method``, ``cs-uri``, ``cs-uri-stem``, ``cs-uri-query``, ``cs-version``, ``sc-status``,
    ``sc-bytes``, ``cs(FIELD)`` for a field of the request, and ``x-common-date`` for the date of
    the common format; without any, the first ten. What is not known is ``-``.

    The original's HTTPextendedLogFormat.
    """

    def create(self, file_name: str, site: str = "localhost", *field_names: str) -> None:
        """Open the file and register."""
        self.field_names = field_names or _EXTENDED
        known = {*_EXTENDED, "x-common-date"}
        for name in self.field_names:
            if name not in known and not (name.startswith("cs(") and name.endswith(")")):
                raise vista.BadValueError(
                    f"no log field {name!r}; there are {', '.join(sorted(known))} and cs(FIELD)"
                )
        self.initialize(file_name, site)

    def _open(self, name: str) -> None:
        super()._open(name)
        if self._descriptor >= 0:
            fields = " ".join(self.field_names)
            os.write(self._descriptor, f"#Version: 1.0\n#Fields: {fields}\n".encode())

    def format_request(
        self,
        from_address: str,
        now: float,
        words: tuple[str, str, str],
        fields: tuple[str, ...],
        status: int,
        sent: int,
    ) -> str:
        """Return the values of the fields, with blanks between them."""
        moment = time.gmtime(now)
        stem, _, query = words[1].partition("?")
        known = {
            "date": time.strftime("%Y-%m-%d", moment),
            "time": time.strftime("%H:%M:%S", moment),
            "c-ip": from_address,
            "cs-method": words[0],
            "cs-uri": words[1],
            "cs-uri-stem": stem,
            "cs-uri-query": query,
            "cs-version": words[2],
            "sc-status": str(status),
            "sc-bytes": str(sent),
            "x-common-date": f"[{_date(int(now))}]",
        }
        given = dict(zip(fields[::2], fields[1::2], strict=True))
        return " ".join(self._value(name, known, given) for name in self.field_names) + "\n"

    def _value(self, name: str, known: dict[str, str], given: dict[str, Any]) -> str:
        if name.startswith("cs("):
            value = given.get(name[3:-1].lower())
            return "-" if value is None else f'"{_safe(value)}"'
        return _safe(known[name]) or "-"


_EXTENDED = (
    "date", "time", "c-ip", "cs-method", "cs-uri", "cs-uri-stem", "cs-uri-query", "cs-version",
    "sc-status", "sc-bytes",
)  # fmt: skip


def _safe(text: str) -> str:
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text[:VALUE_CHARS_MAX]
    return text[:VALUE_CHARS_MAX].translate(_UNSAFE)


@functools.lru_cache(maxsize=4)
def _date(second: int) -> str:
    """The date of a line; most lines have that of the line before."""
    moment = time.gmtime(second)
    clock = time.strftime("%H:%M:%S", moment)
    return f"{moment.tm_mday:02}/{_MONTHS[moment.tm_mon - 1]}/{moment.tm_year}:{clock} +0000"
