"""Logs of requests, in the common and in the extended format, a line for each."""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any

import vista
from apps.http.objects.log_file import KEPT_MAX, LogFile, Rotation
from apps.http.objects.log_lines import ITEMS

WAITING_BYTES = 65_536
"""Bytes of lines that wait before they are written at once."""
WAITING_SECONDS = 0.5
"""How long a line waits before it is written."""
ROTATED_BYTES_MIN = 65_536
"""The smallest size at which a log may go on in another file: what is written at once."""
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
    latest half a second after the first of them. What cannot be written, since the disk is full or
    nobody reads a pipe, is lost and counted; the requests go on.
    """

    def initialize(self, file_name: str, site: str, head: str = "") -> None:
        """Open the file and register; a derived class calls it from its own ``create``.

        ``/dev/stdout`` and ``/dev/stderr`` are those of the process; ``""`` or ``-`` logs nothing.
        ``head`` begins each file. Raises OSError when the file cannot be opened.
        """
        self.file_name = file_name
        self.site = site
        self.lines = 0
        self.head = head
        self._lines: list[str] = []
        self._chars = 0
        self._timed = False
        self._timer: asyncio.TimerHandle | None = None
        self._file = LogFile(file_name, head)
        vista.register_service(f"HTTPlogger:{site}", vista.self_ref(self))

    def delete(self) -> None:
        """Write what waits and close the file."""
        if hasattr(self, "_file"):
            if self._timer is not None:
                self._timer.cancel()
            self.flush()
            self._file.close()

    def reopen(self, new_file_name: str | None = None) -> int:
        """Close the file and open it again, or another one, as one does after moving it away.

        ``""`` or ``-`` logs nothing from here on. Returns 0, or -1 when nothing was open and no
        name was given.
        """
        before = self._file
        if new_file_name is None and not before.is_open:
            return -1
        # To the file that was moved away, as those were that came before.
        self._write()
        name = self.file_name if new_file_name is None else new_file_name
        # When that fails nothing has changed.
        opened = LogFile(name, self.head)
        before.close()
        opened.rotation, opened.lines_lost = before.rotation, before.lines_lost
        self.file_name, self._file = name, opened
        return 0

    def set_rotation(self, kept: int, bytes_max: int | None = None, daily: bool = False) -> None:
        """Have the log go on in another file from time to time, the last ``kept`` being kept.

        ``bytes_max`` is the size that no file passes, ``daily`` begins one with each day (UTC).
        With neither, only `rotate` does it. Raises `BadValueError`.
        """
        if not 0 <= kept <= KEPT_MAX:
            raise vista.BadValueError(f"0 to {KEPT_MAX} old files are kept, not {kept}")
        if bytes_max is not None and bytes_max < ROTATED_BYTES_MIN:
            raise vista.BadValueError(
                f"a log goes on in another file at {ROTATED_BYTES_MIN} bytes or more, not at "
                f"{bytes_max}"
            )
        self._file.rotation = Rotation(kept, bytes_max, daily)

    def rotate(self) -> bool:
        """Go on in another file at once; return whether that was done: a pipe has no other."""
        self.flush()
        return self._file.rotate(time.time())

    def log_request(
        self,
        from_address: str,
        now: float,
        request: str,
        names: str,
        values: str,
        status: int,
        sent: int,
        user: str = "",
    ) -> None:
        """Add a line. ``request`` are method, target and version with blanks between them.

        ``names`` and ``values`` are those of the fields that came, a line each; ``now`` is in
        seconds since 1970, ``sent`` the bytes of the body. ``user`` is who logged in. The password
        with which he did is in no line.
        """
        given = (from_address, now, request, names, values, status, sent, user)
        self.log_requests(given)

    def log_requests(self, told: tuple[Any, ...]) -> None:
        """Add a line for each of several requests, as `log_request` does.

        ``told`` are the arguments of `log_request` for the first of them, all eight, then those for
        the next, and so on.
        """
        if not self._file.is_open:
            return
        before, lines = len(self._lines), self._lines
        each = iter(told)
        for client, now, request, names, values, status, sent, user in zip(
            *(each,) * ITEMS, strict=True
        ):
            fields = {}
            if names:
                fields = dict(zip(names.split("\n"), values.split("\n"), strict=True))
            line = self.format_request(client, now, request, fields, status, sent, user)
            lines.append(line)
            self._chars += len(line)
        self.lines += len(lines) - before
        if self._chars >= WAITING_BYTES:
            self.flush()
        elif not self._timed:
            vista.self_ref(self).flush_later.post()
            self._timed = True

    def get_figures(self) -> dict[str, int]:
        """Return how many ``lines`` there were so far, and ``lines_lost`` of them."""
        return {"lines": self.lines, "lines_lost": self._file.lines_lost}

    def needs_fields(self) -> bool:
        """Return whether lines show fields of requests; they are passed only then."""
        return True

    def format_request(
        self,
        from_address: str,
        now: float,
        request: str,
        fields: dict[str, str],
        status: int,
        sent: int,
        user: str = "",
    ) -> str:
        """Return the line of a request, with its end."""
        raise NotImplementedError

    async def flush_later(self) -> None:
        """Write what waits after half a second; `log_requests` posts it."""
        # A thread that sleeps: a node that stops waits for it, so an orderly end loses no line.
        await asyncio.sleep(WAITING_SECONDS)
        self._timed = False
        self.flush_due()

    def flush_due(self) -> None:
        """Write what waits, since its time has come."""
        self.flush()
        if self._file.waits and self._timer is None:
            vista.self_ref(self).flush_again.post()

    async def flush_again(self) -> None:
        """Have what a pipe did not take offered again after half a second."""
        if self._timer is None:
            # No thread that sleeps: a node that stops would wait for the reader.
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(WAITING_SECONDS, self._offer_again)

    def _offer_again(self) -> None:
        self._timer = None
        vista.self_ref(self).flush_due.post()

    def flush(self) -> None:
        """Write what waits. A disk that is full costs lines, not requests.

        A file that somebody moved away or removed is begun anew.
        """
        self._file.follow()
        self._write()

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        self._chars = 0
        self._file.write(lines, time.time())


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
        request: str,
        fields: dict[str, str],
        status: int,
        sent: int,
        user: str = "",
    ) -> str:
        """Return ``host - user [date] "request" status bytes``."""
        who = f"{from_address or '-'} - {_word(user) if user else '-'}"
        line = f'{who} [{_date(int(now))}] "{_safe(request)}" {status} {sent or "-"}'
        if self.extra_fields:
            given = _shown(fields)
            for key in self.extra_fields:
                line += f' "{_safe(given.get(key, "-"))}"'
        return line + "\n"


class HTTPextendedLogFormat(RequestLog, namespace="HTTP"):
    """Logs the requests of a site in the extended log format of W3C.

    rc line: ``HTTPextendedLogFormat /var/log/harbour.log localhost date time cs-uri sc-status``

    ``create(file_name, site, *field_names)``: the names are ``date``, ``time``, ``c-ip``,
    ``cs-method``, ``cs-uri``, ``cs-uri-stem``, ``cs-uri-query``, ``cs-version``, ``sc-status``,
    ``sc-bytes``, ``cs(FIELD)`` for a field of the request, ``cs-username`` for who logged in, and
    ``x-common-date`` for the date of the common format; without any, the first ten. What is not
    known is ``-``.

    The original's HTTPextendedLogFormat.
    """

    def create(self, file_name: str, site: str = "localhost", *field_names: str) -> None:
        """Open the file and register."""
        self.field_names = field_names or _EXTENDED
        known = {*_EXTENDED, "cs-username", "x-common-date"}
        for name in self.field_names:
            if name not in known and not (name.startswith("cs(") and name.endswith(")")):
                raise vista.BadValueError(
                    f"no log field {name!r}; there are {', '.join(sorted(known))} and cs(FIELD)"
                )
        fields = " ".join(self.field_names)
        self.initialize(file_name, site, f"#Version: 1.0\n#Fields: {fields}\n")

    def format_request(
        self,
        from_address: str,
        now: float,
        request: str,
        fields: dict[str, str],
        status: int,
        sent: int,
        user: str = "",
    ) -> str:
        """Return the values of the fields, with blanks between them."""
        moment = time.gmtime(now)
        method, _, rest = request.partition(" ")
        address, _, version = rest.rpartition(" ")
        stem, _, query = address.partition("?")
        known = {
            "date": time.strftime("%Y-%m-%d", moment),
            "time": time.strftime("%H:%M:%S", moment),
            "c-ip": from_address,
            "cs-username": _word(user),
            "cs-method": method,
            "cs-uri": address,
            "cs-uri-stem": stem,
            "cs-uri-query": query,
            "cs-version": version,
            "sc-status": str(status),
            "sc-bytes": str(sent),
            "x-common-date": f"[{_date(int(now))}]",
        }
        given = _shown(fields)
        return " ".join(self._value(name, known, given) for name in self.field_names) + "\n"

    def _value(self, name: str, known: dict[str, str], given: dict[str, Any]) -> str:
        if name.startswith("cs("):
            value = given.get(name[3:-1].lower())
            return "-" if value is None else f'"{_safe(value)}"'
        return _safe(known[name]) or "-"


class HTTProtateLog(vista.Object, namespace="HTTP"):
    """Has the log of a site go on in another file each day, or when it has grown, or both.

    rc line: ``HTTProtateLog www.harbour.example 14 day 100M``

    ``create(site, kept, *when)``: ``kept`` is the number of old files that are kept; ``when`` are
    ``day`` (each day, UTC) and a size in bytes, with ``K``, ``M`` or ``G`` behind it. The log
    stands in an rc file before it. A file is put aside by one renaming and has the time in UTC at
    the end of its name, as in ``harbour.log.20261121-163000``.

    Whoever wants it at another time sends ``rotate`` to the service ``HTTPlogger:SITE``.
    """

    def create(self, site: str, kept: int, *when: str) -> None:
        """Tell the log of the site."""
        sizes = [_bytes(word) for word in when if word != "day"]
        if not when or len(sizes) > 1:
            raise vista.BadValueError(
                "a log is rotated by 'day', by one size such as 100M, or both"
            )
        self.site = site
        self.logger = vista.service(f"HTTPlogger:{site}")
        self.logger.set_rotation(kept, sizes[0] if sizes else None, "day" in when)


_SECRET = frozenset({"authorization", "proxy-authorization"})
_EXTENDED = (
    "date", "time", "c-ip", "cs-method", "cs-uri", "cs-uri-stem", "cs-uri-query", "cs-version",
    "sc-status", "sc-bytes",
)  # fmt: skip


def _shown(fields: dict[str, str]) -> dict[str, str]:
    """The fields of a request by name, without those that hold a password."""
    return {name: value for name, value in fields.items() if name not in _SECRET}


def _word(user: str) -> str:
    """A user's name as one word of a line."""
    return _safe(user).replace(" ", "\\x20") or "-"


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


def _bytes(word: str) -> int:
    """The bytes that a word like ``100M`` says."""
    digits = word.rstrip("KMG")
    unit = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(word[len(digits) :])
    if unit is None or not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        raise vista.BadValueError(f"a log is rotated by 'day' or a size such as 100M, not {word!r}")
    return int(digits) * unit
