package tabot

import (
	"fmt"
	"path"
	"runtime"
	"strings"
)

// Fault is an evaluation that ends without an answer. A rule returns one of the functions below; any other error that
// it returns becomes Failed with the error's text, and a panic becomes Failed with its line.
type Fault struct {
	kind    faultKind
	message string
	needed  int
}

type faultKind uint8

// In the order of the interface.
const (
	invalidParameters faultKind = iota
	insufficientData
	failed
)

// Error says what the host is told.
func (f Fault) Error() string { return f.message }

// Needed is the number of candles that the rule needs, and 0 for another fault.
func (f Fault) Needed() int { return f.needed }

// InsufficientData says that there are too few base candles, and how many the rule needs. The host does not count it as
// a failure.
func InsufficientData(needed int) error {
	return Fault{insufficientData, fmt.Sprintf("%d candles are needed", needed), needed}
}

// InvalidParameters says which rule of the strategy the parameters break, and how.
func InvalidParameters(format string, arguments ...any) error {
	return Fault{kind: invalidParameters, message: fmt.Sprintf(format, arguments...)}
}

// Failed is anything else.
func Failed(format string, arguments ...any) error {
	return Fault{kind: failed, message: fmt.Sprintf(format, arguments...)}
}

// mistake ends what is going on with a message for the author.
func mistake(format string, arguments ...any) {
	panic(fmt.Sprintf(format, arguments...))
}

// told is a panic with the innermost line of the author's code. It has to be called by the deferred function.
func told(panicked any) string {
	text := fmt.Sprintf("panic: %v", panicked)
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	begun := false
	for {
		frame, more := frames.Next()
		// The panic itself is the first of the runtime's frames below the deferred function.
		begun = begun || frame.Function == "runtime.gopanic"
		own := strings.HasPrefix(frame.Function, "runtime.") || strings.HasPrefix(frame.Function, "ta-bot.internal/tabot.") ||
			strings.HasPrefix(frame.Function, "ta-bot.internal/tabot/indicators.")
		if begun && !own && frame.File != "" {
			return fmt.Sprintf("%s (%s, line %d, in %s)", text, path.Base(frame.File), frame.Line, frame.Function)
		}
		if !more {
			return text
		}
	}
}
