package tabot_test

import (
	"strings"
	"testing"

	"ta-bot.internal/tabot"
	"ta-bot.internal/tabot/tabottest"
)

type every struct {
	Period      int     `default:"14" min:"2" max:"200" doc:"Length of the average, in candles."`
	Threshold   float64 `default:"30" min:"0" doc:"A threshold, in points."`
	Verbose     bool    `default:"false" doc:"Whether to log."`
	Trigger     string  `default:"cross" choices:"cross,level" doc:"What counts."`
	Label       string  `default:"none" doc:"A name."`
	TrendPeriod *int    `max:"240" doc:"Length of the trend, in candles."`
}

type evaluation[P any] func(tabot.Context, tabot.Window, []tabot.Window, P) (*tabot.Signal, error)

func strategy[P any](evaluate evaluation[P]) tabot.Strategy[P] {
	return tabot.Strategy[P]{ID: "sound", Name: "Sound", Version: "1.0.0", Description: "Does little.", Lookback: 2,
		Columns: tabot.Close, Evaluate: evaluate}
}

func nothing[P any](tabot.Context, tabot.Window, []tabot.Window, P) (*tabot.Signal, error) {
	return nil, nil
}

func TestARuleSeesWhatItDeclaredAndNoMore(t *testing.T) {
	both := strategy(func(_ tabot.Context, window tabot.Window, extra []tabot.Window, p every) (*tabot.Signal, error) {
		seen := window.Len() + 10*len(extra[0].Volume()) + 100*len(extra[1].OpenTime())
		signal := tabot.Buy(0.7).With("seen", seen).With("threshold", p.Threshold)
		return &signal, nil
	})
	both.Extra = []tabot.Input{{Lookback: 3, Columns: tabot.Close | tabot.Volume}, {Lookback: 1, Timeframe: "1h", Symbol: "BTCUSDT"}}
	made := tabottest.FromCloses(10, 10, 10, 10, 10)
	signal, err := tabottest.Evaluate(both, made, nil, made, made)
	if err != nil || signal.Number("seen") != 132 || signal.Number("threshold") != 30 {
		t.Fatal(signal, err)
	}
	if _, err := tabottest.Evaluate(both, made, nil, made); err == nil || err.Error() != "1 extra series where 2 are declared" {
		t.Fatal(err)
	}
}

func TestAWrongValueIsRefusedWithWhatWouldBeRight(t *testing.T) {
	rule := strategy(nothing[every])
	for _, wrong := range []struct {
		name    string
		value   any
		message string
	}{
		{"period", 1, "period = 1 must be from 2 to 200"},
		{"period", 14.0, "period = 14 must be an integer"},
		{"threshold", -0.5, "threshold = -0.5 must be at least 0"},
		{"trend_period", 241, "trend_period = 241 must be at most 240"},
		{"verbose", "yes", "verbose = \"yes\" must be true or false"},
		{"trigger", "touch", "trigger = \"touch\" must be one of cross, level"},
		{"label", 1, "label = 1 must be a text"},
		{"perod", 14, "perod is no parameter of this strategy: its parameters are period, threshold"},
	} {
		err := tabottest.Check(rule, tabottest.Parameters{wrong.name: wrong.value})
		if err == nil || !strings.HasPrefix(err.Error(), wrong.message) {
			t.Errorf("%s = %v: %v", wrong.name, wrong.value, err)
		}
	}
	if err := tabottest.Check(rule, nil); err != nil {
		t.Error(err)
	}
}

func TestAPanicSaysItsLine(t *testing.T) {
	rule := strategy(func(_ tabot.Context, window tabot.Window, _ []tabot.Window, _ struct{}) (*tabot.Signal, error) {
		closes := window.Close()
		_ = closes[len(closes)+3]
		return nil, nil
	})
	_, err := tabottest.Evaluate(rule, tabottest.FromCloses(1), nil)
	if err == nil || !strings.Contains(err.Error(), "index out of range [4] with length 1 (strategy_test.go, line ") {
		t.Error(err)
	}
	rule = strategy(func(_ tabot.Context, window tabot.Window, _ []tabot.Window, _ struct{}) (*tabot.Signal, error) {
		window.Volume()
		return nil, nil
	})
	_, err = tabottest.Evaluate(rule, tabottest.FromCloses(1), nil)
	told := "base: the column Volume is read, but not declared: add it to Columns (Close) (strategy_test.go, line "
	if err == nil || !strings.Contains(err.Error(), told) {
		t.Error(err)
	}
}

// mistaken is what Rule panics with.
func mistaken[P any](strategy tabot.Strategy[P]) (message string) {
	defer func() { message, _ = recover().(string) }()
	strategy.Rule()
	return ""
}

func TestADeclarationThatIsWrongIsNamed(t *testing.T) {
	type undocumented struct {
		Period int `default:"14"`
	}
	type misspelt struct {
		Period int `defualt:"14" doc:"A length."`
	}
	type neither struct {
		Period int `doc:"A length."`
	}
	type outside struct {
		Period int `default:"1" min:"2" doc:"A length."`
	}
	type unsupported struct {
		Period []int `default:"1" doc:"A length."`
	}
	noID := strategy(nothing[struct{}])
	noID.ID = "Bad-Id"
	for _, made := range [][2]string{
		{mistaken(strategy(nothing[undocumented])), "undocumented.Period needs doc:"},
		{mistaken(strategy(nothing[misspelt])), "misspelt.Period: defualt is no key of a parameter's tag"},
		{mistaken(strategy(nothing[neither])), "neither.Period needs either default:"},
		{mistaken(strategy(nothing[outside])), "the default of outside.Period: period = 1 must be at least 2"},
		{mistaken(strategy(nothing[unsupported])), "unsupported.Period is a []int: use bool"},
		{mistaken(strategy[struct{}](nil)), "the strategy has no Evaluate"},
		{mistaken(noID), "ID = \"Bad-Id\" must be up to 64 lower case letters"},
	} {
		if !strings.HasPrefix(made[0], made[1]) {
			t.Errorf("%q does not begin with %q", made[0], made[1])
		}
	}
}

func TestASeriesIsReadFromItsNewestEnd(t *testing.T) {
	series := tabot.Series{1, 2, 3, 4}
	if series.Newest() != 4 || series.Ago(3) != 1 || series.Ago(4) == series.Ago(4) || len(series.Span(5, 9)) != 0 {
		t.Error(series)
	}
	if tail, span := series.Tail(2), series.Span(1, 3); tail[0] != 3 || span[0] != 2 || span[1] != 3 {
		t.Error(tail, span)
	}
	line := tabot.Series{2, 2}
	if !(tabot.Series{1, 3}).CrossedAbove(line) || !(tabot.Series{3, 1}).CrossedBelow(line) || (tabot.Series{3}).CrossedAbove(line) {
		t.Error("crossings")
	}
}
