// Buys when a candle closes above the highest high of the candles before it, sells when it closes below their lowest
// low. Make it yours: the README says how.
package main

import (
	"fmt"

	"ta-bot.internal/tabot"
	"ta-bot.internal/tabot/indicators"
)

// Parameters of the rule. Operators read their descriptions.
type Parameters struct {
	Period int     `default:"20" min:"2" max:"200" doc:"Candles that make the channel, a count."`
	Reward float64 `default:"2" min:"0.1" max:"20" doc:"Distance of the target from the entry, in multiples of the stop's distance."`
}

var strategy = tabot.Strategy[Parameters]{
	ID:          "my_strategy",
	Name:        "My strategy",
	Version:     "0.1.0",
	Description: "Follows a close beyond the channel of the candles before it.",
	Lookback:    201,
	Columns:     tabot.High | tabot.Low | tabot.Close,
	Evaluate:    evaluate,
}

func init() { tabot.Export(strategy) }

func main() {}

func evaluate(_ tabot.Context, window tabot.Window, _ []tabot.Window, p Parameters) (*tabot.Signal, error) {
	if err := window.Require(p.Period + 1); err != nil {
		return nil, err
	}
	closed := window.Close().Newest()
	high := indicators.Highest(window.High().Span(1, p.Period+1))
	low := indicators.Lowest(window.Low().Span(1, p.Period+1))
	var signal tabot.Signal
	switch {
	case closed > high:
		signal = tabot.Buy(0.7).Trade(closed, low, p.Reward).Because(fmt.Sprintf(
			"The close %s is above %s, the high of %d candles.", tabot.Price(closed), tabot.Price(high), p.Period))
	case closed < low:
		signal = tabot.Sell(0.7).Trade(closed, high, p.Reward).Because(fmt.Sprintf(
			"The close %s is below %s, the low of %d candles.", tabot.Price(closed), tabot.Price(low), p.Period))
	default:
		return nil, nil
	}
	signal = signal.With("channel_high", high).With("channel_low", low)
	return &signal, nil
}
