"""Files as objects: kept whole, checked when they are asked for, at most once a second."""

from __future__ import annotations

import dataclasses
import logging
import os
import secrets
import time
from typing import Any

import vista
from apps.http.content.compressing import (
    COMPRESS_BYTES_MIN,
    chosen_coding,
    is_compressible,
    kept_codings,
    suits,
)
from apps.http.content.files import (
    CONDITIONAL,
    Selected,
    content_type,
    file_fields,
    from_memory,
    select,
)
from apps.http.content.paths import CODINGS, Refusal, refusal_of, resolve
from apps.http.content.resources import Request, Response, error_response, prepare
from apps.http.content.ssi.processor import process
from apps.http.errors import FileChanged
from apps.http.objects.compression import EVERYTHING, NOTHING, compress_aside
from apps.http.objects.entries import ACCEPTS_CHARACTERS_MAX, CHECK_SECONDS, READY_MAX
from apps.http.objects.files import FileData, HTTPfileBody, file_data, refused
from apps.http.objects.found import service_name
from apps.http.objects.includes import SiteLoader, states_of
from apps.http.syntax.etags import EntityTag
from apps.http.syntax.limits import HttpLimits
from apps.http.syntax.negotiation import IDENTITY

_log = logging.getLogger("vista.http")

OBJECT_BYTES = 2_048
"""Bytes that an object takes beside its file."""

_RANGES_MAX = HttpLimits().ranges_max
_WORTH = 0.9
"""The part of a file that a compressed form takes at most, or the form is not worth its memory."""
_ENDINGS = dict(CODINGS)


class HTTPcachedObject(vista.Object, namespace="HTTP", abstract=True):
    """What answers for an address as long as it is good, and then goes.

    A derived class has `check_if_still_valid` say for how long. ``initialize(url_directory, path)``
    says where it is registered; it does not register itself.

    The original's HTTPcachedObject.
    """

    def initialize(self, url_directory: vista.Ref, path: str) -> None:
        """Take note of the directory; a derived class calls it from its own ``create``."""
        self.url_directory = url_directory
        self.path = path

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_object", self.path, me)

    def get_size(self) -> int:
        """Return the bytes it takes."""
        return OBJECT_BYTES

    def check_if_still_valid(self, current_time: int | None = None) -> int:
        """Return for how many seconds more it is good, about; 0 when it is not."""
        return 0

    def delete_if_obsolete(self, current_time: int, check_interval: int) -> bool:
        """Delete the object if it will not be good in ``check_interval`` seconds; return whether.

        ``current_time`` is in seconds since 1970.
        """
        if self.check_if_still_valid(current_time) > check_interval:
            return False
        vista.post(vista.self_ref(self), "delete_yourself")
        return True


class _State:
    """A file, or one of its compressed forms, as it is sent.

    What was ``made`` here and not found on the disk has no ranges and a weak tag of its own.
    """

    __slots__ = ("_prepared", "described", "etag", "file", "modified")

    def __init__(
        self,
        file: FileData,
        kind: str,
        coding: str | None,
        varies: bool,
        now: float,
        made: bool = False,
    ) -> None:
        self.file = file
        self.etag = file.facts.etag(now)
        if made:
            self.etag = EntityTag(f"{self.etag.opaque}-{coding}", weak=True)
        self.modified = file.facts.modified
        self.described = file_fields(kind, self.etag, self.modified, coding, varies)
        if made:
            without = (pair for pair in self.described if pair[0] != "Accept-Ranges")
            self.described = tuple(without)
        self._prepared: Response | None = None

    def prepared(self) -> Response:
        """Return the answer of the whole file with its head written; it must be in memory.

        Made when it is asked for: many files are read once and never again.
        """
        if self._prepared is None:
            assert self.file.data is not None, "a file that is not kept is not sent at once"
            self._prepared = prepare(Response(self.file.data, 200, self.described))
        return self._prepared


