"""Every indicator and text against the answers of the Rust SDK, to the bit."""

import json
import math
import os
import struct
import unittest
from pathlib import Path

from ta_bot_sdk import fixed, indicators, price

PATH = os.environ.get("TA_BOT_CONFORMANCE") or Path(__file__).parents[2] / "conformance" / "indicators.json"
ANSWERS = json.loads(Path(PATH).read_text(encoding="utf-8"))
COLUMNS = {
    "rolling_max": ["high"],
    "rolling_min": ["low"],
    "highest": ["high"],
    "lowest": ["low"],
    "midprice": ["high", "low"],
    "true_range": ["high", "low", "close"],
    "atr": ["high", "low", "close"],
    "adx": ["high", "low", "close"],
}


def plain(values):
    """Null in the file is NaN."""
    return [math.nan if value is None else float(value) for value in values]


def bits(values):
    """NaN is equal to NaN, and 0 is not -0."""
    return [None if math.isnan(value) else struct.pack("<d", value).hex() for value in values]


def answered(series, answer):
    """What this SDK says: a list of values."""
    name, line = answer["indicator"], answer["line"]
    whole = name != "bollinger_band"
    numbers = [int(number) if whole and float(number).is_integer() else number for number in answer["numbers"]]
    asked = numbers[:1] if name == "bollinger_band" else numbers
    columns = [plain(series[column]) for column in COLUMNS.get(name, ["close"])]
    said = getattr(indicators, name)(*columns, *asked)
    if line:
        said = getattr(said, line)
    if line == "width":
        said = said()
    if line == "position":
        said = said(numbers[1])
    return [said] if isinstance(said, float) else said


class Conformance(unittest.TestCase):
    """The file that the test of the Rust SDK keeps."""

    def test_every_indicator_agrees_to_the_bit(self):
        series = {entry["name"]: entry for entry in ANSWERS["series"]}
        seen = set()
        for answer in ANSWERS["answers"]:
            said = answered(series[answer["series"]], answer)
            self.assertEqual(bits(said), bits(plain(answer["values"])), answer)
            seen.add(answer["indicator"])
        functions = {name for name in indicators.__all__ if name.islower()}
        self.assertEqual(seen, functions)

    def test_texts_are_those_of_the_other_languages(self):
        for entry in ANSWERS["texts"]:
            said = price(entry["value"]) if entry["function"] == "price" else fixed(entry["value"], entry["decimals"])
            self.assertEqual(said, entry["text"], entry)


if __name__ == "__main__":
    unittest.main()
