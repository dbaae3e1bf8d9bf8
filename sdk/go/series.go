package tabot

import "math"

// Series is a column or an indicator, oldest first, read from its newest end. A missing value is NaN, and a missing
// range is empty. NaN compares false with everything, so a rule gives no signal on short data.
type Series []float64

// Ago is the value so many candles before the newest; Ago(0) is the newest. NaN if the series is shorter.
func (s Series) Ago(candles int) float64 {
	mustNotBeNegative("candles", candles)
	if candles >= len(s) {
		return math.NaN()
	}
	return s[len(s)-1-candles]
}

// Newest is the newest value, or NaN.
func (s Series) Newest() float64 { return s.Ago(0) }

// Tail is the newest count values, oldest first, or as many as exist.
func (s Series) Tail(count int) Series {
	mustNotBeNegative("count", count)
	return s[max(len(s)-count, 0):]
}

// Span is the existing values with an age from start to below end, oldest first: Span(5, 20) gives fifteen values, from
// the 20th-newest to the 6th-newest.
func (s Series) Span(start, end int) Series {
	mustNotBeNegative("start", start)
	mustNotBeNegative("end", end)
	from, to := max(len(s)-end, 0), max(len(s)-start, 0)
	if from > to {
		return nil
	}
	return s[from:to]
}

// IsRising says whether every value is greater than the one before it.
func (s Series) IsRising() bool {
	for i := 1; i < len(s); i++ {
		if !(s[i] > s[i-1]) {
			return false
		}
	}
	return true
}

// IsFalling says whether every value is less than the one before it.
func (s Series) IsFalling() bool {
	for i := 1; i < len(s); i++ {
		if !(s[i] < s[i-1]) {
			return false
		}
	}
	return true
}

// IsAbove says whether every value is greater than the other's at the same place: close.Tail(4).IsAbove(ema.Tail(4)).
func (s Series) IsAbove(other Series) bool {
	if len(s) != len(other) {
		return false
	}
	for i, value := range s {
		if !(value > other[i]) {
			return false
		}
	}
	return true
}

// IsBelow says whether every value is less than the other's at the same place.
func (s Series) IsBelow(other Series) bool { return other.IsAbove(s) }

// CrossedAbove says whether the newest value is above the other's newest, and the one before was not above.
func (s Series) CrossedAbove(other Series) bool {
	return s.Ago(1) <= other.Ago(1) && s.Newest() > other.Newest()
}

// CrossedBelow says whether the newest value is below the other's newest, and the one before was not below.
func (s Series) CrossedBelow(other Series) bool { return other.CrossedAbove(s) }

func mustNotBeNegative(name string, given int) {
	if given < 0 {
		mistake("%s = %d must be at least 0: ages are counted back from the newest candle", name, given)
	}
}
