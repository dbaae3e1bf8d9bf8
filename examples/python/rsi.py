"""The RSI comes back: buys when it leaves the oversold zone, sells when it leaves the overbought one.

The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.
"""

from dataclasses import dataclass
from typing import Literal

from ta_bot_sdk import Action, Context, Signal, Strategy, Window, fixed, in_order, indicators, parameter


@dataclass(frozen=True)
class Parameters:
    """The parameters of the rule. Operators read their descriptions."""

    period: int = parameter(14, "Length of the RSI, in candles.", min=2, max=100)
    oversold: float = parameter(30.0, "The RSI has fallen too far below this, in points.", min=0.0, max=100.0)
    overbought: float = parameter(70.0, "The RSI has risen too far above this, in points.", min=0.0, max=100.0)
    direction: Literal["both", "long", "short"] = parameter(
        "both", "Which signals to give: both, long (buy only) or short (sell only)."
    )


class Rsi(Strategy[Parameters]):
    """The rule."""

    id = "example_rsi"
    name = "RSI recovery"
    version = "1.0.0"
    description = "Follows the RSI out of the zones in which the price has moved too far."
    lookback = 250
    columns = ("close",)

    def check(self, parameters: Parameters) -> str | None:
        """Refuses zones that overlap."""
        return in_order(parameters, "oversold", "overbought")

    def evaluate(
        self, context: Context, window: Window, extra: list[Window], parameters: Parameters
    ) -> Signal | None:
        """Makes one decision on the newest candle."""
        period, direction = parameters.period, parameters.direction
        window.require(period + 2)
        rsi = indicators.rsi(window.close, period)
        before, now = rsi.ago(1), rsi.newest()

        action: Action
        if before <= parameters.oversold < now and direction != "short":
            action, moved, level = "buy", "rose", parameters.oversold
        elif before >= parameters.overbought > now and direction != "long":
            action, moved, level = "sell", "fell", parameters.overbought
        else:
            return None
        return Signal(
            action,
            0.6 + min(abs(now - before) * 0.01, 0.35),
            rationale=f"The RSI over {period} candles {moved} from {fixed(before, 2)} to {fixed(now, 2)}, "
            f"past {fixed(level, 2)}.",
            metadata={"rsi": now, "rsi_before": before, "period": period},
        )
