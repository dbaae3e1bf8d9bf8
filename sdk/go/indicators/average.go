package indicators

import (
	"math"

	"ta-bot.internal/tabot"
)

// Mean is the mean of all values, in their unit. NaN for an empty series, and if one of the values is NaN. Identical
// values give exactly that value.
func Mean(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	for _, value := range values {
		if value != values[0] {
			return sumOf(values, func(value float64) float64 { return value }) / float64(len(values))
		}
	}
	return values[0]
}

// sumOf adds in eight lanes that are added up at the end, which loses fewer digits than a running sum.
func sumOf(values []float64, term func(float64) float64) float64 {
	whole := len(values) - len(values)%8
	var lanes [8]float64
	for i, value := range values[:whole] {
		lanes[i%8] += float64(term(value))
	}
	sum := ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]))
	for _, value := range values[whole:] {
		sum += float64(term(value))
	}
	return sum
}

// Sma is the simple moving average: the mean of the last period values, in their unit. First value at index period - 1.
// No running sum is kept, so neither a large value nor NaN leaves a trace once it has left the window.
func Sma(values []float64, period int) tabot.Series {
	mustBePeriod("period", period)
	averages := blank(len(values))
	if period == 0 || len(values) < period {
		return averages
	}
	// The values are split into blocks of the period. Each window consists of the end of one block and the beginning of
	// the next, so two partial sums give its sum and nothing is ever subtracted.
	blockEnd := make([]float64, period+1)
	run, begin := 0, 0.0
	for i, value := range values {
		place := i % period
		if place == 0 && i > 0 {
			sum := 0.0
			for slot := period - 1; slot >= 0; slot-- {
				sum += values[i-period+slot]
				blockEnd[slot] = sum
			}
			begin = 0
		}
		begin += value
		if i > 0 && value == values[i-1] {
			run++
		} else {
			run = 1
		}
		if run >= period {
			averages[i] = value
		} else if i+1 >= period {
			averages[i] = (blockEnd[place+1] + begin) / float64(period)
		}
	}
	return averages
}

// Ema is the exponential moving average with the weight 2 / (period + 1), seeded with the mean of the first period
// values. First value at index period - 1, the seed. NaN is skipped: the average keeps its value, and the next number
// weighs more.
func Ema(values []float64, period int) tabot.Series { return exponential(period).over(values) }

// EmaAdjusted is the exponential moving average over the whole window, adjusted for its beginning: weights (1 - a)^age,
// a = 2 / (period + 1), divided by their sum, as ewm(span=period, adjust=True) of pandas. First value at index
// period - 2 (at least 0). At period 80 it still differs from Ema by about a thousandth after 250 candles.
func EmaAdjusted(values []float64, period int) tabot.Series {
	average := adjustedAverage(period, 2/(float64(period)+1), period-1)
	averages := make(tabot.Series, len(values))
	for i, value := range values {
		averages[i] = average.push(value)
	}
	return averages
}

// Rma is Wilder's moving average: exponential with weight 1 / period, seeded with the mean of the first period values.
// First value period - 1 after the first one that is not NaN.
func Rma(values []float64, period int) tabot.Series { return wilder(period).over(values) }
