"""What a Python author of a TA Bot strategy imports. The README shows how; `indicators` and `testing` are modules."""

from . import indicators, log
from .candle import Candle, Column, Window
from .faults import Failed, Fault, InsufficientData, InvalidParameters
from .parameters import NoParameters, in_order, parameter
from .series import Series
from .signal import Action, Signal, Strength
from .strategy import Context, Input, Strategy
from .text import fixed, price

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Candle",
    "Column",
    "Context",
    "Failed",
    "Fault",
    "Input",
    "InsufficientData",
    "InvalidParameters",
    "NoParameters",
    "Series",
    "Signal",
    "Strategy",
    "Strength",
    "Window",
    "fixed",
    "in_order",
    "indicators",
    "log",
    "parameter",
    "price",
]
