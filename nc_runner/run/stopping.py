"""A request to stop: noted where a run asks for it, an exception where it does not."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

# A terminal's Ctrl-C and its end, a scheduler's end, and its word that the end is near.
REQUESTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)


class Stopped(BaseException):
    """Somebody asked this process to stop; no error, so that nothing that handles errors takes it for one."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def name(self) -> str:
        """The signal's name."""
        return signal.Signals(self.number).name

    @property
    def exit_code(self) -> int:
        """As a shell has it: 130 after Ctrl-C, 143 after a scheduler's end."""
        return 128 + self.number


class Requests:
    """Requests to stop that have come in. While ``noted`` the first of them is only remembered; a second one raises."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._noted = False

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Within, the first request is remembered, for whoever asks ``first``. At the end it raises."""
        self._noted = True
        try:
            yield
        finally:
            self._noted = False
        self.heed()

    def heed(self) -> None:
        """Stop now if somebody has asked for it.

        Raises:
            Stopped: somebody has.
        """
        if self.first is not None:
            raise Stopped(self.first)

    def receive(self, number: int, _: object = None) -> None:
        """Take in a signal."""
        again = self.first is not None
        if self.first is None:
            self.first = number
        if again or not self._noted:
            raise Stopped(self.first)


_active: list[Requests] = []


@contextmanager
def heeding() -> Iterator[None]:
    """Within, an error after a request is that request.

    A library that swallows whatever is raised while it is imported, as dill does, breaks on it right after.

    Raises:
        Stopped: in place of such an error.
    """
    with requests_to_stop() as requests:
        try:
            yield
        except Exception:
            requests.heed()
            raise


@contextmanager
def requests_to_stop() -> Iterator[Requests]:
    """Within, signals that would end the process are requests to stop; one within another shares its requests.

    So a request that came early is not lost, even where its exception was: Python drops what a destructor raises.
    """
    if _active:
        yield _active[0]
        return
    _active.append(requests := Requests())
    previous = {number: signal.signal(number, requests.receive) for number in REQUESTS}
    try:
        yield requests
    finally:
        _active.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)
