"""Directory handlers that make objects of files."""

from __future__ import annotations

from typing import Any

import vista
from apps.http.content.paths import Refusal, Roots, resolve
from apps.http.content.resources import Response
from apps.http.objects.cached import HTTPcachedFile, HTTPrawCachedFile
from apps.http.objects.directory import Loaded
from apps.http.objects.files import file_data, refused

INDEX_NAMES = ("index.html", "index.shtml")
"""The files that stand for a directory, unless the profile's defaultFiles says otherwise."""


_CLASSES = {cls.__name__: cls for cls in (HTTPcachedFile, HTTPrawCachedFile)}


class URLfileLoader(vista.Object, namespace="HTTP"):
    """Makes a cached object of a file when its address is asked for.

    rc line: ``URLfileLoader localhost HTTPcachedFile / nil /srv/site``

    ``create(url_directory, object_class, root, checker, *directories)``: ``url_directory`` is the
    directory of a site or the site's name, ``object_class`` the class of the objects, usually
    ``HTTPcachedFile``, ``root`` the beginning of the addresses it serves; ``directories`` are
    searched in turn. ``checker`` is nil. ``default_files`` stand for a directory, the first that is
    there; names that begin with a dot are served only if ``hidden``.

    Nothing outside of the directories is ever served; symbolic links are followed inside them only.
    Directories are not listed.

    The original's URLfileLoader.
    """

    def create(
        self,
        url_directory: Any,
        object_class: str,
        root: str,
        checker: vista.Ref | None,
        *directories: str,
        default_files: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> None:
        """Register for the addresses below ``root``."""
        self.initialize(
            url_directory,
            object_class,
            root,
            checker,
            *directories,
            default_files=default_files,
            hidden=hidden,
        )

    def initialize(
        self,
        url_directory: Any,
        object_class: str,
        root: str,
        checker: vista.Ref | None,
        *directories: str,
        default_files: tuple[str, ...] = (),
        hidden: bool = False,
    ) -> None:
        """Register for the addresses below ``root``; a derived class calls it from ``create``."""
        if checker is not None:
            raise vista.BadValueError("a URLfileLoader takes no access checker; give nil")
        if not directories:
            raise vista.BadValueError("a URLfileLoader needs the directories whose files it serves")
        if not root.startswith("/"):
            raise vista.BadValueError(f"an address of a site begins with a slash, not {root!r}")
        if isinstance(url_directory, str) and not url_directory.startswith("URLdirectory:"):
            url_directory = f"URLdirectory:{url_directory}"
        self.url_directory = vista.ref_of(url_directory)
        self.object_class = object_class
        self._class: Any = _CLASSES.get(object_class, object_class)
        self.logical_root = root.rstrip("/") + "/"
        self.directory_roots = tuple(directories)
        self.default_files = default_files or INDEX_NAMES
        self.hidden = hidden
        self._roots = Roots(self.directory_roots, self.default_files, hidden)
        self.url_directory.register_directory_handler(self.logical_root, vista.self_ref(self))

    def handler_replaced(self, path: str) -> None:
        """Another loader serves its addresses from here on: go."""
        vista.post(vista.self_ref(self), "delete_yourself")

    def get_access_controller(self) -> None:
        """Return the access checker: there is none."""
        return

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
        found = resolve(self._roots, segments)
        if isinstance(found, Refusal):
            return refused(found, path)
        with found:
            data = file_data(self._roots, segments, found)
        made = vista.create(self._class, self.url_directory, path, None, data)
        return Loaded(made, made.get_size())
