package tabot

import (
	"math"
	"strconv"
	"strings"
)

const significantDigits = 7

// Price is a price for a rationale: seven significant digits, without trailing zeros. Every SDK of TA Bot makes the
// same text of the same number.
func Price(value float64) string {
	if text, special := notFinite(value); special {
		return text
	}
	text := strconv.FormatFloat(value, 'f', decimalsOf(math.Abs(value)), 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}

// decimalsOf is how many decimals show the significant digits.
func decimalsOf(size float64) int {
	decimals := significantDigits - 1
	for size >= 10 && decimals > 0 {
		size /= 10
		decimals--
	}
	for size < 1 && size > 0 && decimals < 20 {
		size *= 10
		decimals++
	}
	return decimals
}

// Fixed is a reading for a rationale, with 0 to 8 decimals; halves are rounded away from 0, since languages round
// decimals differently.
func Fixed(value float64, decimals int) string {
	if decimals < 0 || decimals > 8 {
		mistake("decimals = %d must be from 0 to 8", decimals)
	}
	if text, special := notFinite(value); special {
		return text
	}
	scale := uint64(1)
	for range decimals {
		scale *= 10
	}
	scaled := float64(math.Abs(value)*float64(scale)) + 0.5
	// Beyond 2^53 every number is whole, so decimals would say nothing.
	if scaled >= 1<<53 {
		return strconv.FormatFloat(math.Trunc(value), 'f', 0, 64)
	}
	units := uint64(scaled)
	text := strconv.FormatUint(units/scale, 10)
	if decimals > 0 {
		part := strconv.FormatUint(units%scale, 10)
		text += "." + strings.Repeat("0", decimals-len(part)) + part
	}
	if value < 0 && units > 0 {
		text = "-" + text
	}
	return text
}

func notFinite(value float64) (string, bool) {
	switch {
	case math.IsNaN(value):
		return "NaN", true
	case math.IsInf(value, 1):
		return "inf", true
	case math.IsInf(value, -1):
		return "-inf", true
	}
	return "", false
}
