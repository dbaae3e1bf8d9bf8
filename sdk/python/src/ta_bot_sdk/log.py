"""Writes lines to the host's log; natively to the standard error.

The host limits their volume, and a line is made whether or not anyone reads it, so do not log on the usual path of a
rule.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Literal

Level = Literal["debug", "info", "warn", "error"]


def _to_standard_error(level: Level, message: str) -> None:
    print(f"{level}: {message}", file=sys.stderr)


_write: Callable[[Level, str], None] = _to_standard_error


def _write_to(sink: Callable[[Level, str], None]) -> None:
    """Used by the component, which has the host's log."""
    global _write
    _write = sink


def debug(message: str) -> None:
    """Logs a line at level debug."""
    _write("debug", message)


def info(message: str) -> None:
    """Logs a line at level info."""
    _write("info", message)


def warn(message: str) -> None:
    """Logs a line at level warn."""
    _write("warn", message)


def error(message: str) -> None:
    """Logs a line at level error. The host adds the last one to the report of an evaluation that fails."""
    _write("error", message)
