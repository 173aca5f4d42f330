"""How far a long command got: a bar on a terminal, and nothing in a pipe."""

import time
from typing import Any

_WIDTH = 30
_PAUSE = 0.1
"""Seconds between two drawings. More would slow the work down and flicker."""


class ProgressBar:
    """A bar in the last line of a terminal."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_terminal = bool(stream.isatty())
        self._drawn = 0
        self._drawn_at = float("-inf")

    def show(self, done: int, total: int, words: str) -> None:
        """Draw the bar, if this is a terminal and the last drawing is not too near."""
        now = time.monotonic()
        is_last = done >= total
        if not self._is_terminal or (now - self._drawn_at < _PAUSE and not is_last):
            return
        filled = _WIDTH * min(done, total) // total if total else _WIDTH
        line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {words}"
        # Blanks cover what a longer line before left.
        self._stream.write(f"\r{line.ljust(self._drawn)}", ending="")
        self._stream.flush()
        self._drawn, self._drawn_at = len(line), now

    def end(self) -> None:
        """Go to the next line, if something was drawn."""
        if self._drawn:
            self._stream.write("")
            self._drawn = 0
