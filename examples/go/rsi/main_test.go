package main

import (
	"testing"

	"ta-bot.internal/tabot/tabottest"
)

func TestItBuysWhenTheIndexLeavesTheOversoldZone(t *testing.T) {
	candles := tabottest.FromCloses(100, 99, 98, 97, 98)
	signal, err := tabottest.Evaluate(strategy, candles, tabottest.Parameters{"period": 2})
	if err != nil || signal.Rationale != "The RSI over 2 candles rose from 0.00 to 50.00, past 30.00." {
		t.Fatal(signal, err)
	}
	signal, err = tabottest.Evaluate(strategy, candles, tabottest.Parameters{"period": 2, "direction": "short"})
	if signal != nil || err != nil {
		t.Fatal(signal, err)
	}
}
