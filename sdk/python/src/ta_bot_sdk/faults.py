"""How an evaluation ends without an answer. Any other exception becomes `Failed`, with its type, text and line."""

from __future__ import annotations


class Fault(Exception):
    """An evaluation that ends without an answer."""


class InvalidParameters(Fault):
    """The parameters break a rule of the strategy; the text says which and how."""


class InsufficientData(Fault):
    """There are too few base candles. The host does not count it as a failure."""

    def __init__(self, needed: int) -> None:
        """`needed` is the number of candles that the rule needs."""
        super().__init__(f"{needed} candles are needed")
        self.needed = needed

    def __eq__(self, other: object) -> bool:
        """Whether the other fault asks for as many candles."""
        return isinstance(other, InsufficientData) and other.needed == self.needed

    __hash__ = Exception.__hash__


class Failed(Fault):
    """Anything else; the text says what."""
