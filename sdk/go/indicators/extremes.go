package indicators

import (
	"math"

	"ta-bot.internal/tabot"
)

// Highest is the highest value; NaN if there are no values or one of them is NaN.
func Highest(values []float64) float64 {
	return extreme(values, func(value, best float64) bool { return value > best })
}

// Lowest is the lowest value; NaN if there are no values or one of them is NaN.
func Lowest(values []float64) float64 {
	return extreme(values, func(value, best float64) bool { return value < best })
}

func extreme(values []float64, better func(value, best float64) bool) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	best := values[0]
	for _, value := range values {
		if better(value, best) {
			best = value
		} else if math.IsNaN(value) {
			return value
		}
	}
	return best
}

// Midprice is the middle between the highest high and the lowest low; NaN if there are no values or one of them is NaN.
func Midprice(high, low []float64) float64 {
	top, bottom := Highest(high), Lowest(low)
	if math.Abs(top) <= math.MaxFloat64/2 && math.Abs(bottom) <= math.MaxFloat64/2 {
		return (top + bottom) / 2
	}
	return top/2 + bottom/2
}

// RollingMax is the highest of the last period values: the upper channel of Donchian. First value at index period - 1;
// NaN while any of the values is NaN.
func RollingMax(values []float64, period int) tabot.Series {
	return rolling(values, period, func(newer, older float64) bool { return newer >= older })
}

// RollingMin is the lowest of the last period values: see RollingMax.
func RollingMin(values []float64, period int) tabot.Series {
	return rolling(values, period, func(newer, older float64) bool { return newer <= older })
}

func rolling(values []float64, period int, replaces func(newer, older float64) bool) tabot.Series {
	mustBePeriod("period", period)
	extremes := blank(len(values))
	if period == 0 {
		return extremes
	}
	// The candidates are best first. A value is dropped when a newer one is at least as good, or by age.
	var candidates []int
	numbers := 0
	for i, value := range values {
		if math.IsNaN(value) {
			candidates, numbers = candidates[:0], 0
			continue
		}
		for len(candidates) > 0 && replaces(value, values[candidates[len(candidates)-1]]) {
			candidates = candidates[:len(candidates)-1]
		}
		candidates = append(candidates, i)
		numbers++
		if candidates[0]+period <= i {
			candidates = candidates[1:]
		}
		if numbers >= period {
			extremes[i] = values[candidates[0]]
		}
	}
	return extremes
}
