"""Ctrl-C that cannot get lost.

Python raises KeyboardInterrupt wherever the main thread happens to be. Inside a function that C calls, such as LLVM's
object cache or a finaliser, it is printed and dropped, and what was being compiled there stays broken. So an interrupt
is remembered, and whoever works piece by piece asks before each.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_seen = False


def listen() -> None:
    """Have Ctrl-C raise KeyboardInterrupt and be remembered; a second one ends the process at once."""
    signal.signal(signal.SIGINT, _remember)


def _remember(number: int, frame: FrameType | None) -> None:
    global _seen
    _seen = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    raise KeyboardInterrupt


def check() -> None:
    """Raise KeyboardInterrupt where there was one, dropped or not."""
    if _seen:
        raise KeyboardInterrupt


@contextmanager
def heeded() -> Iterator[None]:
    """A piece of work: not begun after an interrupt, and an error that follows a dropped one is that interrupt."""
    check()
    try:
        yield
    except Exception:
        check()
        raise
