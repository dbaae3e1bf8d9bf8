// Package indicators has technical indicators over whole columns: those of TA Bot's Rust SDK, with the same names in
// Go's spelling and the same numbers.
//
// A function returns as many values as its shortest input has, oldest first. They are NaN until it has seen enough
// (the warm-up; each function states the index of its first value). Short, empty or broken data therefore gives NaN,
// and no indicator panics for it. NaN compares false with everything, so a rule that compares readings gives no signal
// if there are none.
//
// Everything is computed from the window alone, since each evaluation runs in a fresh instance. An exponential average
// therefore depends on its seed: after k periods beyond the warm-up, the seed's share has fallen to about e^-2k for Ema
// and e^-k for Rma.
//
// A constant series gives constant averages, bit for bit, so strict comparisons on flat data are safe. A period of 0
// gives NaN throughout; a negative one is a panic that names it. Operations are done in the order of the Rust SDK and
// never fused, so the numbers are equal to it to the bit, on every machine; sdk/conformance holds the answers that the
// tests of each SDK compare with.
package indicators

import (
	"fmt"
	"math"

	"ta-bot.internal/tabot"
)

func mustBePeriod(name string, period int) {
	if period < 0 {
		panic(fmt.Sprintf("%s = %d must be at least 0, in candles", name, period))
	}
}

func blank(length int) tabot.Series {
	values := make(tabot.Series, length)
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}
