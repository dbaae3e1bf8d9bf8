"""What an exception says to somebody who sees only the host's log: its type, its text, and its place."""

from __future__ import annotations

import traceback
from pathlib import PurePath

_SDK = PurePath(__file__).parent


def told(mistake: BaseException) -> str:
    """The exception and its cause, each with the innermost line of the author's code."""
    text = f"{type(mistake).__name__}: {mistake}"
    place = _place(mistake)
    if place:
        text += f" ({place})"
    cause = mistake.__cause__ or (None if mistake.__suppress_context__ else mistake.__context__)
    return f"{text}, caused by {told(cause)}" if cause else text


def _place(mistake: BaseException) -> str:
    # The lines themselves are not looked up: a component has no files.
    places = [
        (PurePath(frame.f_code.co_filename), line, frame.f_code.co_name)
        for frame, line in traceback.walk_tb(mistake.__traceback__)
    ]
    if isinstance(mistake, SyntaxError) and mistake.filename:
        places.append((PurePath(mistake.filename), mistake.lineno or 0, "<module>"))
    authors = [place for place in places if _SDK not in place[0].parents] or places
    if not authors:
        return ""
    file, line, function = authors[-1]
    return f"{file.name}, line {line}, in {function}"
