"""Connects the interface of the host to a strategy. Only the component imports this module: `wit_world` is made by
componentize-py and exists nowhere else."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from componentize_py_types import Err
from wit_world.imports import log as host_log
from wit_world.imports import types

from . import log
from .evaluation import evaluate, refusal, strategy_of
from .faults import Failed, Fault, InsufficientData
from .mistakes import told
from .parameters import Parameter
from .signal import Signal
from .strategy import Context, Input, Strategy

_LEVELS = {level.name.lower(): level for level in host_log.Level}
_VALUES = {
    "boolean": types.Value_Boolean,
    "integer": types.Value_Integer,
    "number": types.Value_Number,
    "text": types.Value_Text,
}
# Looked up by name, since an enum's own lookup costs as much as a column.
_ACTIONS = {action.name.lower(): action for action in types.Action}
_STRENGTHS = {strength.name.lower(): strength for strength in types.Strength}


def exports(module: ModuleType) -> type:
    """The class that componentize-py looks for in the component's module."""
    strategy = strategy_of(module)
    log._write_to(lambda level, message: host_log.write(_LEVELS[level], message))

    class Exports:
        """The functions of the interface."""

        def describe(self) -> types.Description:
            try:
                return _described(strategy)
            except Exception as mistake:
                # There is no other way for this answer to fail.
                log.error(f"describe: {told(mistake)}")
                raise

        def check(self, parameters: list[tuple[str, types.Value]]) -> None:
            try:
                refused = refusal(strategy, _plain(parameters))
            except Exception as mistake:
                raise Err(f"check: {told(mistake)}") from None
            if refused is not None:
                raise Err(refused)

        def evaluate(
            self,
            context: types.Context,
            base: types.Candles,
            extra: list[types.Candles],
            parameters: list[tuple[str, types.Value]],
        ) -> types.Signal | None:
            about = Context(context.symbol, context.timeframe, context.close_time)
            try:
                signal = evaluate(strategy, about, base, extra, _plain(parameters))
                return None if signal is None else _signal(signal)
            except InsufficientData as fault:
                raise Err(types.Fault_InsufficientData(fault.needed)) from None
            except Failed as fault:
                raise Err(types.Fault_Failed(str(fault))) from None
            except Fault as fault:
                raise Err(types.Fault_InvalidParameters(str(fault))) from None
            except Exception as mistake:
                raise Err(types.Fault_Failed(f"evaluate: {told(mistake)}")) from None

    return Exports


def _plain(parameters: list[tuple[str, types.Value]]) -> list[tuple[str, Any]]:
    return [(name, tagged.value) for name, tagged in parameters]


def _described(strategy: Strategy[Any]) -> types.Description:
    return types.Description(
        id=strategy.id,
        name=strategy.name,
        version=strategy.version,
        description=strategy.description,
        lookback=strategy.lookback,
        columns=_columns(strategy.columns),
        timeframes=list(strategy.timeframes),
        extra=[_input(entry) for entry in strategy.extra],
        parameters=[_parameter(entry) for entry in strategy.declaration],
    )


def _columns(columns: tuple[str, ...]) -> types.Columns:
    flags = types.Columns(0)
    for column in columns:
        flags |= types.Columns[column.upper()]
    return flags


def _input(entry: Input) -> types.ExtraInput:
    own, higher = types.InputSymbol_Own(), types.InputTimeframe_NextHigher()
    return types.ExtraInput(
        symbol=own if entry.symbol is None else types.InputSymbol_Fixed(entry.symbol),
        timeframe=higher if entry.timeframe is None else types.InputTimeframe_Fixed(entry.timeframe),
        lookback=entry.lookback,
        columns=_columns(entry.columns),
    )


def _parameter(entry: Parameter) -> types.Parameter:
    return types.Parameter(
        name=entry.name,
        description=entry.description,
        kind=types.ValueKind[entry.kind.upper()],
        default=None if entry.default is None else _VALUES[entry.kind](entry.default),
        min=entry.min,
        max=entry.max,
        choices=list(entry.choices),
    )


def _signal(signal: Signal) -> types.Signal:
    return types.Signal(
        action=_ACTIONS[signal.action],
        confidence=float(signal.confidence),
        price=_number(signal.price),
        stop_loss=_number(signal.stop_loss),
        take_profit=_number(signal.take_profit),
        strength=None if signal.strength is None else _STRENGTHS[signal.strength],
        rationale=signal.rationale,
        metadata=[(name, _value(value)) for name, value in signal.metadata.items()],
    )


def _number(number: float | None) -> float | None:
    return None if number is None else float(number)


def _value(value: bool | int | float | str) -> types.Value:
    if isinstance(value, bool):
        return types.Value_Boolean(value)
    if isinstance(value, str):
        return types.Value_Text(value)
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return types.Value_Integer(value)
    return types.Value_Number(float(value))