class HTTPrawCachedFile(HTTPcachedObject, namespace="HTTP"):
    """A file of a site, sent as it is.

    `URLfileLoader` makes it: ``create(url_directory, path, cgi_environment, file)``, the file being
    a `FileData`. It is kept in memory up to 1 MiB, and answers with every conditional and range of
    HTTP. Beside it, ``.br``, ``.zst`` and ``.gz`` forms of it are sent to who accepts them. Where
    there is none, a text of 1 KiB or more is compressed when somebody first asks for it, unless the
    profile of the site says ``compress no``, and kept as well.

    A file that was replaced, changed or deleted is noticed within a second.

    The original's HTTPrawCachedFile.
    """

    def create(
        self, url_directory: vista.Ref, path: str, cgi_environment: Any, file: FileData
    ) -> None:
        """Keep the file."""
        self.initialize(url_directory, path)
        self.kind = content_type(file.name)
        self.compression: str = url_directory.get_compression()
        self._checked = time.time()
        self._states: dict[str | None, _State] = {}
        # By coding; None while it is made, and where it would not be worth it.
        self._made: dict[str, _State | None] = {}
        self._codings: tuple[str, ...] = ()
        # The fields Accept-Encoding asked for since the last check, and whether the directory has
        # the answer by this time.
        self._offered: dict[str | None, bool] = {}
        self._take(file, self._checked)

    def get_size(self) -> int:
        """Return the bytes it takes, its compressed forms included."""
        kept = (*self._states.values(), *self._made.values())
        return OBJECT_BYTES + sum(len(state.file.data or b"") for state in kept if state)

    def check_if_still_valid(self, current_time: int | None = None) -> int:
        """Return 60 while the file on the disk is the one that is kept, else 0."""
        return 0 if self._check(time.time()) is not None else 60

    def get_request(self, request: Request) -> Response:
        """Answer GET and HEAD."""
        now = time.time()
        if not 0 <= now - self._checked < CHECK_SECONDS:
            refusal = self._check(now)
            if refusal is not None:
                vista.post(vista.self_ref(self), "delete_yourself")
                return refused(refusal, self.path)
        accepts = request.field("accept-encoding") if self._codings else None
        chosen = self._choose(request, accepts)
        state = chosen or self._states[None]
        data = state.file.data
        if data is not None and CONDITIONAL.isdisjoint(request.header_names.split("\n")):
            if accepts not in self._offered:
                # For the first time: to write a head for many takes longer than for one.
                self._note_asked(accepts)
                return Response(data, 200, state.described)
            if chosen is not None and not self._offered[accepts]:
                self._offer(accepts, state.prepared())
            return state.prepared()
        try:
            return self._select(state, request, now)
        except FileChanged:
            self._checked = 0.0
            return refused(Refusal.BEING_CHANGED, self.path)

    def _note_asked(self, accepts: str | None) -> None:
        if accepts is not None and len(accepts) > ACCEPTS_CHARACTERS_MAX:
            return
        if len(self._offered) >= READY_MAX:
            self._offered.clear()
        self._offered[accepts] = False

    def _offer(self, accepts: str | None, answer: Response) -> None:
        """Have the directory answer plain requests by itself until the disk is asked again."""
        self._offered[accepts] = True
        me = vista.self_ref(self)
        self.url_directory.keep_answer.post(self.path, me, accepts, answer, self._checked)

    def _choose(self, request: Request, accepts: str | None) -> _State | None:
        """Choose the form of the file that the client wants most; it may have to be made.

        None stands for the plain one in its place, where it is not there or not worth it.
        """
        if not accepts:
            return self._states[None]
        names = request.header_names.split("\n")
        # Parts are given of what has a strong tag, so of nothing that was made.
        offered = self._found_codings() if "range" in names else self._codings
        chosen = chosen_coding(accepts, offered)
        if chosen == IDENTITY:
            return self._states[None]
        found = self._states.get(chosen)
        if found is None:
            found = self._made[chosen] if chosen in self._made else self._make_form(chosen)
        return found

    def _found_codings(self) -> tuple[str, ...]:
        return tuple(coding for coding in self._states if coding is not None)

    def _make_form(self, coding: str) -> _State | None:
        """Compress the file; meanwhile others get the plain form, and so do all if it is not worth
        it."""
        plain = self._states[None]
        data = plain.file.data
        assert data is not None, "what is not kept has no forms"
        self._made[coding] = None
        # Else it would be made again for each request, the file having to go for its own form.
        if not self.url_directory.keeps(self.get_size() + len(data)):
            return None
        try:
            body = compress_aside(data, coding, kept=True)
        except vista.ThreadKilled:
            self._made.pop(coding, None)
            raise
        except vista.CallError as error:
            _log.warning("%s: not compressed: %r", self.path, error)
            self._made.pop(coding, None)
            return None
        if self._states[None] is not plain or len(body) > _WORTH * len(data):
            return None
        form = dataclasses.replace(plain.file, data=body, size=len(body))
        made = self._made[coding] = _State(form, self.kind, coding, True, time.time(), made=True)
        self._note_size()
        return made

    def _note_size(self) -> None:
        me = vista.self_ref(self)
        self.url_directory.note_size.post(self.path, me, self.get_size())

    def _select(self, state: _State, request: Request, now: float) -> Response:
        selected = select(
            request.method, request.fields(), state.file.size, state.described, state.etag,
            state.modified, now, _RANGES_MAX, lambda: secrets.token_hex(16),
        )  # fmt: skip
        if not isinstance(selected, Selected):
            return selected
        if state.file.data is not None:
            return from_memory(selected, state.file.data)
        pieces = tuple(
            piece if isinstance(piece, bytes) else (piece.first, piece.length)
            for piece in selected.pieces
        )
        source = vista.create(HTTPfileBody, state.file, pieces)
        return Response(b"", selected.status, selected.fields, source, selected.length)

    # --- keeping up with the disk ----------------------------------------------------------

    def _check(self, now: float) -> Refusal | None:
        """Look at the disk; return why the file is no longer there, if so."""
        known = self._states[None].file
        found = resolve(known.roots(), known.segments)
        if isinstance(found, Refusal):
            return found
        self._checked = now
        self._offered.clear()
        try:
            with found:
                file = file_data(known.roots(), known.segments, found, self._settled(None))
        except FileChanged:
            return Refusal.BEING_CHANGED
        except OSError as error:
            _log.warning("%s: %s", self.path, error)
            return refusal_of(error)
        self._take(file, now)
        return None

    def _settled(self, coding: str | None) -> FileData | None:
        """Return what is kept of a file, unless another state of it may look the same: it was so
        young that a change since would have left no trace."""
        state = self._states.get(coding)
        return None if state is None or state.etag.weak else state.file

    def _take(self, file: FileData, now: float) -> None:
        """Keep a file, and what stands beside it, unless that is what is kept already."""
        files: dict[str | None, FileData] = {None: file}
        if is_compressible(self.kind):
            files |= self._beside(file)
        before = self._states
        if (
            files.keys() == before.keys()
            and all(before[coding].file == found for coding, found in files.items())
            and not any(state.etag.weak for state in before.values())
        ):
            return
        self.kind = content_type(file.name)
        found = tuple(coding for coding in files if coding is not None)
        makes = self.compression != NOTHING and file.data is not None
        if makes and file.size >= COMPRESS_BYTES_MIN and is_compressible(self.kind):
            self._codings = tuple(dict.fromkeys((*found, *kept_codings())))
        else:
            self._codings = found
        varies = bool(self._codings)
        self._made = {}
        self._states = {
            coding: _State(own, self.kind, coding, varies, now) for coding, own in files.items()
        }
        if before:
            self._note_size()
            self.url_directory.drop_answers.post(self.path, vista.self_ref(self))

    def _beside(self, file: FileData) -> dict[str | None, FileData]:
        """Return the precompressed forms of a file; they lie beside it under its name."""
        found: dict[str | None, FileData] = {}
        folder = "/".join((file.root, *file.segments[:-1]))
        for coding, ending in CODINGS:
            name = file.name + ending
            # A look at the name, which costs 1 us, before the walk that is safe, which costs 30.
            # By access(), which raises nothing for names that cannot be: this one may be too long.
            if not os.access(f"{folder}/{name}", os.F_OK):
                continue
            segments = (*file.segments[:-1], *name.split("/"))
            opened = resolve(file.roots(), segments)
            if isinstance(opened, Refusal):
                continue
            try:
                with opened:
                    form = file_data(file.roots(), segments, opened, self._settled(coding))
            except (FileChanged, OSError) as error:
                # As if it were not there; the next look at the disk may find it whole.
                _log.warning("%s: %s", "/".join(segments), error)
                continue
            # One that is older was made of another state of the file.
            if form.modified_ns >= file.modified_ns:
                found[coding] = form
        return found


