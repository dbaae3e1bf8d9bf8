package tabot

import (
	"fmt"
	"os"
)

type level uint8

// In the order of the interface.
const (
	levelDebug level = iota
	levelInfo
	levelWarn
	levelError
)

// writeLine is replaced by the component, which has the host's log.
var writeLine = func(at level, message string) {
	fmt.Fprintf(os.Stderr, "%s: %s\n", [...]string{"debug", "info", "warn", "error"}[at], message)
}

// Debug writes a line to the host's log; natively to the standard error, as the functions below. The host limits the
// volume, and a line is made whether or not anyone reads it, so do not log on the usual path of a rule.
func Debug(format string, arguments ...any) { writeLine(levelDebug, fmt.Sprintf(format, arguments...)) }

// Info writes a line at level info.
func Info(format string, arguments ...any) { writeLine(levelInfo, fmt.Sprintf(format, arguments...)) }

// Warn writes a line at level warn.
func Warn(format string, arguments ...any) { writeLine(levelWarn, fmt.Sprintf(format, arguments...)) }

// Error writes a line at level error. The host adds the last one to the report of an evaluation that fails.
func Error(format string, arguments ...any) { writeLine(levelError, fmt.Sprintf(format, arguments...)) }
