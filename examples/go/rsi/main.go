// The RSI comes back: buys when it leaves the oversold zone, sells when it leaves the overbought one.
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
	Period     int     `default:"14" min:"2" max:"100" doc:"Length of the RSI, in candles."`
	Oversold   float64 `default:"30" min:"0" max:"100" doc:"The RSI has fallen too far below this, in points."`
	Overbought float64 `default:"70" min:"0" max:"100" doc:"The RSI has risen too far above this, in points."`
	Direction  string  `default:"both" choices:"both,long,short" doc:"Which signals to give: both, long (buy only) or short (sell only)."`
}

var strategy = tabot.Strategy[Parameters]{
	ID:          "example_rsi",
	Name:        "RSI recovery",
	Version:     "1.0.0",
	Description: "Follows the RSI out of the zones in which the price has moved too far.",
	Lookback:    250,
	Columns:     tabot.Close,
	Check:       check,
	Evaluate:    evaluate,
}

func init() { tabot.Export(strategy) }

func main() {}

func check(p Parameters) error {
	if p.Oversold >= p.Overbought {
		return fmt.Errorf("oversold = %s must be below overbought = %s", tabot.Shown(p.Oversold), tabot.Shown(p.Overbought))
	}
	return nil
}

func evaluate(_ tabot.Context, window tabot.Window, _ []tabot.Window, p Parameters) (*tabot.Signal, error) {
	if err := window.Require(p.Period + 2); err != nil {
		return nil, err
	}
	rsi := indicators.Rsi(window.Close(), p.Period)
	before, now := rsi.Ago(1), rsi.Newest()

	signal, moved, level := tabot.Buy, "rose", p.Oversold
	switch {
	case before <= p.Oversold && now > p.Oversold && p.Direction != "short":
	case before >= p.Overbought && now < p.Overbought && p.Direction != "long":
		signal, moved, level = tabot.Sell, "fell", p.Overbought
	default:
		return nil, nil
	}
	answer := signal(0.6+float64(min(math.Abs(now-before)*0.01, 0.35))).
		Because(fmt.Sprintf("The RSI over %d candles %s from %s to %s, past %s.", p.Period, moved,
			tabot.Fixed(before, 2), tabot.Fixed(now, 2), tabot.Fixed(level, 2))).
		With("rsi", now).
		With("rsi_before", before).
		With("period", p.Period)
	return &answer, nil
}
