"""Files that nobody asked for lately: read and answered without an object.

To read a file takes a third of what it takes to make its object, look for its other forms and find
it a place, and most files of a large tree are asked for once in a long while. A loader says by a
value how it would read (`FirstReads`), and the directory of its site reads by it: to ask the loader
for each would be a message more, which takes as long as the read. One rule: what is answered here
is what the object would answer, field by field; whatever is more than the bytes of a file is left
to it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import vista
from apps.http.content.compressing import COMPRESS_BYTES_MIN, is_compressible
from apps.http.content.disk import OpenFile
from apps.http.content.files import content_type, whole_file
from apps.http.content.paths import Refusal, Roots, resolve
from apps.http.content.resources import Response
from apps.http.errors import FileChanged
from apps.http.objects.files import (
    CACHED_FILE_BYTES_MAX,
    failed,
    has_forms,
    read_whole,
    refused,
)
from apps.http.syntax.etags import file_etag_text


@vista.record
@dataclass(frozen=True, slots=True)
class FirstReads:
    """How a loader reads a file: ``directories``, ``index_names`` and ``hidden`` as `Roots` has
    them, whether files with ``includes`` are carried out, and whether texts go out compressed.
    """

    directories: tuple[str, ...]
    index_names: tuple[str, ...]
    hidden: bool
    includes: bool
    compresses: bool


class FirstReader:
    """Reads the files of one loader. ``root`` is the beginning of the addresses it serves."""

    __slots__ = ("_compresses", "_includes", "_root_characters", "_roots")

    def __init__(self, root: str, reads: FirstReads) -> None:
        self._root_characters = len(root)
        self._includes = reads.includes
        self._compresses = reads.compresses
        self._roots = Roots(reads.directories, reads.index_names, reads.hidden)

    def read(self, path: str, accepts: str) -> Response | None:
        """Return the answer to a plain GET for a file that nobody asked for lately.

        ``accepts`` is the field Accept-Encoding. None stands for what an object is to be made for
        at once: a text for who takes it compressed, a page with includes, a large file, a listing.
        Nothing of the site may be closed. What is not in memory is waited for in a thread aside.
        """
        segments = tuple(path[self._root_characters :].split("/"))
        if accepts and (not segments[-1] or is_compressible(content_type(segments[-1]))):
            return None
        found = resolve(self._roots, segments)
        if isinstance(found, Refusal):
            return None if found is Refusal.NO_INDEX else refused(found, path)
        try:
            return self._answer(found, segments, path)
        finally:
            found.close()

    def _answer(self, file: OpenFile, segments: tuple[str, ...], path: str) -> Response | None:
        name = file.index or segments[-1]
        if file.size > CACHED_FILE_BYTES_MAX or (self._includes and name.endswith(".shtml")):
            return None
        kind = content_type(name)
        varies = is_compressible(kind)
        if varies and not (self._compresses and file.size >= COMPRESS_BYTES_MIN):
            # It has the forms that lie beside it and no others.
            if has_forms(file.root, (*segments[:-1], *name.split("/"))):
                return None
            varies = False
        try:
            data = read_whole(file)
        except FileChanged:
            return refused(Refusal.BEING_CHANGED, path)
        except OSError as error:
            return failed(error, path)
        changed = file.modified_ns
        tag = file_etag_text(file.inode, file.size, changed, time.time_ns())
        return whole_file(data, kind, tag, changed // 1_000_000_000, varies)
