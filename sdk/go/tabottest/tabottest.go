// Package tabottest tests a rule natively, without WebAssembly, with go test. A test runs the same code as the
// component: parameters are read and checked, only the declared columns are filled, and no more candles are passed
// than the strategy asks for.
package tabottest

import (
	"fmt"
	"sort"

	"ta-bot.internal/tabot"
)

const minute = 60_000.0

// Candles are candles made up by a test, one minute apart, oldest first.
type Candles struct {
	data tabot.Data
}

// FromCloses makes candles with these closes. Each opens at the close before it, its highest and lowest price are those
// two prices, and its volume is 1.
func FromCloses(closes ...float64) Candles {
	var candles Candles
	for i, close := range closes {
		open := closes[max(i-1, 0)]
		candles.Append(open, max(open, close), min(open, close), close, 1)
	}
	return candles
}

// Append appends a candle.
func (c *Candles) Append(open, high, low, close, volume float64) {
	opened := float64(c.Len()) * minute
	for i, value := range []float64{opened, open, high, low, close, volume} {
		c.data[i] = append(c.data[i], value)
	}
}

// Len is the number of candles.
func (c Candles) Len() int { return len(c.data[0]) }

// Parameters are values by the names that the host knows: bool, int, float64 or string.
type Parameters map[string]any

// Evaluate evaluates a strategy as a host would: on the newest of these candles, with these parameters and the
// defaults of the others. Extra has the further series that the strategy declares.
func Evaluate[P any](strategy tabot.Strategy[P], candles Candles, parameters Parameters, extra ...Candles) (*tabot.Signal, error) {
	context := tabot.Context{Symbol: "BTCUSDT", Timeframe: "1m", CloseTime: float64(candles.Len()) * minute}
	return EvaluateAt(context, strategy, candles, parameters, extra...)
}

// EvaluateAt is Evaluate with another context.
func EvaluateAt[P any](context tabot.Context, strategy tabot.Strategy[P], candles Candles, parameters Parameters,
	extra ...Candles) (*tabot.Signal, error) {
	rule := strategy.Rule()
	var further []tabot.Data
	for i, given := range extra {
		further = append(further, rule.HandedOver(given.data, i))
	}
	return rule.Evaluate(context, rule.HandedOver(candles.data, -1), further, values(parameters))
}

// Check is what the host would be told about these parameters: nil, or what is wrong.
func Check[P any](strategy tabot.Strategy[P], parameters Parameters) error {
	return strategy.Rule().Check(values(parameters))
}

func values(parameters Parameters) []tabot.Value {
	var given []tabot.Value
	for name, value := range parameters {
		switch plain := value.(type) {
		case int:
			if int(int32(plain)) != plain {
				panic(fmt.Sprintf("%s = %d must be an int of 32 bits, as the host has them", name, plain))
			}
			value = int32(plain)
		case bool, float64, string:
		default:
			panic(fmt.Sprintf("%s is a %T: a parameter is a bool, an int, a float64 or a string", name, value))
		}
		given = append(given, tabot.Value{Name: name, Value: value})
	}
	sort.Slice(given, func(i, j int) bool { return given[i].Name < given[j].Name })
	return given
}
