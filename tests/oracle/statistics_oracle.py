"""Computes statistics of daily returns with quantstats and skfolio.

    python statistics_oracle.py INPUT OUTPUT

INPUT is a JSON list of lists of daily returns; OUTPUT a JSON list of objects, one for each of them. Ratios are those of
a day, or of a year of 365 days if their name ends with `_a_year`.
"""

import json
import pathlib
import sys
import warnings

import numpy as np
import pandas as pd


def with_quantstats(returns: pd.Series) -> dict:
    import quantstats.stats as qs

    return {
        "total_return": qs.comp(returns),
        "sharpe_a_year": qs.sharpe(returns, periods=365),
        "sortino_a_year": qs.sortino(returns, periods=365),
        "annual_return": qs.cagr(returns, periods=365),
        "calmar": qs.calmar(returns, periods=365),
        "max_drawdown": -qs.max_drawdown(returns),
        "profit_factor": qs.profit_factor(returns),
        # Of all days that are not zero; there are none in these samples.
        "win_rate": qs.win_rate(returns),
    }


def with_skfolio(returns: np.ndarray) -> dict:
    import skfolio.measures as sk

    return {
        "mean": sk.mean(returns),
        "deviation": sk.standard_deviation(returns),
        "sharpe": sk.mean(returns) / sk.standard_deviation(returns),
        "max_drawdown": sk.max_drawdown(sk.get_drawdowns(returns, compounded=True)),
        "skewness": sk.skew(returns),
        "kurtosis": sk.kurtosis(returns),
    }


def main() -> None:
    warnings.simplefilter("ignore")
    answers = []
    for sample in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        series = pd.Series(sample, index=pd.date_range("2025-01-01", periods=len(sample), freq="D"))
        answers.append({"quantstats": with_quantstats(series), "skfolio": with_skfolio(np.array(sample))})
    pathlib.Path(sys.argv[2]).write_text(json.dumps(answers, default=float))


if __name__ == "__main__":
    main()
