"""The threads that wait for the server, so that the keyboard never does."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import deque
from typing import NamedTuple

from apps.starship.errors import NoAnswer
from apps.starship.terminal.session import Fetch, Post
from apps.starship.terminal.site import Result, Site, Steps

RETRY_SECONDS_MAX = 15.0
POSTS_MAX = 20
"""Orders that wait while the server does not answer; those that come then are dropped."""
RESULTS_MAX = 100


class Step(NamedTuple):
    """The server says that a step was committed."""

    number: int


class Silent(NamedTuple):
    """There is no stream of steps at the moment."""


News = Result | Step | Silent


class Network:
    """Two threads: one asks what is to be asked, one hears of steps.

    What they have to tell is fetched with `news`; a byte in the pipe ``wake`` says that there is
    some.
    """

    def __init__(self, site: Site, wake: int) -> None:
        self._site, self._wake = site, wake
        self._condition = threading.Condition()
        self._posts: deque[Post] = deque()
        self._fetch: Fetch | None = None
        self._news: deque[News] = deque(maxlen=RESULTS_MAX)
        self._ended = threading.Event()
        self._steps: Steps | None = None
        self._threads = [
            threading.Thread(target=self._ask, daemon=True, name="starship-asking"),
            threading.Thread(target=self._hear, daemon=True, name="starship-steps"),
        ]

    def start(self) -> None:
        """Start both threads."""
        for thread in self._threads:
            thread.start()

    def ask(self, asked: Fetch | Post) -> bool:
        """Have something asked; of states only the latest that was wanted.

        Returns whether it was taken: there is a bound to what waits.
        """
        with self._condition:
            if isinstance(asked, Fetch):
                self._fetch = asked
            elif len(self._posts) >= POSTS_MAX:
                return False
            else:
                self._posts.append(asked)
            self._condition.notify()
        return True

    def news(self) -> list[News]:
        """Return what came since the last time."""
        found = []
        while self._news:
            found.append(self._news.popleft())
        return found

    def close(self, seconds: float = 1.0) -> None:
        """End both threads, and wait for them that long."""
        self._ended.set()
        with self._condition:
            self._condition.notify()
        if self._steps is not None:
            self._steps.close()
        for thread in self._threads:
            thread.join(seconds)

    def _tell(self, news: News) -> None:
        self._news.append(news)
        # A pipe that is full or closed wakes whoever reads it anyway.
        with contextlib.suppress(OSError):
            os.write(self._wake, b"n")

    def _ask(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(
                    lambda: self._posts or self._fetch is not None or self._ended.is_set()
                )
                if self._ended.is_set():
                    break
                asked: Fetch | Post
                if self._posts:
                    asked = self._posts.popleft()
                else:
                    assert self._fetch is not None, "waited for"
                    asked, self._fetch = self._fetch, None
            self._tell(self._site.ask(asked))
        self._site.close()

    def _hear(self) -> None:
        wait = 1.0
        while not self._ended.is_set():
            self._steps = Steps(self._site)
            try:
                for found in self._steps.read():
                    wait = 1.0
                    number = found.get("step")
                    self._tell(Step(number if isinstance(number, int) else -1))
            except NoAnswer:
                self._tell(Silent())
            self._ended.wait(wait)
            wait = min(RETRY_SECONDS_MAX, wait * 2)
