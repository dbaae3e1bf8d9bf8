package main

import (
	"testing"

	"ta-bot.internal/tabot/tabottest"
)

func TestItBuysAboveTheChannel(t *testing.T) {
	quiet := []float64{100, 100, 100, 100}
	parameters := tabottest.Parameters{"period": 3}
	signal, err := tabottest.Evaluate(strategy, tabottest.FromCloses(quiet...), parameters)
	if signal != nil || err != nil {
		t.Fatal(signal, err)
	}
	signal, err = tabottest.Evaluate(strategy, tabottest.FromCloses(append(quiet, 101)...), parameters)
	if err != nil || *signal.StopLoss != 100 || *signal.TakeProfit != 103 {
		t.Fatal(signal, err)
	}
}

func TestItAsksForAsManyCandlesAsItNeeds(t *testing.T) {
	_, err := tabottest.Evaluate(strategy, tabottest.FromCloses(100, 100), tabottest.Parameters{"period": 3})
	if err == nil {
		t.Fatal("two candles are too few")
	}
}
