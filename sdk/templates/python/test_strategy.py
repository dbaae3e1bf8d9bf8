"""The rule natively, without WebAssembly."""

import unittest

from strategy import Rule
from ta_bot_sdk import InsufficientData
from ta_bot_sdk.testing import Candles, check, evaluate


class RuleTest(unittest.TestCase):
    """What the rule does on a few candles."""

    def test_it_buys_above_the_channel(self) -> None:
        """The channel's other side is the stop."""
        self.assertIsNone(evaluate(Rule, Candles.from_closes([100.0] * 30)))
        signal = evaluate(Rule, Candles.from_closes([100.0] * 30 + [101.0]))
        self.assertEqual((signal.action, signal.stop_loss, signal.take_profit), ("buy", 100.0, 103.0))

    def test_it_asks_for_as_many_candles_as_it_needs(self) -> None:
        """Too few candles are no failure."""
        with self.assertRaises(InsufficientData):
            evaluate(Rule, Candles.from_closes([100.0] * 20))
        self.assertEqual(check(Rule, period=1), "period = 1 must be from 2 to 200")


if __name__ == "__main__":
    unittest.main()
