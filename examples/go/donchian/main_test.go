package main

import (
	"errors"
	"testing"

	"ta-bot.internal/tabot"
	"ta-bot.internal/tabot/tabottest"
)

func TestABreakoutHasAStopByATR(t *testing.T) {
	var closes []float64
	for i := range 30 {
		closes = append(closes, 100+float64(i%2))
	}
	if signal, err := tabottest.Evaluate(strategy, tabottest.FromCloses(closes...), nil); signal != nil || err != nil {
		t.Fatal(signal, err)
	}
	signal, err := tabottest.Evaluate(strategy, tabottest.FromCloses(append(closes, 103)...), nil)
	if err != nil || signal.Action != tabot.ActionBuy || *signal.Price != 103 || signal.Number("channel_high") != 101 {
		t.Fatal(signal, err)
	}
	if *signal.StopLoss != 103-2*signal.Number("atr") {
		t.Fatal(*signal.StopLoss)
	}
}

func TestAShortWindowAsksForData(t *testing.T) {
	short := tabottest.FromCloses(make([]float64, 20)...)
	_, err := tabottest.Evaluate(strategy, short, nil)
	var fault tabot.Fault
	if !errors.As(err, &fault) || fault.Needed() != 21 {
		t.Fatal(err)
	}
	err = tabottest.Check(strategy, tabottest.Parameters{"trend_period": 20})
	if err == nil || err.Error() != "channel = 20 must be below trend_period = 20" {
		t.Fatal(err)
	}
}
