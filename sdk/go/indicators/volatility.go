package indicators

import (
	"math"

	"ta-bot.internal/tabot"
)

// leastRange is the range of a candle whose high and low are equal. With it, a true range can always be a divisor.
const leastRange = 0x1p-52

func trueRangeOf(high, low, previousClose float64) float64 {
	span := math.Abs(high - low)
	if span == 0 {
		span = leastRange
	}
	above, below := math.Abs(high-previousClose), math.Abs(previousClose-low)
	if above > span {
		span = above
	}
	if below > span {
		span = below
	}
	// The comparisons ignore NaN; the sum does not.
	if math.IsNaN(above + below) {
		return math.NaN()
	}
	return span
}

// TrueRange is the greatest of high minus low, the distance from high to previous close, and that from previous close
// to low, in the unit of the price. First value at index 1. Flat data gives 2.2e-16 rather than 0.
func TrueRange(high, low, close []float64) tabot.Series {
	ranges := blank(min(len(high), len(low), len(close)))
	for i := 1; i < len(ranges); i++ {
		ranges[i] = trueRangeOf(high[i], low[i], close[i-1])
	}
	return ranges
}

// Atr is the average true range: Wilder's average (Rma) of the true range, in the unit of the price. First value at
// index period. On flat data it fades towards 2.2e-16, and is never exactly 0.
func Atr(high, low, close []float64, period int) tabot.Series {
	return wilder(period).over(TrueRange(high, low, close))
}

// StandardDeviation is the population standard deviation of all values (divided by their number, not by one less). NaN
// for an empty series, and if one of the values is NaN. Identical values give exactly 0.
func StandardDeviation(values []float64) float64 { return deviationFrom(Mean(values), values) }

func deviationFrom(middle float64, values []float64) float64 {
	squares := sumOf(values, func(value float64) float64 { return float64((value - middle) * (value - middle)) })
	return math.Sqrt(squares / float64(len(values)))
}

// RollingStandardDeviation is the population standard deviation of the last period values, each computed from scratch.
// First value at index period - 1. Flat data gives exactly 0.
func RollingStandardDeviation(values []float64, period int) tabot.Series {
	mustBePeriod("period", period)
	deviations := blank(len(values))
	if period > 0 {
		for end := period; end <= len(values); end++ {
			deviations[end-1] = StandardDeviation(values[end-period : end])
		}
	}
	return deviations
}

// Band is one candle's Bollinger band: the mean minus the deviations, the mean, and the mean plus the deviations.
type Band struct {
	Lower, Middle, Upper float64
}

// Width is the distance from the lower to the upper line, as a share of the middle.
func (b Band) Width() float64 { return (b.Upper - b.Lower) / b.Middle }

// Position is the position of a price between the lines: 0 on the lower, 1 on the upper, less or more beyond them. It
// is 0.5 if the two lines are equal.
func (b Band) Position(price float64) float64 {
	if width := b.Upper - b.Lower; width > 0 {
		return (price - b.Lower) / width
	}
	return 0.5
}

// BollingerBand is the Bollinger band of exactly these values: BollingerBand(window.Close().Tail(20), 2). NaN for an
// empty series; the caller makes sure that there are enough values.
func BollingerBand(values []float64, deviations float64) Band {
	middle := Mean(values)
	width := float64(deviations * deviationFrom(middle, values))
	return Band{middle - width, middle, middle + width}
}

// BollingerLines are the lines of Bollinger, in the unit of the values.
type BollingerLines struct {
	Lower, Middle, Upper tabot.Series
}

// Bollinger is the simple average of the last period values, and the lines so many population standard deviations below
// and above it. First value at index period - 1. On flat data all three lines are the value exactly.
func Bollinger(values []float64, period int, deviations float64) BollingerLines {
	lines := BollingerLines{blank(len(values)), Sma(values, period), blank(len(values))}
	if period > 0 {
		for end := period; end <= len(values); end++ {
			middle := lines.Middle[end-1]
			width := float64(deviations * deviationFrom(middle, values[end-period:end]))
			lines.Lower[end-1], lines.Upper[end-1] = middle-width, middle+width
		}
	}
	return lines
}
