package indicators

import (
	"math"

	"ta-bot.internal/tabot"
)

// smoothing is the recursion behind the exponential averages, from the first value on: y = (1 - a)·y + a·x.
//
// A value that equals the average leaves it untouched, bit for bit. NaN leaves the average as it is, but the next
// number weighs more: the older values count less by a factor of 1 - a for each value missed. A product is converted
// to float64 before it is added, since Go may fuse the two on some machines, which rounds otherwise.
type smoothing struct {
	weight, keep   float64
	skipLeadingNaN bool
	remaining      int
	first          float64
	constant       bool
	sum            float64
	count, missed  int
	value          float64
}

// exponential has the weight 2 / (period + 1), and is seeded with the mean of the first values.
func exponential(period int) *smoothing {
	return begin(period, 2/(float64(period)+1), false)
}

// wilder has the weight 1 / period, and its seed is counted from the first value that is not NaN.
func wilder(period int) *smoothing {
	return begin(period, 1/float64(period), true)
}

func begin(period int, weight float64, skipLeadingNaN bool) *smoothing {
	mustBePeriod("period", period)
	remaining := period
	if period == 0 {
		// The average never begins.
		remaining = -1
	}
	return &smoothing{weight: weight, keep: 1 - weight, skipLeadingNaN: skipLeadingNaN, remaining: remaining,
		first: math.NaN(), constant: true, value: math.NaN()}
}

func (s *smoothing) push(next float64) float64 {
	switch {
	case s.remaining != 0:
		return s.seed(next)
	case s.missed == 0 && next < math.Inf(1):
		if next != s.value {
			s.value = float64(s.keep*s.value) + float64(s.weight*next)
		}
	case math.IsNaN(next):
		s.missed++
	default:
		s.afterGap(next)
		s.missed = 0
	}
	return s.value
}

func (s *smoothing) seed(next float64) float64 {
	if math.IsNaN(next) {
		if s.skipLeadingNaN && s.count == 0 {
			return math.NaN()
		}
	} else {
		if s.count == 0 {
			s.first = next
		}
		s.constant = s.constant && next == s.first
		s.sum += next
		s.count++
	}
	s.remaining--
	if s.remaining != 0 {
		return math.NaN()
	}
	s.value = s.first
	if !s.constant {
		s.value = s.sum / float64(s.count)
	}
	// The value is NaN if all values so far were NaN. The next number then replaces it.
	if math.IsNaN(s.value) {
		s.missed = 1
	}
	return s.value
}

// afterGap is for a number that follows NaN, and for infinity.
func (s *smoothing) afterGap(next float64) {
	if math.IsNaN(s.value) || next == s.value {
		s.value = next
		return
	}
	keep := power(s.keep, s.missed+1)
	s.value = (float64(keep*s.value) + float64(s.weight*next)) / (keep + s.weight)
}

// power multiplies by squaring: the order in which the compilers of the Rust SDK do.
func power(base float64, exponent int) float64 {
	result := 1.0
	for {
		if exponent&1 == 1 {
			result *= base
		}
		exponent >>= 1
		if exponent == 0 {
			return result
		}
		base *= base
	}
}

func (s *smoothing) over(values []float64) tabot.Series {
	averages := make(tabot.Series, len(values))
	for i, value := range values {
		averages[i] = s.push(value)
	}
	return averages
}

// adjusted is an exponential average of all values so far, adjusted for its beginning: weights (1 - a)^age divided by
// their sum. NaN carries no weight, but the older values keep ageing.
type adjusted struct {
	keep, value, weights float64
	needed, seen         int
}

func adjustedAverage(period int, weight float64, needed int) *adjusted {
	mustBePeriod("period", period)
	needed = max(needed, 1)
	if period == 0 {
		needed = math.MaxInt
	}
	return &adjusted{keep: 1 - weight, needed: needed, value: math.NaN()}
}

func (a *adjusted) push(next float64) float64 {
	a.weights *= a.keep
	if !math.IsNaN(next) {
		if a.seen == 0 {
			a.value = next
		} else if next != a.value {
			a.value = (float64(a.weights*a.value) + next) / (a.weights + 1)
		}
		a.weights++
		a.seen++
	}
	if a.seen >= a.needed {
		return a.value
	}
	return math.NaN()
}
