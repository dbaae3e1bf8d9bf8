package indicators

import (
	"math"

	"ta-bot.internal/tabot"
)

// AdxLines are the lines of Adx, in points from 0 to 100.
type AdxLines struct {
	// Average directional movement index.
	Adx tabot.Series
	// Positive directional indicator.
	PlusDi tabot.Series
	// Negative directional indicator.
	MinusDi tabot.Series
}

// Adx is the average directional movement index with its directional indicators (Wilder).
//
// The movement of a candle is how far its high rose above, or its low fell below, that of the candle before, whichever
// is more. Wilder's sums of movement and of true range give DI = 100·movement / range. Then DX = 100·|+DI - -DI| /
// (+DI + -DI), and the index is the average of DX (Rma). The indicators begin at index period, the index at 2·period -
// 1. On flat data it is NaN until there is a movement; after that it keeps its value.
func Adx(high, low, close []float64, period int) AdxLines {
	mustBePeriod("period", period)
	length := min(len(high), len(low), len(close))
	lines := AdxLines{PlusDi: blank(length), MinusDi: blank(length)}
	share := 1 / float64(period)
	if period == 0 {
		share = math.NaN()
	}
	index := make([]float64, length)
	up, down, span := 0.0, 0.0, 0.0
	for i := range length {
		if i > 0 {
			fade := share
			if i < period {
				fade = 0
			}
			rise, fall := movement(high[i]-high[i-1], low[i-1]-low[i])
			up += rise - float64(up*fade)
			down += fall - float64(down*fade)
			span += trueRangeOf(high[i], low[i], close[i-1]) - float64(span*fade)
		}
		if i >= period {
			lines.PlusDi[i] = 100 * up / span
			lines.MinusDi[i] = 100 * down / span
		}
		plus, minus := lines.PlusDi[i], lines.MinusDi[i]
		index[i] = 100 * math.Abs(plus-minus) / (plus + minus)
	}
	lines.Adx = wilder(period).over(index)
	return lines
}

// movement is the movement up and the movement down, at least one of which is 0.
func movement(up, down float64) (float64, float64) {
	if up > down && up >= leastRange {
		return up, 0
	}
	if down > up && down >= leastRange {
		return 0, down
	}
	return 0, 0
}
