"""Directory handlers that make objects of files."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import vista
from apps.http.content.paths import Refusal, Roots, resolve
from apps.http.content.resources import Response
from apps.http.errors import FileChanged
from apps.http.objects.cached import HTTPcachedFile, HTTPrawCachedFile
from apps.http.objects.compression import NOTHING
from apps.http.objects.files import failed, file_data, refused
from apps.http.objects.first_reads import FirstReads
from apps.http.objects.found import Loaded, service_name
from apps.http.objects.listings import HTTPdirectoryListing

_log = logging.getLogger("vista.http")

INDEX_NAMES = ("index.html", "index.shtml")
"""The files that stand for a directory, unless the profile's defaultFiles says otherwise."""


_CLASSES = {cls.__name__: cls for cls in (HTTPcachedFile, HTTPrawCachedFile)}


class URLfileLoader(vista.Object, namespace="HTTP"):
    """Makes a cached object of a file when its address is asked for.

    rc line: ``URLfileLoader localhost HTTPcachedFile / nil /srv/site``

    ``create(url_directory, object_class, root, checker, *directories)``: ``url_directory`` is the
    directory of a site or the site's name, ``object_class`` the class of the objects, usually
    ``HTTPcachedFile`` (an rc file that names one which is not known when its last line was carried
    out is mistaken), ``root`` the beginning of the addresses it serves; ``directories`` are
    searched in turn. ``checker`` is a `URLprotectedFile` that is asked who may read them, or nil.
    ``default_files`` stand for a directory, the first that is
    there; names that begin with a dot are served only if ``hidden``.

    Nothing outside of the directories is ever served; symbolic links are followed inside them only.
    Directories without an index are listed if the site's profile says ``listings yes``.

    The original's URLfileLoader.
    """

    def initialize(
        self,
        url_directory: Any,
        object_class: str | vista.ClassName,
        root: str,
        checker: vista.Ref | None,
        *directories: str,
        default_files: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> None:
        """Register for the addresses below ``root``; a derived class calls it from ``create``."""
        if not directories:
            raise vista.BadValueError("a URLfileLoader needs the directories whose files it serves")
        if not root.startswith("/"):
            raise vista.BadValueError(f"an address of a site begins with a slash, not {root!r}")
        self.url_directory = vista.ref_of(service_name(url_directory))
        self.object_class = object_class
        self._class: Any = _CLASSES.get(str(object_class), object_class)
        self.logical_root = root.rstrip("/") + "/"
        self.directory_roots = tuple(directories)
        for name in directories:
            if not Path(name).is_dir():
                _log.warning("no directory %s: nothing of it is served", Path(name).absolute())
        self.default_files = default_files or INDEX_NAMES
        self.hidden = hidden
        self.access_controller = checker
        self._roots = Roots(self.directory_roots, self.default_files, hidden)
        if checker is not None:
            self.url_directory.protect(self.logical_root, checker)
        reads = None
        # Classes of others may answer otherwise than with what is in the file, loaders of others
        # have their own way to it.
        is_own = type(self).load_object is URLfileLoader.load_object
        if is_own and self._class in (HTTPcachedFile, HTTPrawCachedFile):
            includes = self._class is HTTPcachedFile
            compresses = self.url_directory.get_compression() != NOTHING
            reads = FirstReads(
                self.directory_roots, tuple(self.default_files), hidden, includes, compresses
            )
        me = vista.self_ref(self)
        self.url_directory.register_directory_handler(self.logical_root, me, reads)

    create = initialize

    def delete(self) -> None:
        """Leave the directory."""
        me = vista.self_ref(self)
        # In flight and not waited for: the directory may be gone, which is nobody's mistake.
        vista.future(self.url_directory, "unregister_directory_handler", self.logical_root, me)

    def handler_replaced(self, path: str) -> None:
        """Another loader serves its addresses from here on: go."""
        vista.post(vista.self_ref(self), "delete_yourself")

    def get_access_controller(self) -> vista.Ref | None:
        """Return the access checker, None when everybody may read the files."""
        return self.access_controller

    def get_directory_roots(self) -> list[str]:
        """Return the directories that are searched."""
        return list(self.directory_roots)

    def get_default_files(self) -> list[str]:
        """Return the names of files that stand for a directory."""
        return list(self.default_files)

    def load_object(self, path: str) -> Response | Loaded:
        """Return an object for the file at an address, or the answer that says why there is none.

        The directory of the site sends it.
        """
        segments = tuple(path[len(self.logical_root) :].split("/"))
        roots = self._roots_for(path)
        found = resolve(roots, segments)
        if found is Refusal.NO_INDEX and self.url_directory.get_listings():
            listing = vista.create(
                HTTPdirectoryListing, self.url_directory, path, tuple(roots.directories),
                tuple(roots.index_names), roots.hidden, roots.closed, segments,
            )  # fmt: skip
            return Loaded(listing, listing.get_size())
        if isinstance(found, Refusal):
            return refused(found, path)
        try:
            with found:
                data = file_data(roots, segments, found)
        except FileChanged:
            return refused(Refusal.BEING_CHANGED, path)
        except OSError as error:
            return failed(error, path)
        made = vista.create(self._class, self.url_directory, path, None, data)
        try:
            return Loaded(made, made.get_size())
        except BaseException:
            vista.post(made, "delete_yourself")
            raise

    def _roots_for(self, path: str) -> Roots:
        """Return the directories, closed where an address is not under the same guards."""
        closed = self.url_directory.get_closed(path)
        if not closed:
            return self._roots
        below = [own[len(self.logical_root) :] for own in closed if self._is_below(own)]
        places = tuple(tuple(own.split("/")) for own in below)
        return dataclasses.replace(self._roots, closed=places)

    def _is_below(self, path: str) -> bool:
        return path.startswith(self.logical_root) and path != self.logical_root
