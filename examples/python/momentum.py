"""Momentum: the close against the close some candles ago. Buys strength, sells weakness.

The same rule stands beside this folder in other languages; all of them answer the same numbers.
`wit_world` is made by componentize-py from the WIT package; `componentize-py bindings` writes it to disk
for an editor to complete names from. The host calls each `evaluate` in a fresh instance, so nothing kept
between calls would survive.
"""

import math
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log, types

STOP_DISTANCE = 0.02
TARGET_DISTANCE = 0.04


class Strategy(exports.Strategy):
    """The export of the component; componentize-py finds it by its name."""

    def describe(self) -> types.Description:
        """What the strategy is and what it needs. Always the same answer."""
        return types.Description(
            id="momentum",
            name="Momentum",
            version="1.0.0",
            description="Follows the change of the close over the last candles once it passes a threshold.",
            # The longest period and the newest candle. Each column asked for costs time in Python.
            lookback=201,
            columns=types.Columns.CLOSE | types.Columns.VOLUME,
            timeframes=[],
            extra=[],
            parameters=[
                types.Parameter(
                    name="period",
                    description="Candles to look back, a count.",
                    kind=types.ValueKind.INTEGER,
                    default=types.Value_Integer(10),
                    min=1.0,
                    max=200.0,
                    choices=[],
                ),
                types.Parameter(
                    name="threshold",
                    description="Change that is needed, as a fraction: 0.01 is one percent.",
                    kind=types.ValueKind.NUMBER,
                    default=types.Value_Number(0.01),
                    min=0.0,
                    max=1.0,
                    choices=[],
                ),
                types.Parameter(
                    name="direction",
                    description="Which signals to give: both, long (buy only) or short (sell only).",
                    kind=types.ValueKind.TEXT,
                    default=types.Value_Text("both"),
                    min=None,
                    max=None,
                    choices=["both", "long", "short"],
                ),
                types.Parameter(
                    name="min_volume",
                    description="Volume that the newest candle must have, in units of the base asset.",
                    kind=types.ValueKind.NUMBER,
                    # No default makes it optional: it arrives only where an operator has set it.
                    default=None,
                    min=None,
                    max=None,
                    choices=[],
                ),
            ],
        )

    def check(self, parameters: list[tuple[str, types.Value]]) -> None:
        """Rules between parameters. Types, bounds and choices were checked by the host before."""
        values = by_name(parameters)
        if values["threshold"] == 0.0 and values["direction"] == "both":
            raise Err("threshold must be above 0 when direction is both, or every candle gives a signal")

    def evaluate(
        self,
        context: types.Context,
        base: types.Candles,
        extra: list[types.Candles],
        parameters: list[tuple[str, types.Value]],
    ) -> types.Signal | None:
        """One decision on one window, oldest candle first. None says nothing about this candle."""
        values = by_name(parameters)
        period, threshold, direction = values["period"], values["threshold"], values["direction"]
        if len(base.close) < period + 1:
            raise Err(types.Fault_InsufficientData(period + 1))
        close, before = base.close[-1], base.close[-1 - period]
        if not before > 0.0:
            raise Err(types.Fault_Failed("the close to compare with is not above 0"))
        momentum = close / before - 1.0
        log.write(log.Level.DEBUG, f"{context.symbol} {context.timeframe}: momentum {percent(momentum)} %")

        if "min_volume" in values and base.volume[-1] < values["min_volume"]:
            return None
        # A buy is stopped below its entry, a sell above.
        if momentum > threshold and direction != "short":
            action, side = types.Action.BUY, 1.0
        elif momentum < -threshold and direction != "long":
            action, side = types.Action.SELL, -1.0
        else:
            return None
        return types.Signal(
            action=action,
            confidence=0.6 + min(0.35, abs(momentum) * 10.0),
            price=None,
            stop_loss=close * (1.0 - side * STOP_DISTANCE),
            take_profit=close * (1.0 + side * TARGET_DISTANCE),
            strength=types.Strength.MEDIUM,
            rationale=f"The close moved by {percent(momentum)} % in {period} candles, "
            f"past the threshold of {percent(threshold)} %.",
            metadata=[
                ("momentum", types.Value_Number(momentum)),
                ("period", types.Value_Integer(period)),
            ],
        )


def by_name(parameters: list[tuple[str, types.Value]]) -> dict[str, Any]:
    """Parameters come as pairs of a name and a tagged value."""
    return {name: tagged.value for name, tagged in parameters}


def percent(fraction: float) -> str:
    """A fraction in percent with two decimals. Whole hundredths, since languages round decimals differently."""
    hundredths = math.floor(abs(fraction) * 10000.0 + 0.5)
    sign = "-" if fraction < 0.0 else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02}"
