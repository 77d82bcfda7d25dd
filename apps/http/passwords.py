"""The command that writes files of passwords: ``python -m apps.http.passwords FILE USER``.

It asks for the password twice, or takes it from the first line of its input if that is no
terminal. Nothing secret is ever an argument: other users of the machine see those.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

from apps.http.content.passwords import (
    ALL_METHODS,
    USUAL_METHODS,
    make_account,
    read_passwords,
    write_passwords,
)
from apps.http.errors import FieldSyntaxError, PasswordFileError
from apps.http.syntax.authentication import check_realm, normal

_METHODS_HELP = "what the user may send (GET and HEAD if not given, * for all)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code; ``arguments`` are those of the process if None."""
    parser = argparse.ArgumentParser(
        "python -m apps.http.passwords",
        description="Give a user a password in a file that HTTPprotectedDirectory reads.",
    )
    parser.add_argument("file", type=Path, help="the file; it is made if it is not there")
    parser.add_argument("user", help="the user's name, without a colon")
    parser.add_argument("--digest", metavar="REALM", help="let the user in by Digest as well")
    parser.add_argument("--methods", metavar="METHOD", nargs="+", default=[], help=_METHODS_HELP)
    parser.add_argument("--remove", action="store_true", help="take the user out of the file")
    options = parser.parse_args(arguments)
    try:
        _change(options)
    except (PasswordFileError, FieldSyntaxError) as error:
        print(f"passwords: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"passwords: {options.file}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _change(options: argparse.Namespace) -> None:
    accounts = read_passwords(options.file) if options.file.exists() else {}
    user = normal(options.user)
    if options.remove:
        if accounts.pop(user, None) is None:
            raise PasswordFileError(f"user {user!r} is not in {options.file}")
        write_passwords(options.file, accounts)
        print(f"{user} is out of {options.file}")
        return
    if options.digest is not None:
        check_realm(options.digest)
    methods = frozenset(method.upper() for method in options.methods) or USUAL_METHODS
    for method in methods - {ALL_METHODS}:
        if not (method.isascii() and method.isalpha()):
            raise PasswordFileError(f"{method!r} is no method, such as POST")
    account = make_account(user, _ask(user), options.digest, methods)
    known = account.user in accounts
    accounts[account.user] = account
    write_passwords(options.file, accounts)
    print(f"{account.user} has {'another' if known else 'a'} password in {options.file}")


def _ask(user: str) -> str:
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    password = getpass.getpass(f"password of {user}: ")
    if getpass.getpass("once more: ") != password:
        raise PasswordFileError("the two are not the same; nothing was changed")
    return password


if __name__ == "__main__":
    sys.exit(main())
