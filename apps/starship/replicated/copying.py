"""How a server without a primary keeps its galaxy, and gets one from the others.

Two rules. What was saved or sent by another counts only if its hash is the one that was committed.
To write and to read a galaxy takes a kernel thread.
"""

from __future__ import annotations

import logging
from typing import Any

import vista
from apps.solidstate.objects.places import AnyPlace
from apps.starship.errors import ScenarioError
from apps.starship.replicated.realm import Realm, read_realm, realm_digest, write_realm
from apps.starship.rules.encoding import Encoder
from apps.starship.rules.theme import Theme

_log = logging.getLogger("vista.starship")

SERVERS = "StarshipServers"
"""The service that every server of a game registers on its node."""
FILE = "galaxy"
SAVE_STEPS = 60
"""Steps between two galaxies that are written; a restart computes those since then anew."""
PIECE_CHARACTERS = 250_000
"""Characters of a galaxy that go in one message; one of 84 objects has 140,000."""
PIECES_MAX = 400
"""Pieces of one galaxy, 100 MB: that of 10,000 starships has 17."""
OFFER_STEPS = 20
"""Steps for which a galaxy that was written for another server is good for the next one."""
COPY_SECONDS = 10.0
"""How long another server may take for one message."""


class RealmCopies:
    """The part of a `StarshipServer` that saves galaxies and hands them on."""

    _realm: Realm
    _theme: Theme
    _place: AnyPlace
    _judge: vista.Ref | None

    def _begin_copies(self) -> None:
        self.saved = 0
        self.trouble = ""
        self._is_saving = False
        self._offer: tuple[int, list[str]] = (-1, [])
        self._text = ""
        self._came: Realm | None = None

    # --- the disk --------------------------------------------------------------------------

    def save(self) -> None:
        """Write the galaxy; done every 60 steps, and when the node stops."""
        if self._is_saving or self._judge is None:
            return
        self._is_saving = True
        try:
            step: int = vista.send(_me(self), "write_galaxy")
        except OSError as error:
            if not self.trouble:
                _log.error("the galaxy cannot be saved here: %s", error)
            self.trouble = str(error)
        else:
            self.saved, self.trouble = step, ""
        finally:
            self._is_saving = False

    @vista.native
    @vista.preemptable
    def write_galaxy(self) -> int:
        """Write the galaxy as it is, for `save`; return its step."""
        realm = self._realm
        self._place.write(FILE, write_realm(realm).encode())
        return realm.state.step

    def _saved_realm(self) -> Realm | None:
        """Return the galaxy that was saved here, if it is one that was committed."""
        try:
            found = self._place.read(FILE)
        except OSError as error:
            _log.error("the galaxy that was saved cannot be read: %s", error)
            return None
        if found is None:
            return None
        return self._checked(found.decode("utf-8", "replace"), "the one that was saved here")

    # --- other servers ---------------------------------------------------------------------

    def get_galaxy(self) -> tuple[int, int]:
        """Return step and number of pieces of a galaxy that another server may have."""
        if self._judge is None:
            return -1, 0
        if self._realm.state.step > self._offer[0] + OFFER_STEPS or self._offer[0] < 0:
            step, text = vista.send(_me(self), "encode_galaxy")
            pieces = range(0, len(text), PIECE_CHARACTERS)
            self._offer = step, [text[at : at + PIECE_CHARACTERS] for at in pieces]
        return self._offer[0], len(self._offer[1])

    def get_galaxy_piece(self, step: int, number: int) -> str:
        """Return a piece of the galaxy after a step, ``""`` if that is not offered any longer."""
        known, pieces = self._offer
        return pieces[number] if step == known and 0 <= number < len(pieces) else ""

    @vista.native
    @vista.preemptable
    def encode_galaxy(self) -> tuple[int, str]:
        """Return the galaxy as it is as a text, with its step; in a kernel thread."""
        realm = self._realm
        return realm.state.step, write_realm(realm)

    def _others(self) -> list[vista.Ref]:
        """Return the other servers of the game that can be reached."""
        here = vista.id_of(vista.here()).node
        rows = [row.object for row in vista.services() if row.name == SERVERS]
        return [vista.ref_of(id) for id in sorted(rows) if id.node != here]

    def _realm_of_others(self, after: int) -> Realm | None:
        """Return a galaxy of a later step that another server has, None where nobody does."""
        for other in self._others():
            try:
                with vista.timeout(COPY_SECONDS):
                    found = self._fetch(other, after)
            except vista.VistaError as error:
                _log.warning("server %s gives no galaxy: %s", vista.id_of(other), error)
                continue
            if found is not None:
                return found
        return None

    def _fetch(self, other: vista.Ref, after: int) -> Realm | None:
        step, count = other.get_galaxy()
        if type(step) is not int or type(count) is not int or not 0 < count <= PIECES_MAX:
            return None
        if step <= after:
            return None
        pieces = [other.get_galaxy_piece(step, number) for number in range(count)]
        if not all(isinstance(piece, str) and len(piece) > 0 for piece in pieces):
            return None
        if max(map(len, pieces)) > PIECE_CHARACTERS:
            return None
        return self._checked("".join(pieces), f"that of server {vista.id_of(other)}")

    def _checked(self, text: str, whose: str) -> Realm | None:
        """Return the galaxy of a text if its hash is the one that was committed."""
        self._text = text
        try:
            digest: str = vista.send(_me(self), "read_galaxy")
        except ScenarioError as error:
            _log.warning("a galaxy cannot be read, %s: %s", whose, error)
            return None
        finally:
            self._text = ""
        realm, self._came = self._came, None
        judge: Any = self._judge_found()
        if realm is None or judge.get_hash(realm.state.step) != digest:
            _log.warning("a galaxy is not the one that was committed: %s", whose)
            return None
        return realm

    def _judge_found(self) -> vista.Ref:
        raise NotImplementedError

    @vista.native
    @vista.preemptable
    def read_galaxy(self) -> str:
        """Read the galaxy that came, and return its hash; in a kernel thread."""
        text = self._text
        if not text:
            return ""
        self._came = realm = read_realm(text, self._theme)
        return realm_digest(Encoder(), realm)


def _me(part: Any) -> vista.Ref:
    return vista.self_ref(part)
