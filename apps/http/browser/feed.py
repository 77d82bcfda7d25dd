"""What keeps a page live: a stream of events with the parts of the page that changed."""

from __future__ import annotations

import json
from typing import Any, Final

import vista
from apps.http.browser.bounds import FEED_CLIENTS_MAX, LIVE_SECONDS, PART_BYTES_MAX
from apps.http.objects.events import HTTPeventStream

_LOOK: Final = "look"
"""What the timer says that has the page made again; the stream itself has another timer."""

_LOOKS_ALONE_MAX: Final = 3
"""Looks without a client after which the feed ends: one that reloads the page comes back sooner."""


class HTTPbrowserFeed(HTTPeventStream, namespace="HTTP"):
    """Keeps a page of the object browser live for those who have it open.

    `HTTPcreateObjectBrowserSession` makes one for each page, and it deletes itself when nobody
    looks any more. ``create(service, browser, view)``: who made it, who makes the page, and the
    path of the page below the root of the browser. Every three seconds the page is made again, and
    each part of it that is another one than before is sent as event ``part``.
    """

    def create(  # type: ignore[override]
        self, service: vista.Ref, browser: vista.Ref, view: str
    ) -> None:
        """Begin without clients."""
        super().create(history_max=0, clients_max=FEED_CLIENTS_MAX)
        self.service = service
        self.browser = browser
        self.view = view
        self.looks_alone = 0
        self._told: dict[str, str] = {}
        self._trouble = ""
        self._looking = False
        self._look_timer = vista.create(
            "RepeatingTimerEvent", vista.self_ref(self), LIVE_SECONDS, _LOOK
        )

    def delete(self) -> None:
        """End the stream."""
        # In flight and not waited for: they may be gone with the node.
        me = vista.self_ref(self)
        vista.future(self.service, "feed_ended", self.browser, self.view, me)
        vista.future(self._look_timer, "delete_yourself")
        super().delete()

    def feed_opened(self, note: tuple[str, bytes], receiver: vista.Ref, number: int) -> None:
        """Take a client, and tell all parts once more: its page may be a little older."""
        super().feed_opened(note, receiver, number)
        self._told.clear()
        self._trouble = ""
        vista.self_ref(self).look.post()

    def timer_expired(self, timer: vista.Ref, extra_data: object = None) -> None:
        """Look again; the other timer is that of the stream."""
        if extra_data == _LOOK:
            self.look()
        else:
            super().timer_expired(timer, extra_data)

    def look(self) -> None:
        """Have the page made again and tell what changed."""
        if self._looking:
            return
        if not self.get_clients():
            self.looks_alone += 1
            if self.looks_alone >= _LOOKS_ALONE_MAX:
                vista.self_ref(self).delete_yourself.post()
            return
        self.looks_alone = 0
        self._looking = True
        try:
            call = vista.future(self.browser, "live_parts", self.view)
            gone = call.exception() is not None
        finally:  # whoever waits may be ended, and then the next look is to look again
            self._looking = False
        if gone:
            # The session is over, and with it everything that was to be seen in it.
            vista.self_ref(self).delete_yourself.post()
        else:
            self._tell(*call.result())

    def _tell(self, parts: dict[str, str], trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            self.send_event(json.dumps(trouble), "trouble")
        for name, part in parts.items():
            if self._told.get(name) != part:
                self._told[name] = part
                self.send_event(_part_event(name, part), "part")


def _part_event(name: str, part: str) -> str:
    """Return what an event says: the name of the part and its markup.

    One that is too long for an event has none, and the client fetches the page.
    """
    fits = len(part.encode()) <= PART_BYTES_MAX
    text: dict[str, Any] = {"id": name, "markup": part if fits else None}
    return json.dumps(text, ensure_ascii=False)
