"""Buys when a candle closes above the highest high of the candles before it, sells when it closes below their lowest.

Make it yours: the README says how.
"""

from dataclasses import dataclass

from ta_bot_sdk import Context, Signal, Strategy, Window, indicators, parameter, price


@dataclass(frozen=True)
class Parameters:
    """The parameters of the rule. Operators read their descriptions."""

    period: int = parameter(20, "Candles that make the channel, a count.", min=2, max=200)
    reward: float = parameter(
        2.0, "Distance of the target from the entry, in multiples of the stop's distance.", min=0.1, max=20.0
    )


class Rule(Strategy[Parameters]):
    """The rule."""

    id = "my_strategy"
    name = "My strategy"
    version = "0.1.0"
    description = "Follows a close beyond the channel of the candles before it."
    lookback = 201
    columns = ("high", "low", "close")

    def evaluate(
        self, context: Context, window: Window, extra: list[Window], parameters: Parameters
    ) -> Signal | None:
        """Makes one decision on the newest candle."""
        period = parameters.period
        window.require(period + 1)
        close = window.close.newest()
        high = indicators.highest(window.high.span(1, period + 1))
        low = indicators.lowest(window.low.span(1, period + 1))
        if close > high:
            action, stop, words = "buy", low, f"above {price(high)}, the high of"
        elif close < low:
            action, stop, words = "sell", high, f"below {price(low)}, the low of"
        else:
            return None
        return Signal(
            action,
            0.7,
            rationale=f"The close {price(close)} is {words} {period} candles.",
            metadata={"channel_high": high, "channel_low": low},
        ).trade(close, stop, parameters.reward)
