"""The code that peers brought, kept in a node's state directory for its next run.

There is a file for each version of a class, written whole. What is read is believed only if its
digest is right; a file that is damaged counts as missing. The directory must be its owner's alone,
as whoever writes there decides what the node runs.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vista.errors import ClassDefinitionError, RemoteProtocolError
from vista.mobility.code import ClassCode, check_code

if TYPE_CHECKING:
    from vista.kernel.kernel import Kernel

_DIRECTORY: Final = "code"
_ENDING: Final = ".code"

_log = logging.getLogger("vista.code")


def keep_code(kernel: Kernel, code: ClassCode) -> None:
    """Keep the code of a class, in place of what is kept under its name and version.

    Does nothing on a node without a state directory. What cannot be kept is logged.
    """
    directory = _directory_of(kernel)
    if directory is None:
        return
    path = directory / f"{code.namespace}.{code.name}.{code.version}{_ENDING}"
    unfinished = path.with_suffix(f".{os.getpid()}")
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists() and len(_files(directory)) >= kernel.limits.code_modules_kept_max:
            _log.warning("%s is not kept: %s is full", code.class_name, directory)
            return
        unfinished.write_bytes(kernel.codec.encode(code))
        unfinished.replace(path)
    except OSError as error:
        _log.warning("%s is not kept: %s", code.class_name, error)


def find_kept(kernel: Kernel, parts: tuple[str | None, str, int | None]) -> ClassCode | None:
    """Return the kept code of a class, the newest version that fits; None when there is none.

    ``parts`` are name space, name and version; None stands for any.
    """
    directory = _directory_of(kernel)
    if directory is None or not _is_private(directory):
        return None
    fitting = []
    for path in _files(directory):
        namespace, name, version = path.name.removesuffix(_ENDING).split(".")
        own = (namespace, name, int(version))
        if all(part in (None, mine) for part, mine in zip(parts, own, strict=True)):
            fitting.append((own[2], path, own))
    for _, path, own in sorted(fitting, reverse=True):
        code = _read(kernel, path)
        if code is not None and (code.namespace, code.name, code.version) == own:
            return code
    return None


def _directory_of(kernel: Kernel) -> Path | None:
    state: Any = kernel.settings.get("state_directory")
    return None if state is None else Path(state) / _DIRECTORY


def _files(directory: Path) -> list[Path]:
    found = directory.glob(f"*.*.*{_ENDING}")
    return sorted(path for path in found if path.name.split(".")[-2].isdecimal())


def _is_private(directory: Path) -> bool:
    try:
        found = directory.stat()
    except OSError:
        return False
    if found.st_uid == os.getuid() and stat.S_IMODE(found.st_mode) & 0o077 == 0:
        return True
    _log.error(
        "%s has mode %04o: others than its owner can use it, so no code is taken from it; mend "
        "it: chmod 700 %s",
        directory,
        stat.S_IMODE(found.st_mode),
        directory,
    )
    return False


def _read(kernel: Kernel, path: Path) -> ClassCode | None:
    try:
        if path.stat().st_size > 2 * kernel.limits.code_bytes_max:
            raise RemoteProtocolError("it is larger than any code may be")
        return check_code(kernel.codec.decode(path.read_bytes()), kernel.limits)
    except (OSError, RemoteProtocolError, ClassDefinitionError) as error:
        _log.error("%s is passed over: %s", path, error)
        return None
