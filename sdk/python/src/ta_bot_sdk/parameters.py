"""Parameters, declared once as a dataclass with type hints.

The description for the host and the reading and checking of values come from that one declaration.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from .faults import InvalidParameters
from .spelling import suggestion

Kind = Literal["boolean", "integer", "number", "text"]
_KINDS: Mapping[type, Kind] = {bool: "boolean", int: "integer", float: "number", str: "text"}
_INTEGER = range(-(2**31), 2**31)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One declared parameter, as described to the host."""

    name: str
    """The field's name."""
    description: str
    """One sentence for an operator, with the unit."""
    kind: Kind
    """The kind of value that it takes."""
    default: bool | int | float | str | None
    """None makes the parameter optional."""
    min: float | None
    """The least value allowed, if there is one."""
    max: float | None
    """The greatest value allowed, if there is one."""
    choices: tuple[str, ...]
    """The texts allowed; empty allows any."""


@dataclass(frozen=True)
class NoParameters:
    """For a strategy without parameters."""


def parameter(default: Any, description: str, *, min: float | None = None, max: float | None = None) -> Any:
    """Declares a field of the parameters: `period: int = parameter(14, "Length of the RSI, in candles.", min=2)`.

    `default` is None for an optional parameter, whose type is `int | None` or the like. `description` is a sentence for
    an operator, with the unit. The bounds are inclusive, and for an int or a float. Other types are bool, str, and
    `Literal["both", "long"]` for texts of which one can be chosen.
    """
    return dataclasses.field(default=default, metadata={"ta_bot": (description, min, max)})


def declared(parameters: type) -> tuple[Parameter, ...]:
    """The parameters that a dataclass declares. Raises TypeError, with the field's name, for a wrong declaration."""
    if not dataclasses.is_dataclass(parameters):
        raise TypeError(f"{parameters.__name__} must be a dataclass: write @dataclass(frozen=True) above it")
    hints = typing.get_type_hints(parameters)
    return tuple(_declared(parameters.__name__, entry, hints[entry.name]) for entry in dataclasses.fields(parameters))


def _declared(owner: str, entry: dataclasses.Field[Any], hint: Any) -> Parameter:
    name = f"{owner}.{entry.name}"
    if "ta_bot" not in entry.metadata:
        raise TypeError(f'{name} must be declared with parameter(default, "What it is, with the unit.")')
    description, least, greatest = entry.metadata["ta_bot"]
    if not isinstance(description, str) or not description.strip():
        raise TypeError(f"{name}: the description must be a sentence for an operator")
    optional, hint = _without_none(hint)
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    if choices and not all(isinstance(choice, str) for choice in choices):
        raise TypeError(f"{name}: the choices must be texts")
    kind = "text" if choices else _KINDS.get(hint)
    if kind is None:
        raise TypeError(
            f"{name} is of type {hint}: use bool, int, float, str, a Literal of texts, or one of them | None"
        )
    if kind in ("boolean", "text") and (least is not None or greatest is not None):
        raise TypeError(f"{name}: bounds are for an int or a float, and this is a {kind}")
    default: Any = entry.default
    if (default is None) != optional:
        raise TypeError(f"{name}: the default None and the type `| None` belong together, and only one is there")
    bounds = (None if least is None else float(least), None if greatest is None else float(greatest))
    made = Parameter(entry.name, " ".join(description.split()), kind, default, *bounds, choices)
    if not optional:
        try:
            made = dataclasses.replace(made, default=_typed(made, default))
        except InvalidParameters as fault:
            raise TypeError(f"the default of {owner}: {fault}") from None
    return made


def _without_none(hint: Any) -> tuple[bool, Any]:
    """Whether the type allows None, and the rest of it."""
    if get_origin(hint) not in (typing.Union, types.UnionType):
        return False, hint
    rest = [part for part in get_args(hint) if part is not type(None)]
    return len(rest) < len(get_args(hint)), rest[0] if len(rest) == 1 else hint


def read(parameters: type, declaration: Iterable[Parameter], values: Iterable[tuple[str, Any]]) -> Any:
    """An instance of the dataclass with these values, and the defaults of the others.

    Raises InvalidParameters for a value that is of the wrong kind, out of range, unknown or given twice.
    """
    by_name = {entry.name: entry for entry in declaration}
    read: dict[str, Any] = {}
    for name, value in values:
        entry = by_name.get(name)
        if entry is None:
            known = ", ".join(by_name) or "none"
            raise InvalidParameters(
                f"{name} is no parameter of this strategy{suggestion(name, by_name)}: its parameters are {known}"
            )
        if name in read:
            raise InvalidParameters(f"{name} is given twice")
        read[name] = _typed(entry, value)
    # A default of 30 for a float is 30.0 to the rule as well.
    return parameters(**{entry.name: entry.default for entry in by_name.values()} | read)


def _typed(entry: Parameter, value: Any) -> Any:
    if entry.kind == "boolean" and not isinstance(value, bool):
        raise _refused(entry, value, "true or false")
    if entry.kind == "text":
        if not isinstance(value, str) or (entry.choices and value not in entry.choices):
            raise _refused(entry, value, f"one of {', '.join(entry.choices)}" if entry.choices else "a text")
    if entry.kind == "integer":
        if isinstance(value, bool) or not isinstance(value, int):
            raise _refused(entry, value, "an integer")
        if value not in _INTEGER:
            raise _refused(entry, value, "an integer of 32 bits")
    if entry.kind == "number":
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise _refused(entry, value, "a number")
        value = float(value)
    if entry.kind in ("integer", "number"):
        low = -math.inf if entry.min is None else entry.min
        high = math.inf if entry.max is None else entry.max
        if not (math.isfinite(value) and low <= value <= high):
            raise _refused(entry, value, _range(entry))
    return value


def _range(entry: Parameter) -> str:
    if entry.min is None and entry.max is None:
        return "finite"
    if entry.max is None:
        return f"at least {shown(entry.min)}"
    return f"at most {shown(entry.max)}" if entry.min is None else f"from {shown(entry.min)} to {shown(entry.max)}"


def _refused(entry: Parameter, value: Any, wanted: str) -> InvalidParameters:
    return InvalidParameters(f"{entry.name} = {shown(value)} must be {wanted}")


def shown(value: Any) -> str:
    """A value as messages show it: whole numbers without a point."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return f'"{value}"' if isinstance(value, str) else str(value)


def in_order(parameters: Any, *names: str) -> str | None:
    """Says which parameter is not below the next one, with the values; None if all are in order.

    This is what `check` mostly does: `return in_order(parameters, "oversold", "overbought")`. A parameter that is not
    set is left out.
    """
    given = [(name, getattr(parameters, name)) for name in names if getattr(parameters, name) is not None]
    for (low_name, low), (high_name, high) in zip(given, given[1:]):
        if not low < high:
            return f"{low_name} = {shown(low)} must be below {high_name} = {shown(high)}"
    return None
