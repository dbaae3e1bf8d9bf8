// Package tabot is what a Go author of a TA Bot strategy imports: parameters, rule, log, and the export of a component.
// The indicators are in the package indicators, the native test helper in tabottest, and the README shows how it all
// goes together.
package tabot

import "strings"

// Context is what is evaluated.
type Context struct {
	// Such as "BTCUSDT".
	Symbol string
	// Such as "15m".
	Timeframe string
	// When the newest base candle closed, in milliseconds since the Unix epoch: the "now" of this evaluation.
	CloseTime float64
}

// Input is a further series that a rule reads.
type Input struct {
	// How many candles the rule gets.
	Lookback int
	// Always this timeframe, such as "1h". Empty: the one after the evaluated.
	Timeframe string
	// Always this symbol, such as "BTCUSDT". Empty: the evaluated.
	Symbol string
	// The columns that the rule reads of this series. None: all.
	Columns Columns
}

// Strategy is a trading rule, with what it declares about itself: a pure function from closed candles and parameters to
// a decision. P is a struct with a field for each parameter, see the README.
type Strategy[P any] struct {
	// The name in URLs and metrics: lower case letters, digits and underscores, beginning with a letter.
	ID string
	// The name for people.
	Name string
	// The semantic version of the rule.
	Version string
	// What the rule does, in a sentence or two.
	Description string
	// The number of candles that the rule gets. It gets fewer only if the market has fewer.
	Lookback int
	// The columns that the rule reads; others can't be read. None: all.
	Columns Columns
	// The timeframes that the rule may run on, such as "15m". None: any.
	Timeframes []string
	// Further series, passed to Evaluate in this order.
	Extra []Input
	// Rules between parameters: nil if all is well, or an error that names the constraint and the values. May be nil.
	Check func(parameters P) error
	// One decision on one window. A nil signal means nothing to say about this candle.
	Evaluate func(context Context, window Window, extra []Window, parameters P) (*Signal, error)
}

// Rule is a strategy without the type of its parameters: what the component and the test helper use.
type Rule struct {
	id, name, version, description string
	lookback                       int
	columns                        Columns
	timeframes                     []string
	extra                          []Input
	declaration                    []parameter
	evaluate                       func(Context, Window, []Window, []Value) (*Signal, error)
	check                          func([]Value) error
}

// validID is written out, since package regexp would make each component larger.
func validID(id string) bool {
	for i, letter := range id {
		lower, digit := letter >= 'a' && letter <= 'z', letter >= '0' && letter <= '9' || letter == '_'
		if !lower && (!digit || i == 0) {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 64
}

// Rule checks what the strategy declares. It panics with a message that names a mistake.
func (s Strategy[P]) Rule() Rule {
	for _, text := range [][3]string{
		{"ID", s.ID, "the name in URLs and metrics"},
		{"Name", s.Name, "the name for people"},
		{"Version", s.Version, "the semantic version of the rule"},
		{"Description", s.Description, "what the rule does, in a sentence or two"},
	} {
		if strings.TrimSpace(text[1]) == "" {
			mistake("the strategy has no %s: %s", text[0], text[2])
		}
	}
	if !validID(s.ID) {
		mistake("ID = %q must be up to 64 lower case letters, digits and underscores, a letter first", s.ID)
	}
	if s.Lookback < 1 {
		mistake("Lookback = %d must be a number of candles, from 1 on", s.Lookback)
	}
	for i, input := range s.Extra {
		if input.Lookback < 1 {
			mistake("Extra[%d].Lookback = %d must be a number of candles, from 1 on", i, input.Lookback)
		}
	}
	if s.Evaluate == nil {
		mistake("the strategy has no Evaluate: the rule itself")
	}
	declaration := declared[P]()
	parsed := func(values []Value) (P, error) {
		parameters, err := read[P](declaration, values)
		if err != nil || s.Check == nil {
			return parameters, err
		}
		return parameters, checked(s.Check, parameters)
	}
	return Rule{
		s.ID, s.Name, s.Version, s.Description, s.Lookback, s.Columns, s.Timeframes, s.Extra, declaration,
		func(context Context, window Window, extra []Window, values []Value) (*Signal, error) {
			parameters, err := parsed(values)
			if err != nil {
				return nil, err
			}
			return s.Evaluate(context, window, extra, parameters)
		},
		func(values []Value) error {
			_, err := parsed(values)
			return err
		},
	}
}

// checked is what the author's check says, as a fault.
func checked[P any](check func(P) error, parameters P) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = InvalidParameters("Check: %s", told(panicked))
		}
	}()
	if refused := check(parameters); refused != nil {
		return InvalidParameters("%s", refused)
	}
	return nil
}

// Check is what the host is told about these parameters: nil, or what is wrong.
func (r Rule) Check(values []Value) error { return r.check(values) }

// Evaluate makes one decision as a component does. A panic of the rule becomes a fault that says its line.
func (r Rule) Evaluate(context Context, base Data, extra []Data, values []Value) (signal *Signal, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			signal, err = nil, Failed("Evaluate: %s", told(panicked))
		}
	}()
	window, err := newWindow(base, r.columns, "base")
	if err != nil {
		return nil, err
	}
	if len(extra) != len(r.extra) {
		return nil, Failed("%d extra series where %d are declared", len(extra), len(r.extra))
	}
	windows := make([]Window, len(extra))
	for i, data := range extra {
		if windows[i], err = newWindow(data, r.extra[i].Columns, "extra "+string(rune('1'+i))); err != nil {
			return nil, err
		}
	}
	signal, err = r.evaluate(context, window, windows, values)
	if err != nil {
		return nil, err
	}
	return signal, nil
}

// HandedOver is the newest of these candles with the declared columns, as a host passes them. Extra is the number of
// the extra series, and -1 for the base.
func (r Rule) HandedOver(data Data, extra int) Data {
	lookback, columns := r.lookback, r.columns
	if extra >= 0 && extra < len(r.extra) {
		lookback, columns = r.extra[extra].Lookback, r.extra[extra].Columns
	}
	var handed Data
	for i, column := range data {
		if columns == 0 || columns&(1<<i) != 0 {
			handed[i] = column.Tail(lookback)
		}
	}
	return handed
}

// exported is the strategy of this component.
var exported *Rule

// Export makes the strategy the component's. Call it once, in func init. It panics with a message that names a mistake
// in what the strategy declares; the build shows it.
func Export[P any](strategy Strategy[P]) {
	if exported != nil {
		mistake("%s is exported already: a component has one strategy", exported.id)
	}
	rule := strategy.Rule()
	if err := rule.Check(nil); err != nil {
		mistake("the strategy %s refuses its own defaults: %s", rule.id, err)
	}
	exported = &rule
}
