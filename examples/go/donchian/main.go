// Donchian's breakout: buys a close above the highest high of the candles before it, sells one below their lowest low.
// The stop is some average true ranges away, so that it is as wide as the market moves.
//
// The folders beside this one hold the same rule in other languages; all of them give the same signals, to the bit.
package main

import (
	"fmt"
	"math"

	"ta-bot.internal/tabot"
	"ta-bot.internal/tabot/indicators"
)

// Parameters of the rule. Operators read their descriptions.
type Parameters struct {
	Channel      int     `default:"20" min:"2" max:"200" doc:"Candles whose highest high and lowest low make the channel, a count."`
	ATRPeriod    int     `default:"14" min:"1" max:"50" doc:"Length of the ATR, in candles."`
	StopDistance float64 `default:"2" min:"0.1" max:"10" doc:"Distance of the stop from the entry, in multiples of the ATR."`
	Reward       float64 `default:"2" min:"0.1" max:"20" doc:"Distance of the target from the entry, in multiples of the stop's distance."`
	TrendPeriod  *int    `min:"3" max:"200" doc:"Length of the average that a breakout has to be on the right side of, in candles. Unset: no such filter."`
}

var strategy = tabot.Strategy[Parameters]{
	ID:          "example_donchian",
	Name:        "Donchian breakout",
	Version:     "1.0.0",
	Description: "Follows a close beyond the channel of the candles before it, with a stop by ATR.",
	// The longest channel and the candle that leaves it, with some room for the averages.
	Lookback: 250,
	Columns:  tabot.High | tabot.Low | tabot.Close,
	Check:    check,
	Evaluate: evaluate,
}

func init() { tabot.Export(strategy) }

func main() {}

func check(p Parameters) error {
	if p.TrendPeriod != nil && p.Channel >= *p.TrendPeriod {
		return fmt.Errorf("channel = %d must be below trend_period = %d", p.Channel, *p.TrendPeriod)
	}
	return nil
}

func evaluate(_ tabot.Context, window tabot.Window, _ []tabot.Window, p Parameters) (*tabot.Signal, error) {
	trendPeriod := 0
	if p.TrendPeriod != nil {
		trendPeriod = *p.TrendPeriod
	}
	if err := window.Require(p.Channel+1, p.ATRPeriod+1, trendPeriod); err != nil {
		return nil, err
	}
	closed := window.Close().Newest()
	high := indicators.Highest(window.High().Span(1, p.Channel+1))
	low := indicators.Lowest(window.Low().Span(1, p.Channel+1))
	atr := indicators.Atr(window.High(), window.Low(), window.Close(), p.ATRPeriod).Newest()
	trend := indicators.Ema(window.Close(), trendPeriod).Newest()

	signal, level, side, beyond, extreme := tabot.Buy, high, 1.0, "above", "high"
	switch {
	case closed > high && (p.TrendPeriod == nil || closed > trend):
	case closed < low && (p.TrendPeriod == nil || closed < trend):
		signal, level, side, beyond, extreme = tabot.Sell, low, -1.0, "below", "low"
	default:
		return nil, nil
	}
	depth := math.Abs(closed-level) / atr
	strength := tabot.Medium
	if !(depth < 1) {
		strength = tabot.Strong
	}
	answer := signal(0.6+float64(min(depth*0.1, 0.35))).
		Trade(closed, closed-float64(side*p.StopDistance*atr), p.Reward).
		As(strength).
		Because(fmt.Sprintf("The close %s is %s %s, the %s of %d candles, by %s ATR.", tabot.Price(closed), beyond,
			tabot.Price(level), extreme, p.Channel, tabot.Fixed(depth, 2))).
		With("channel_high", high).
		With("channel_low", low).
		With("atr", atr).
		With("channel", p.Channel)
	if p.TrendPeriod != nil {
		answer = answer.With("trend", trend)
	}
	return &answer, nil
}
