"""Computes with skfolio and holdout-backtest what a search among many trials does to the best of them.

    python search_oracle.py INPUT OUTPUT

INPUT is a JSON list of lists of trials, each a list of daily returns over the same days; OUTPUT a JSON list of objects,
one for each search. Ratios are those of a day.
"""

import json
import pathlib
import sys

import numpy as np


def main() -> None:
    import skfolio.measures as sk
    from holdout import deflated, pbo, spa

    answers = []
    for trials in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        returns = np.array(trials)
        ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
        best = returns[int(np.argmax(ratios))]
        shape = {"skewness": float(sk.skew(best)), "kurtosis": float(sk.kurtosis(best))}
        variance = float(np.var(ratios, ddof=1))
        count, days = returns.shape
        block = days ** (1 / 3)
        overfit = pbo.probability_of_backtest_overfitting(returns.T, n_blocks=16)
        white = spa.reality_check(returns.T, n_bootstrap=4000, block_length=block, seed=1)
        hansen = spa.superior_predictive_ability(returns.T, n_bootstrap=4000, block_length=block, seed=1)
        answers.append(
            {
                "skfolio": {
                    "probabilistic": sk.probabilistic_sharpe_ratio(best, benchmark_sharpe_ratio=0.02),
                    "deflated": sk.deflated_sharpe_ratio(best, ratios),
                    "expected_best": sk.expected_max_sharpe_ratio(count, variance**0.5),
                },
                "holdout": {
                    "deflated": deflated.deflated_sharpe_ratio(
                        max(ratios), days, n_trials=count, trials_variance=variance, **shape
                    ),
                    "minimum_periods": deflated.minimum_track_record_length(max(ratios), benchmark=0.02, **shape),
                    "overfitting": overfit.pbo,
                    "white": white.pvalue,
                    "hansen": hansen.consistent,
                },
            }
        )
    pathlib.Path(sys.argv[2]).write_text(json.dumps(answers, default=float))


if __name__ == "__main__":
    main()
