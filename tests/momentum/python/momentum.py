"""Momentum: the close against the close some candles ago. Buys strength, sells weakness.

The folders beside this one hold the same rule in other languages; all of them give the same numbers.
componentize-py makes `wit_world` from the WIT package; `componentize-py bindings` writes it to disk, so that an editor
can complete its names. The host calls each `evaluate` in a fresh instance, so nothing is kept between calls.
"""

import math
from typing import Any

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import log, types

STOP_DISTANCE = 0.02
TARGET_DISTANCE = 0.04


class Strategy(exports.Strategy):
    """The export of the component. componentize-py finds it by its name."""

    def describe(self) -> types.Description:
        """Describes what the strategy is and what it needs, always in the same way."""
        return types.Description(
            id="momentum",
            name="Momentum",
            version="1.0.0",
            description="Follows the change of the close over the last candles once it passes a threshold.",
            # The longest period plus the newest candle. Each requested column costs time in Python.
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
                    # Without a default, a parameter is optional: it is passed only if an operator has set it.
                    default=None,
                    min=None,
                    max=None,
                    choices=[],
                ),
            ],
        )

    def check(self, parameters: list[tuple[str, types.Value]]) -> None:
        """Checks the rules between parameters. The host has already checked types, bounds and choices."""
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
        """Makes one decision on one window, oldest candle first. None means no signal for this candle."""
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
        # The stop of a buy lies below its entry, that of a sell above.
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
    """The values by name. Parameters come as pairs of a name and a tagged value."""
    return {name: tagged.value for name, tagged in parameters}


def percent(fraction: float) -> str:
    """Formats a fraction as a percentage with two decimals.

    It rounds to whole hundredths, since languages round decimals differently.
    """
    hundredths = math.floor(abs(fraction) * 10000.0 + 0.5)
    sign = "-" if fraction < 0.0 else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02}"
