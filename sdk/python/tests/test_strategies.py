"""What a rule sees and what it may answer."""

import unittest
from dataclasses import dataclass
from typing import Literal

from ta_bot_sdk import Context, Failed, InvalidParameters, Input, Series, Signal, Strategy, in_order, parameter
from ta_bot_sdk.testing import Candles, check, evaluate


@dataclass(frozen=True)
class Every:
    """Every type that a parameter may have."""

    period: int = parameter(14, "Length of the average, in candles.", min=2, max=200)
    threshold: float = parameter(30, "A threshold, in points.", min=0)
    verbose: bool = parameter(False, "Whether to log.")
    trigger: Literal["cross", "level"] = parameter("cross", "What counts.")
    label: str = parameter("none", "A name.")
    trend_period: int | None = parameter(None, "Length of the trend, in candles.", max=240)


class Both(Strategy[Every]):
    """Reads the next higher timeframe and BTCUSDT."""

    id = "both"
    name = "Both"
    version = "1.2.3"
    description = "Reads the next higher timeframe and BTCUSDT."
    lookback = 2
    columns = ("close",)
    extra = (Input(3, columns=("close", "volume")), Input(1, timeframe="1h", symbol="BTCUSDT"))

    def check(self, parameters):
        return in_order(parameters, "period", "trend_period")

    def evaluate(self, context, window, extra, parameters):
        higher, leader = extra
        seen = len(window) + 10 * len(higher.volume) + 100 * len(leader.open_time)
        return Signal("buy", 0.7, metadata={"seen": seen, "threshold": parameters.threshold})


def made(count):
    """Flat candles."""
    return Candles.from_closes([10.0] * count)


class Rules(unittest.TestCase):
    """Through the code that a component runs."""

    def evaluated(self, **parameters):
        return evaluate(Both, made(5), extra=[made(5), made(5)], **parameters)

    def refusal(self, **parameters):
        with self.assertRaises(InvalidParameters) as raised:
            self.evaluated(**parameters)
        return str(raised.exception)

    def test_a_rule_sees_what_it_declared_and_no_more(self):
        signal = self.evaluated()
        self.assertEqual(signal.metadata, {"seen": 132, "threshold": 30.0})
        self.assertIsInstance(signal.metadata["threshold"], float)
        with self.assertRaisesRegex(Failed, "1 extra series where 2 are declared"):
            evaluate(Both, made(5), extra=[made(5)])

    def test_a_wrong_value_is_refused_with_what_would_be_right(self):
        self.assertEqual(self.refusal(period=1), "period = 1 must be from 2 to 200")
        self.assertEqual(self.refusal(period=14.0), "period = 14 must be an integer")
        self.assertEqual(self.refusal(period=True), "period = true must be an integer")
        self.assertEqual(self.refusal(threshold=-0.5), "threshold = -0.5 must be at least 0")
        self.assertEqual(self.refusal(threshold=float("inf")), "threshold = inf must be at least 0")
        self.assertEqual(self.refusal(trend_period=241), "trend_period = 241 must be at most 240")
        self.assertEqual(self.refusal(verbose="yes"), 'verbose = "yes" must be true or false')
        self.assertEqual(self.refusal(trigger="touch"), 'trigger = "touch" must be one of cross, level')
        self.assertEqual(self.refusal(label=1), "label = 1 must be a text")
        self.assertIn("perod is no parameter of this strategy (did you mean period?)", self.refusal(perod=14))
        self.assertEqual(check(Both, trend_period=14), "period = 14 must be below trend_period = 14")
        self.assertIsNone(check(Both))

    def test_the_declaration_says_what_was_written(self):
        period, threshold, _, trigger, _, trend = Both.declaration
        self.assertEqual((period.kind, period.default, period.min, period.max), ("integer", 14, 2.0, 200.0))
        self.assertEqual((threshold.kind, threshold.default), ("number", 30.0))
        self.assertEqual((trigger.kind, trigger.choices), ("text", ("cross", "level")))
        self.assertEqual((trend.kind, trend.default, trend.max), ("integer", None, 240.0))

    def test_levels_of_a_trade_lie_on_both_sides(self):
        sell = Signal("sell", 0.7).trade(100.0, 104.0, 1.5)
        self.assertEqual((sell.price, sell.stop_loss, sell.take_profit), (100.0, 104.0, 94.0))


class Reading(unittest.TestCase):
    """Series from their newest end."""

    def test_what_is_not_there_is_nan_or_empty(self):
        series = Series([1.0, 2.0, 3.0, 4.0])
        self.assertEqual((series.newest(), series.ago(3)), (4.0, 1.0))
        self.assertEqual((series.tail(2), series.span(1, 3)), ([3.0, 4.0], [2.0, 3.0]))
        self.assertNotEqual(series.ago(4), series.ago(4))
        self.assertEqual((series.tail(9), series.span(5, 9), series.span(2, 1)), (series, [], []))
        with self.assertRaisesRegex(ValueError, "candles = -1 must be at least 0"):
            series.ago(-1)

    def test_a_crossing_begins_on_or_behind_the_line(self):
        line = Series([2.0, 2.0])
        self.assertTrue(Series([1.0, 3.0]).crossed_above(line) and Series([2.0, 3.0]).crossed_above(line))
        self.assertTrue(Series([3.0, 1.0]).crossed_below(line))
        self.assertFalse(Series([3.0, 4.0]).crossed_above(line) or Series([3.0]).crossed_above(line))


if __name__ == "__main__":
    unittest.main()
