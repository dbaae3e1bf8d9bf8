package indicators

import (
	"math"

	"ta-bot.internal/tabot"
)

// Rsi is the relative strength index: 100·G / (G + L), in points from 0 (only falls) to 100 (only rises). G and L are
// Wilder's averages (Rma) of the rises and of the falls from close to close. First value at index period. NaN until the
// price has moved; if it then stands still, the index keeps its value.
func Rsi(close []float64, period int) tabot.Series {
	rises, falls := wilder(period), wilder(period)
	return changes(close, func(rise, fall float64) float64 {
		gain, loss := rises.push(rise), falls.push(fall)
		return 100 * gain / (gain + loss)
	})
}

// RsiAdjusted is the relative strength index whose averages are adjusted for their beginning, as in EmaAdjusted:
// 100 - 100 / (1 + G / L) with Wilder's weight 1 / period. First value at index period.
func RsiAdjusted(close []float64, period int) tabot.Series {
	weight := 1 / float64(period)
	rises, falls := adjustedAverage(period, weight, period), adjustedAverage(period, weight, period)
	return changes(close, func(rise, fall float64) float64 {
		gain, loss := rises.push(rise), falls.push(fall)
		return 100 - 100/(1+gain/loss)
	})
}

// changes are readings of the rise and the fall (without its sign) of each close from the one before; NaN for the
// first.
func changes(close []float64, reading func(rise, fall float64) float64) tabot.Series {
	readings := make(tabot.Series, len(close))
	previous := math.NaN()
	for i, price := range close {
		change := price - previous
		previous = price
		rise, fall := change, -change
		if change < 0 {
			rise = 0
		}
		if change > 0 {
			fall = 0
		}
		readings[i] = reading(rise, fall)
	}
	return readings
}

// MacdLines are the lines of Macd, in the unit of the price.
type MacdLines struct {
	// Fast average minus slow average.
	Line tabot.Series
	// Average of the line.
	Signal tabot.Series
	// Line minus signal.
	Histogram tabot.Series
}

// Macd is moving average convergence/divergence: EMA(fast) - EMA(slow), and the line's own EMA. The line begins at
// index slow - 1 (or fast - 1 if that is later); signal and histogram begin signal - 1 candles after it. Flat data
// gives exactly 0.
func Macd(close []float64, fast, slow, signal int) MacdLines {
	short, long, average := exponential(fast), exponential(slow), exponential(signal)
	lines := MacdLines{blank(len(close)), blank(len(close)), blank(len(close))}
	begun := false
	for i, price := range close {
		line := short.push(price) - long.push(price)
		begun = begun || !math.IsNaN(line)
		lines.Line[i] = line
		if begun {
			lines.Signal[i] = average.push(line)
			lines.Histogram[i] = line - lines.Signal[i]
		}
	}
	return lines
}
