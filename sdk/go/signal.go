package tabot

import "math"

// Action is what a signal asks for.
type Action uint8

// The actions, in the order of the interface. ActionHold is a notice without a trade, ActionClose closes what is open.
const (
	ActionBuy Action = iota
	ActionSell
	ActionHold
	ActionClose
)

// String is the name that the host uses.
func (a Action) String() string { return [...]string{"buy", "sell", "hold", "close"}[a] }

// Strength is how strong a signal is; the zero value leaves it to the host, which takes medium.
type Strength uint8

// The strengths.
const (
	Unstated Strength = iota
	Weak
	Medium
	Strong
	Extreme
)

// Reading is a reading behind a decision: a bool, an int (of 32 bits), a float64 or a string under a name.
type Reading struct {
	Name  string
	Value any
}

// Signal is what a strategy answers. Its methods return a changed copy: tabot.Buy(0.7).Because("…").With("rsi", now).
type Signal struct {
	Action Action
	// In [0, 1].
	Confidence float64
	// The entry price. nil: the newest close.
	Price *float64
	// The price at which the trade is given up, and the one at which the profit is taken. nil: the host chooses it.
	StopLoss, TakeProfit *float64
	Strength             Strength
	// One sentence, with the numbers, that says why. Empty: none. The host keeps 4 KiB of it.
	Rationale string
	// The host keeps 200 bytes of a name, 2 KiB of a text, and 16 KiB of all readings together.
	Metadata []Reading
}

// Buy is a signal to buy, with a confidence in [0, 1].
func Buy(confidence float64) Signal { return Signal{Action: ActionBuy, Confidence: confidence} }

// Sell is a signal to sell.
func Sell(confidence float64) Signal { return Signal{Action: ActionSell, Confidence: confidence} }

// Hold is a notice without a trade.
func Hold(confidence float64) Signal { return Signal{Action: ActionHold, Confidence: confidence} }

// CloseOpen is a signal to close what is open.
func CloseOpen(confidence float64) Signal { return Signal{Action: ActionClose, Confidence: confidence} }

// At sets the entry price.
func (s Signal) At(price float64) Signal {
	s.Price = &price
	return s
}

// Stop sets the price at which the trade is given up.
func (s Signal) Stop(price float64) Signal {
	s.StopLoss = &price
	return s
}

// Target sets the price at which the profit is taken.
func (s Signal) Target(price float64) Signal {
	s.TakeProfit = &price
	return s
}

// Trade sets the levels of a trade: entry, stop, and the target reward times as far from the entry as the stop. The
// target of a sell lies below the price, that of any other action above.
func (s Signal) Trade(price, stopLoss, reward float64) Signal {
	distance := float64(math.Abs(price-stopLoss) * reward)
	if s.Action == ActionSell {
		distance = -distance
	}
	return s.At(price).Stop(stopLoss).Target(price + distance)
}

// As sets the strength.
func (s Signal) As(strength Strength) Signal {
	s.Strength = strength
	return s
}

// Because sets the rationale.
func (s Signal) Because(sentence string) Signal {
	s.Rationale = sentence
	return s
}

// With adds a reading. A value of another type than those of Reading is a panic.
func (s Signal) With(name string, value any) Signal {
	switch value := value.(type) {
	case bool, float64, string:
	case int:
		if int(int32(value)) != value {
			mistake("the reading %s = %d must be an int of 32 bits, or a float64", name, value)
		}
	default:
		mistake("the reading %s is a %T: it must be a bool, an int, a float64 or a string", name, value)
	}
	s.Metadata = append(s.Metadata[:len(s.Metadata):len(s.Metadata)], Reading{name, value})
	return s
}

// Number is the reading of this name as a number; NaN if there is none or it is not a number.
func (s Signal) Number(name string) float64 {
	for _, reading := range s.Metadata {
		if reading.Name == name {
			switch value := reading.Value.(type) {
			case float64:
				return value
			case int:
				return float64(value)
			}
		}
	}
	return math.NaN()
}