class HTTPcachedFile(HTTPrawCachedFile, namespace="HTTP"):
    """A file of a site whose server-side includes are carried out, if its name ends in ``.shtml``.

    Else as `HTTPrawCachedFile`. A page that asks for no variable is kept until it, or anything it
    includes, changes, or until what it calls says.

    The original's HTTPcachedFile.
    """

    def create(
        self, url_directory: vista.Ref, path: str, cgi_environment: Any, file: FileData
    ) -> None:
        """Keep the file."""
        self._page: _Kept | None = None
        super().create(url_directory, path, cgi_environment, file)

    def get_size(self) -> int:
        """Return the bytes it takes, those of the page that is kept included."""
        page = self._page
        return super().get_size() + (0 if page is None else len(page.answer.body))

    def get_request(self, request: Request) -> Response:
        """Answer GET and HEAD."""
        if not self._states[None].file.name.endswith(".shtml"):
            return super().get_request(request)
        now = time.time()
        if not 0 <= now - self._checked < CHECK_SECONDS:
            refusal = self._check(now)
            if refusal is not None:
                vista.post(vista.self_ref(self), "delete_yourself")
                return refused(refusal, self.path)
        page = self._page
        if page is not None and page.is_good(self._states[None].file, now):
            return page.answer
        return self._make(request, now)

    def _make(self, request: Request, now: float) -> Response:
        file = self._states[None].file
        if file.data is None:
            return error_response(500, "The page is too large.")
        loader = SiteLoader(file, self.url_directory, self.path)
        page = process(
            file.data.decode("utf-8", "replace"),
            _environment(request, file),
            loader,
            now,
            path=file.segments,
            modified=file.modified_ns / 1e9,
        )
        for problem in page.problems:
            _log.warning("%s", problem)
        # It has no date of its own, and a tag of it would have to know all it shows.
        fields = (("Content-Type", self.kind), ("Cache-Control", "no-cache"))
        answer = Response(page.text.encode("utf-8", "replace"), 200, fields)
        # What is to be compressed cannot be written yet.
        later = self.compression == EVERYTHING and suits(answer)
        answer = answer if later else prepare(answer)
        before, self._page = self.get_size(), None
        if not page.variables and (page.expires is None or now < page.expires):
            seen = loader.states_of(page.dependencies)
            self._page = _Kept(answer, file, seen, page.expires, now)
        if self.get_size() != before:
            self._note_size()
        return answer


