"""The examples natively: `python -m unittest`."""

import unittest

from donchian import Donchian
from rsi import Rsi
from ta_bot_sdk import InsufficientData
from ta_bot_sdk.testing import Candles, check, evaluate


class Examples(unittest.TestCase):
    """Each rule on candles that are made for it."""

    def test_a_breakout_has_a_stop_by_atr(self) -> None:
        closes = [100.0, 101.0] * 15
        self.assertIsNone(evaluate(Donchian, Candles.from_closes(closes)))
        signal = evaluate(Donchian, Candles.from_closes([*closes, 103.0]))
        self.assertEqual((signal.action, signal.price, signal.number("channel_high")), ("buy", 103.0, 101.0))
        self.assertEqual(signal.stop_loss, 103.0 - 2.0 * signal.number("atr"))

    def test_a_short_window_asks_for_data(self) -> None:
        with self.assertRaises(InsufficientData) as raised:
            evaluate(Donchian, Candles.from_closes([100.0] * 20))
        self.assertEqual(raised.exception.needed, 21)
        self.assertEqual(check(Donchian, trend_period=20), "channel = 20 must be below trend_period = 20")

    def test_the_index_buys_when_it_leaves_the_oversold_zone(self) -> None:
        candles = Candles.from_closes([100.0, 99.0, 98.0, 97.0, 98.0])
        signal = evaluate(Rsi, candles, period=2)
        self.assertEqual(signal.rationale, "The RSI over 2 candles rose from 0.00 to 50.00, past 30.00.")
        self.assertIsNone(evaluate(Rsi, candles, period=2, direction="short"))


if __name__ == "__main__":
    unittest.main()
