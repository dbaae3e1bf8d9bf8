"""Finds what was probably meant by a name that is not known."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(given: object, known: Iterable[str]) -> str:
    """The text `, did you mean stop_loss?`, or nothing if no known name is close."""
    if not isinstance(given, str):
        return ""
    # The same letters in another case or with another separator are the usual mistake.
    plain = {name.replace("_", "").lower(): name for name in known}
    meant = plain.get(given.replace("_", "").replace("-", "").lower())
    if meant is None:
        near = [name for key, name in plain.items() if _distance(given.replace("_", "").lower(), key) <= 2]
        meant = near[0] if len(near) == 1 else None
    return f" (did you mean {meant}?)" if meant and meant != given else ""


def _distance(one: str, other: str) -> int:
    """How many letters have to be inserted, removed or replaced."""
    row = list(range(len(other) + 1))
    for at, letter in enumerate(one, 1):
        before, row[0] = row[0], at
        for place, against in enumerate(other, 1):
            before, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, before + (letter != against))
    return row[-1]
