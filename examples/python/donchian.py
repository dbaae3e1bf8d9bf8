"""Donchian's breakout: buys a close above the highest high of the candles before it, sells one below their lowest low.

The stop is some average true ranges away, so that it is as wide as the market moves. The folders beside this one hold
the same rule in other languages; all of them give the same signals, to the bit.
"""

from dataclasses import dataclass

from ta_bot_sdk import Action, Context, Signal, Strategy, Window, fixed, in_order, indicators, parameter, price


@dataclass(frozen=True)
class Parameters:
    """The parameters of the rule. Operators read their descriptions."""

    channel: int = parameter(20, "Candles whose highest high and lowest low make the channel, a count.", min=2, max=200)
    atr_period: int = parameter(14, "Length of the ATR, in candles.", min=1, max=50)
    stop_distance: float = parameter(
        2.0, "Distance of the stop from the entry, in multiples of the ATR.", min=0.1, max=10.0
    )
    reward: float = parameter(
        2.0, "Distance of the target from the entry, in multiples of the stop's distance.", min=0.1, max=20.0
    )
    trend_period: int | None = parameter(
        None,
        "Length of the average that a breakout has to be on the right side of, in candles. Unset: no such filter.",
        min=3,
        max=200,
    )


class Donchian(Strategy[Parameters]):
    """The rule."""

    id = "example_donchian"
    name = "Donchian breakout"
    version = "1.0.0"
    description = "Follows a close beyond the channel of the candles before it, with a stop by ATR."
    # The longest channel and the candle that leaves it, with some room for the averages.
    lookback = 250
    columns = ("high", "low", "close")

    def check(self, parameters: Parameters) -> str | None:
        """Refuses a trend that looks at no more candles than the channel."""
        return in_order(parameters, "channel", "trend_period")

    def evaluate(
        self, context: Context, window: Window, extra: list[Window], parameters: Parameters
    ) -> Signal | None:
        """Makes one decision on the newest candle."""
        channel, trend_period = parameters.channel, parameters.trend_period
        window.require(channel + 1, parameters.atr_period + 1, trend_period or 0)
        close = window.close.newest()
        high = indicators.highest(window.high.span(1, channel + 1))
        low = indicators.lowest(window.low.span(1, channel + 1))
        atr = indicators.atr(window.high, window.low, window.close, parameters.atr_period).newest()
        trend = indicators.ema(window.close, trend_period).newest() if trend_period else None

        action: Action
        if close > high and (trend is None or close > trend):
            action, level, side, beyond, extreme = "buy", high, 1.0, "above", "high"
        elif close < low and (trend is None or close < trend):
            action, level, side, beyond, extreme = "sell", low, -1.0, "below", "low"
        else:
            return None
        depth = abs(close - level) / atr
        readings = {"channel_high": high, "channel_low": low, "atr": atr, "channel": channel}
        if trend is not None:
            readings["trend"] = trend
        return Signal(
            action,
            0.6 + min(depth * 0.1, 0.35),
            strength="medium" if depth < 1.0 else "strong",
            rationale=f"The close {price(close)} is {beyond} {price(level)}, the {extreme} of {channel} candles, "
            f"by {fixed(depth, 2)} ATR.",
            metadata=readings,
        ).trade(close, close - side * parameters.stop_distance * atr, parameters.reward)
