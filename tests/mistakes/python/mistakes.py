"""Makes the mistake that its parameter names. Lines are named in messages, so tests know them: keep them."""

from dataclasses import dataclass

from ta_bot_sdk import Signal, Strategy, parameter


@dataclass(frozen=True)
class Parameters:
    mistake: str = parameter("none", "Which mistake to make.")


class Mistakes(Strategy[Parameters]):
    id = "mistakes"
    name = "Mistakes"
    version = "1.0.0"
    description = "Makes the mistake that its parameter names."
    lookback = 3
    columns = ("close",)

    def check(self, parameters):
        if parameters.mistake == "check":
            return {}["there is no such key"]

    def evaluate(self, context, window, extra, parameters):
        if parameters.mistake == "evaluate":
            return deeper(window.close)
        if parameters.mistake == "field":
            return Signal("buy", 0.7, stopLoss=1.0)
        if parameters.mistake == "column":
            return window.volume
        return further(parameters.mistake)


def deeper(close):
    try:
        return close[-9]
    except IndexError as error:
        raise ValueError("the ninth candle is missing") from error


def further(mistake):
    if mistake == "confidence":
        return Signal("buy", 1.5)
    if mistake == "price":
        return Signal("buy", 0.7, price=float("nan"))
    if mistake == "reading":
        return Signal("buy", 0.7, metadata={"rsi": [1.0]})
    if mistake == "action":
        return Signal("by", 0.7)
    if mistake == "type":
        return 0.7
    if mistake == "depth":
        return further(mistake)
    while mistake == "endless":
        pass
    return None
