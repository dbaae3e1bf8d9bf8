package tabot

import (
	"math"
	"strings"
)

// Columns are columns of candles: High | Low | Close.
type Columns uint8

// The columns, in the order in which candles have them.
const (
	OpenTime Columns = 1 << iota
	Open
	High
	Low
	Close
	Volume
)

const allColumns = OpenTime | Open | High | Low | Close | Volume

var columnNames = []string{"OpenTime", "Open", "High", "Low", "Close", "Volume"}

// String names the columns.
func (c Columns) String() string {
	var names []string
	for i, name := range columnNames {
		if c&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, " | ")
}

// Candle is one candle: a body from open to close, and a shadow on each side of it.
type Candle struct {
	Open, High, Low, Close, Volume float64
}

// Range is the distance from the lowest to the highest price.
func (c Candle) Range() float64 { return c.High - c.Low }

// Body is the distance between open and close, whichever is higher.
func (c Candle) Body() float64 { return math.Abs(c.Close - c.Open) }

// UpperShadow is the distance from the body up to the highest price.
func (c Candle) UpperShadow() float64 {
	if c.Close > c.Open {
		return c.High - c.Close
	}
	return c.High - c.Open
}

// LowerShadow is the distance from the lowest price up to the body.
func (c Candle) LowerShadow() float64 {
	if c.Close < c.Open {
		return c.Close - c.Low
	}
	return c.Open - c.Low
}

// IsRising says whether the candle closed above its open.
func (c Candle) IsRising() bool { return c.Close > c.Open }

// IsFalling says whether the candle closed below its open.
func (c Candle) IsFalling() bool { return c.Close < c.Open }

// IsInside says whether the candle lies within the range of the one before: a lower high and a higher low.
func (c Candle) IsInside(before Candle) bool { return c.High < before.High && c.Low > before.Low }

// Data are candles by column, in the order of the constants: what a host hands over. Only the SDK and its test helper
// make them.
type Data [6]Series

// Window is closed candles by column, oldest first. Reading a column that the strategy does not declare is a panic that
// names it, since such a column is never filled.
type Window struct {
	data     Data
	declared Columns
	name     string
	length   int
}

func newWindow(data Data, declared Columns, name string) (Window, error) {
	if declared == 0 {
		declared = allColumns
	}
	window := Window{data: data, declared: declared, name: name, length: -1}
	for i, column := range data {
		if declared&(1<<i) == 0 {
			continue
		}
		if window.length < 0 {
			window.length = len(column)
		}
		if len(column) != window.length {
			return window, Failed("%s: column %s has %d entries where another has %d",
				name, columnNames[i], len(column), window.length)
		}
	}
	return window, nil
}

// Len is the number of candles.
func (w Window) Len() int { return w.length }

// Require is an error, to be returned, if there are fewer candles than the greatest of these; it tells the host how
// many the rule needs.
func (w Window) Require(candles ...int) error {
	needed := 0
	for _, need := range candles {
		needed = max(needed, need)
	}
	if w.length < needed {
		return InsufficientData(needed)
	}
	return nil
}

// Column is one column.
func (w Window) Column(column Columns) Series {
	for i := range columnNames {
		if column == 1<<i {
			if w.declared&column == 0 {
				mistake("%s: the column %s is read, but not declared: add it to Columns (%s)", w.name, column, w.declared)
			}
			return w.data[i]
		}
	}
	mistake("%s: %s is not one column", w.name, column)
	return nil
}

// OpenTime is when each candle opened, in milliseconds since the Unix epoch.
func (w Window) OpenTime() Series { return w.Column(OpenTime) }

// Open is the first price of each candle.
func (w Window) Open() Series { return w.Column(Open) }

// High is the highest price of each candle.
func (w Window) High() Series { return w.Column(High) }

// Low is the lowest price of each candle.
func (w Window) Low() Series { return w.Column(Low) }

// Close is the last price of each candle.
func (w Window) Close() Series { return w.Column(Close) }

// Volume is the amount traded in each candle.
func (w Window) Volume() Series { return w.Column(Volume) }

// Candle is the candle so many before the newest; Candle(0) is the newest. It is NaN throughout if there are fewer
// candles. It needs all columns except OpenTime.
func (w Window) Candle(candles int) Candle {
	return Candle{w.Open().Ago(candles), w.High().Ago(candles), w.Low().Ago(candles), w.Close().Ago(candles),
		w.Volume().Ago(candles)}
}
