package indicators_test

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"ta-bot.internal/tabot"
	of "ta-bot.internal/tabot/indicators"
)

type answer struct {
	Series, Indicator, Line string
	Numbers                 []float64
	Values                  []*float64
}

type document struct {
	Series []struct {
		Name             string
		High, Low, Close []*float64
	}
	Answers []answer
	Texts   []struct {
		Function string
		Value    float64
		Decimals int
		Text     string
	}
}

func read(t *testing.T) document {
	path := os.Getenv("TA_BOT_CONFORMANCE")
	if path == "" {
		path = "../../conformance/indicators.json"
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var read document
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	return read
}

// numbers has NaN for null.
func numbers(values []*float64) tabot.Series {
	plain := make(tabot.Series, len(values))
	for i, value := range values {
		plain[i] = math.NaN()
		if value != nil {
			plain[i] = *value
		}
	}
	return plain
}

func said(a answer, high, low, close tabot.Series) map[string]tabot.Series {
	period := 0
	if len(a.Numbers) > 0 {
		period = int(a.Numbers[0])
	}
	one := func(values tabot.Series) map[string]tabot.Series { return map[string]tabot.Series{"": values} }
	switch a.Indicator {
	case "sma":
		return one(of.Sma(close, period))
	case "ema":
		return one(of.Ema(close, period))
	case "ema_adjusted":
		return one(of.EmaAdjusted(close, period))
	case "rma":
		return one(of.Rma(close, period))
	case "rsi":
		return one(of.Rsi(close, period))
	case "rsi_adjusted":
		return one(of.RsiAdjusted(close, period))
	case "rolling_max":
		return one(of.RollingMax(high, period))
	case "rolling_min":
		return one(of.RollingMin(low, period))
	case "rolling_standard_deviation":
		return one(of.RollingStandardDeviation(close, period))
	case "atr":
		return one(of.Atr(high, low, close, period))
	case "adx":
		lines := of.Adx(high, low, close, period)
		return map[string]tabot.Series{"adx": lines.Adx, "plus_di": lines.PlusDi, "minus_di": lines.MinusDi}
	case "bollinger":
		lines := of.Bollinger(close, period, a.Numbers[1])
		return map[string]tabot.Series{"lower": lines.Lower, "middle": lines.Middle, "upper": lines.Upper}
	case "macd":
		lines := of.Macd(close, period, int(a.Numbers[1]), int(a.Numbers[2]))
		return map[string]tabot.Series{"line": lines.Line, "signal": lines.Signal, "histogram": lines.Histogram}
	case "true_range":
		return one(of.TrueRange(high, low, close))
	case "mean":
		return one(tabot.Series{of.Mean(close)})
	case "standard_deviation":
		return one(tabot.Series{of.StandardDeviation(close)})
	case "highest":
		return one(tabot.Series{of.Highest(high)})
	case "lowest":
		return one(tabot.Series{of.Lowest(low)})
	case "midprice":
		return one(tabot.Series{of.Midprice(high, low)})
	case "bollinger_band":
		band := of.BollingerBand(close, a.Numbers[0])
		price := math.NaN()
		if len(a.Numbers) > 1 {
			price = a.Numbers[1]
		}
		return map[string]tabot.Series{"lower": {band.Lower}, "middle": {band.Middle}, "upper": {band.Upper},
			"width": {band.Width()}, "position": {band.Position(price)}}
	}
	return nil
}

// TestIndicators compares with the answers of the Rust SDK, to the bit; NaN is equal to NaN, and 0 is not -0.
func TestIndicators(t *testing.T) {
	read := read(t)
	for _, answer := range read.Answers {
		for _, series := range read.Series {
			if series.Name != answer.Series {
				continue
			}
			made := said(answer, numbers(series.High), numbers(series.Low), numbers(series.Close))[answer.Line]
			wanted := numbers(answer.Values)
			if made == nil || len(made) != len(wanted) {
				t.Fatalf("%s %v %s of %s: %d values where there should be %d", answer.Indicator, answer.Numbers, answer.Line,
					answer.Series, len(made), len(wanted))
			}
			for i, value := range made {
				same := math.Float64bits(value) == math.Float64bits(wanted[i]) || (math.IsNaN(value) && math.IsNaN(wanted[i]))
				if !same {
					t.Fatalf("%s %v %s of %s: %v at %d, and should be %v", answer.Indicator, answer.Numbers, answer.Line,
						answer.Series, value, i, wanted[i])
				}
			}
		}
	}
}

func TestTexts(t *testing.T) {
	for _, text := range read(t).Texts {
		made := tabot.Price(text.Value)
		if text.Function == "fixed" {
			made = tabot.Fixed(text.Value, text.Decimals)
		}
		if made != text.Text {
			t.Errorf("%s(%v, %d) is %s, and should be %s", text.Function, text.Value, text.Decimals, made, text.Text)
		}
	}
}
