// Makes the mistake that its parameter names. Lines are named in messages, so tests know them: keep them.
package main

import (
	"math"

	"ta-bot.internal/tabot"
)

type parameters struct {
	Mistake string `default:"none" doc:"Which mistake to make."`
}

func init() {
	tabot.Export(tabot.Strategy[parameters]{
		ID:          "mistakes",
		Name:        "Mistakes",
		Version:     "1.0.0",
		Description: "Makes the mistake that its parameter names.",
		Lookback:    3,
		Columns:     tabot.Close,
		Check:       check,
		Evaluate:    evaluate,
	})
}

func main() {}

func check(p parameters) error {
	if p.Mistake == "check" {
		var nothing map[string]int
		nothing["there"] = 1
	}
	return nil
}

func evaluate(_ tabot.Context, window tabot.Window, _ []tabot.Window, p parameters) (*tabot.Signal, error) {
	switch p.Mistake {
	case "evaluate":
		deeper(window.Close())
	case "field":
		signal := tabot.Buy(0.7).With("rsi", []int{1})
		return &signal, nil
	case "column":
		window.Volume()
	}
	return further(p.Mistake)
}

func deeper(close tabot.Series) float64 {
	return close[len(close)+8]
}

func further(mistake string) (*tabot.Signal, error) {
	signal := tabot.Buy(0.7)
	switch mistake {
	case "confidence":
		signal = tabot.Buy(1.5)
	case "price":
		signal = signal.Stop(math.NaN())
	case "depth":
		return further(mistake)
	case "endless":
		for {
		}
	default:
		return nil, nil
	}
	return &signal, nil
}