@dataclasses.dataclass(slots=True)
class _Kept:
    """A page that is the same for everybody, and what it was made of: a file, and what it named as
    that was ``seen`` when it was put in. ``looked`` is when that was compared with the disk."""

    answer: Response
    file: FileData
    seen: dict[tuple[str, ...], Any]
    expires: float | None
    looked: float

    def is_good(self, file: FileData, now: float) -> bool:
        """Tell whether the page is what would be made of ``file`` at this time."""
        if file is not self.file or (self.expires is not None and now >= self.expires):
            return False
        if not 0 <= now - self.looked < CHECK_SECONDS:
            if states_of(file, self.seen) != self.seen:
                return False
            self.looked = now
        return True


def _environment(request: Request, file: FileData) -> dict[str, str]:
    """Return the variables of a request that a page may show, by their names in CGI (RFC 3875)."""
    names = {
        "DOCUMENT_NAME": file.name,
        "DOCUMENT_URI": request.path,
        "QUERY_STRING": request.query,
        "REMOTE_ADDR": request.client,
        "REQUEST_METHOD": request.method,
        "SERVER_NAME": request.site,
        "SERVER_PROTOCOL": f"HTTP/{request.version}",
    }
    if request.user:
        names["REMOTE_USER"] = request.user
    for name, value in request.header().items():
        # RFC 3875, section 4.1.18: a page must not show the password with which one came in.
        if name not in ("authorization", "proxy-authorization"):
            names[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return names


class HTTPpurgeCache(vista.Object, namespace="HTTP"):
    """Has the cached objects of a site that are not good any longer deleted, again and again.

    rc line: ``HTTPpurgeCache 30 www.harbour.example``

    ``create(check_interval, site)``: ``check_interval`` in seconds. Files that somebody asks for
    are checked anyhow; this gives back the memory of those that nobody does.

    The original's HTTPpurgeCache, whose page is lost.
    """

    def create(self, check_interval: float, site: str = "localhost") -> None:
        """Start the clock."""
        if not check_interval >= 1:
            raise vista.BadValueError(f"check_interval is 1 second or more, not {check_interval}")
        self.check_interval = check_interval
        self.site = site
        self.timer = vista.create("RepeatingTimerEvent", vista.self_ref(self), check_interval)

    def delete(self) -> None:
        """Stop the clock."""
        vista.post(self.timer, "delete_yourself")

    def timer_expired(self, timer: Any = None, extra_data: Any = None) -> None:
        """Look at every cached object; the timer sends it."""
        now = int(time.time())
        directory = vista.service(service_name(self.site))
        directory.delete_obsolete(now, 0)
