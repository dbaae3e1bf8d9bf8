"""A mistake is named, with what would be right."""

import subprocess
import sys
import tempfile
import unittest
from dataclasses import dataclass
from pathlib import Path

from ta_bot_sdk import Signal, Strategy, parameter
from ta_bot_sdk.mistakes import told
from ta_bot_sdk.testing import Candles, evaluate


def strategy(**members):
    """A strategy that is sound except for these members."""
    sound = {
        "id": "sound",
        "name": "Sound",
        "version": "1.0.0",
        "description": "Does nothing.",
        "lookback": 3,
        "columns": ("close",),
        "evaluate": lambda self, context, window, extra, parameters: None,
    }
    given = {name: value for name, value in {**sound, **members}.items() if value is not None}
    return type("Made", (Strategy,), given)


class Mistakes(unittest.TestCase):
    """Where Python itself would say little or nothing."""

    def test_a_misspelt_field_of_a_signal(self):
        with self.assertRaisesRegex(TypeError, r"stopLoss is no field of a signal \(did you mean stop_loss\?\)"):
            Signal("buy", 0.7, stopLoss=1.0)
        with self.assertRaisesRegex(TypeError, r"action = 'Buy' \(did you mean buy\?\) must be one of buy, sell"):
            Signal("Buy", 0.7)
        with self.assertRaisesRegex(TypeError, "stop_loss = '1' must be a number"):
            Signal("buy", 0.7, stop_loss="1")
        with self.assertRaisesRegex(TypeError, r"metadata\['rsi'\] = None must be"):
            Signal("buy", 0.7, metadata={"rsi": None})

    def test_an_answer_that_is_no_signal(self):
        made = strategy(evaluate=lambda *_: {"action": "buy"})
        with self.assertRaisesRegex(TypeError, "Made.evaluate returned a dict: it must be a Signal or None"):
            evaluate(made, Candles.from_closes([1.0]))

    def test_a_column_that_is_not_declared(self):
        made = strategy(evaluate=lambda self, context, window, *_: window.volume and None)
        with self.assertRaisesRegex(ValueError, "the column volume is read, but not declared: add 'volume'"):
            evaluate(made, Candles.from_closes([1.0]))

    def test_a_declaration_that_is_wrong(self):
        for members, message in [
            ({"lookback": None}, "Made.lookback = None must be a number of candles"),
            ({"id": "Bad-Id"}, "Made.id = 'Bad-Id' must be up to 64 lower case letters"),
            ({"columns": ("closes",)}, r"Made.columns has 'closes' \(did you mean close\?\)"),
            ({"columns": "close"}, r"must be a tuple: \('close',\)"),
            ({"colums": ("high",)}, r"Made.colums is nothing that a strategy declares \(did you mean columns\?\)"),
            ({"version": ""}, "Made.version = '' must be a text: the semantic version"),
        ]:
            with self.assertRaisesRegex(TypeError, message):
                strategy(**members)

    def test_a_parameter_that_is_declared_wrongly(self):
        def declared(hint, default):
            made = type("P", (), {"__annotations__": {"period": hint}, "period": default})
            strategy(__orig_bases__=(Strategy[dataclass(frozen=True)(made)],))

        for hint, default, message in [
            (int, 14, "P.period must be declared with parameter"),
            (int, parameter(1, "A length.", min=2), "the default of P: period = 1 must be at least 2"),
            (int, parameter(None, "A length."), "the default None and the type"),
            (bytes, parameter(b"1", "A length."), "P.period is of type"),
            (bool, parameter(True, "A length.", min=1), "bounds are for an int or a float"),
        ]:
            with self.assertRaisesRegex((TypeError, ValueError), message):
                declared(hint, default)

    def test_an_exception_says_its_line_and_its_cause(self):
        try:
            try:
                raise KeyError("inner")
            except KeyError as inner:
                raise ValueError("outer") from inner
        except ValueError as mistake:
            text = told(mistake)
        self.assertRegex(text, r"ValueError: outer \(test_mistakes.py, line \d+, in test_an_exception_says")
        self.assertRegex(text, r"caused by KeyError: 'inner' \(test_mistakes.py, line \d+")

    def test_the_build_names_what_fails_at_import_before_anything_is_built(self):
        for source, message in [
            ("import ta_bot_sdk\n1 / 0\n", "ZeroDivisionError: division by zero (made.py, line 2, in <module>)"),
            ("def x(:\n", "SyntaxError"),
            ("import ta_bot_sdk\n", "made must define one subclass of ta_bot_sdk.Strategy, and defines: none"),
        ]:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "made.py")
                path.write_text(source, encoding="utf-8")
                output = str(path.with_suffix(".wasm"))
                command = [sys.executable, "-m", "ta_bot_sdk.build", "build", str(path), "-o", output]
                run = subprocess.run(command, capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 1)
            self.assertIn(message, run.stderr)
            self.assertIn("made.py", run.stderr)


if __name__ == "__main__":
    unittest.main()
