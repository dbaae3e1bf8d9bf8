package tabot

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode"
)

// Value is the value of a parameter: a bool, an int32, a float64 or a string under the name that the host knows.
type Value struct {
	Name  string
	Value any
}

type kind uint8

// In the order of the interface.
const (
	kindBoolean kind = iota
	kindInteger
	kindNumber
	kindText
)

// parameter is one declared field, as described to the host.
type parameter struct {
	field       int
	name        string
	description string
	kind        kind
	optional    bool
	byDefault   any
	min, max    *float64
	choices     []string
}

var tags = []string{"name", "default", "min", "max", "choices", "doc"}

// declared reads the struct tags of P. It panics with a message that names the field if one is wrong.
func declared[P any]() []parameter {
	of := reflect.TypeFor[P]()
	if of.Kind() != reflect.Struct {
		mistake("the parameters are a %s: they must be a struct, with a field for each; struct{} if there are none", of)
	}
	var declaration []parameter
	for i := range of.NumField() {
		declaration = append(declaration, declaredField(of, i))
	}
	return declaration
}

func declaredField(of reflect.Type, index int) parameter {
	field := of.Field(index)
	where := of.Name() + "." + field.Name
	if !field.IsExported() {
		mistake("%s must begin with a capital letter, or the SDK can't set it", where)
	}
	checkTag(where, string(field.Tag))
	made := parameter{field: index, name: field.Tag.Get("name"), description: strings.TrimSpace(field.Tag.Get("doc"))}
	if made.name == "" {
		made.name = hostName(field.Name)
	}
	if made.description == "" {
		mistake("%s needs doc:\"…\": a sentence for an operator, with the unit", where)
	}
	plain := field.Type
	if plain.Kind() == reflect.Pointer {
		plain, made.optional = plain.Elem(), true
	}
	switch plain.Kind() {
	case reflect.Bool:
		made.kind = kindBoolean
	case reflect.Int:
		made.kind = kindInteger
	case reflect.Float64:
		made.kind = kindNumber
	case reflect.String:
		made.kind = kindText
	default:
		mistake("%s is a %s: use bool, int, float64, string, or a pointer to one for an optional parameter", where, field.Type)
	}
	made.min, made.max = bound(where, field.Tag, "min", made.kind), bound(where, field.Tag, "max", made.kind)
	if choices, there := field.Tag.Lookup("choices"); there {
		if made.kind != kindText {
			mistake("%s: choices are for a string", where)
		}
		made.choices = strings.Split(choices, ",")
	}
	text, there := field.Tag.Lookup("default")
	if there == made.optional {
		mistake("%s needs either default:\"…\" or a pointer as its type, which makes it optional", where)
	}
	if there {
		made.byDefault = made.parsed(where, text)
	}
	return made
}

// checkTag refuses keys that are unknown, and a tag that Go itself would ignore.
func checkTag(where, tag string) {
	for rest := strings.TrimSpace(tag); rest != ""; rest = strings.TrimSpace(rest) {
		key, value, found := strings.Cut(rest, ":")
		quoted, err := strconv.QuotedPrefix(value)
		if !found || err != nil {
			mistake("%s: the tag is broken at %q: it is key:\"value\" key:\"value\"", where, rest)
		}
		known := false
		for _, tag := range tags {
			known = known || tag == key
		}
		if !known {
			mistake("%s: %s is no key of a parameter's tag: they are %s", where, key, strings.Join(tags, ", "))
		}
		rest = value[len(quoted):]
	}
}

func bound(where string, tag reflect.StructTag, key string, of kind) *float64 {
	text, there := tag.Lookup(key)
	if !there {
		return nil
	}
	if of != kindInteger && of != kindNumber {
		mistake("%s: %s is for an int or a float64", where, key)
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		mistake("%s: %s:%q must be a number", where, key, text)
	}
	return &number
}

func (p parameter) parsed(where, text string) any {
	var value any = text
	var err error
	switch p.kind {
	case kindBoolean:
		value, err = strconv.ParseBool(text)
	case kindInteger:
		var number int64
		number, err = strconv.ParseInt(text, 10, 32)
		value = int32(number)
	case kindNumber:
		value, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		mistake("%s: default:%q must be %s", where, text, p.wanted())
	}
	if _, problem := p.typed(value); problem != nil {
		mistake("the default of %s: %s", where, problem)
	}
	return value
}

// read fills a struct with these values, and the defaults of the others.
func read[P any](declaration []parameter, values []Value) (P, error) {
	var parameters P
	fields := reflect.ValueOf(&parameters).Elem()
	for _, entry := range declaration {
		if !entry.optional {
			set(fields.Field(entry.field), entry.byDefault)
		}
	}
	seen := make([]bool, len(declaration))
	for i, given := range values {
		// The host sends them in the order of the declaration, so the wanted one is usually the next.
		at := i
		if at >= len(declaration) || declaration[at].name != given.Name {
			at = find(declaration, given.Name)
		}
		if at < 0 {
			return parameters, InvalidParameters("%s is no parameter of this strategy: its parameters are %s",
				given.Name, strings.Join(names(declaration), ", "))
		}
		if seen[at] {
			return parameters, InvalidParameters("%s is given twice", given.Name)
		}
		seen[at] = true
		value, problem := declaration[at].typed(given.Value)
		if problem != nil {
			return parameters, problem
		}
		set(fields.Field(declaration[at].field), value)
	}
	return parameters, nil
}

func find(declaration []parameter, name string) int {
	for i, entry := range declaration {
		if entry.name == name {
			return i
		}
	}
	return -1
}

func names(declaration []parameter) []string {
	var names []string
	for _, entry := range declaration {
		names = append(names, entry.name)
	}
	return names
}

func set(field reflect.Value, value any) {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	switch value := value.(type) {
	case bool:
		field.SetBool(value)
	case int32:
		field.SetInt(int64(value))
	case float64:
		field.SetFloat(value)
	case string:
		field.SetString(value)
	}
}

// typed is the value as the field takes it, or a fault that says what would be right.
func (p parameter) typed(value any) (any, error) {
	number := math.NaN()
	fits := false
	switch given := value.(type) {
	case bool:
		fits = p.kind == kindBoolean
	case int32:
		number, fits = float64(given), p.kind == kindInteger || p.kind == kindNumber
		if p.kind == kindNumber {
			value = number
		}
	case float64:
		number, fits = given, p.kind == kindNumber
	case string:
		fits = p.kind == kindText && (p.choices == nil || contains(p.choices, given))
	}
	if !fits {
		return nil, InvalidParameters("%s = %s must be %s", p.name, shown(value), p.wanted())
	}
	if p.kind != kindInteger && p.kind != kindNumber {
		return value, nil
	}
	finite := !math.IsNaN(number) && !math.IsInf(number, 0)
	if !finite || (p.min != nil && number < *p.min) || (p.max != nil && number > *p.max) {
		return nil, InvalidParameters("%s = %s must be %s", p.name, shown(value), p.span())
	}
	return value, nil
}

func contains(choices []string, given string) bool {
	for _, choice := range choices {
		if choice == given {
			return true
		}
	}
	return false
}

func (p parameter) wanted() string {
	switch {
	case p.kind == kindBoolean:
		return "true or false"
	case p.kind == kindInteger:
		return "an integer"
	case p.kind == kindNumber:
		return "a number"
	case p.choices != nil:
		return "one of " + strings.Join(p.choices, ", ")
	}
	return "a text"
}

func (p parameter) span() string {
	switch {
	case p.min != nil && p.max != nil:
		return "from " + Shown(*p.min) + " to " + Shown(*p.max)
	case p.min != nil:
		return "at least " + Shown(*p.min)
	case p.max != nil:
		return "at most " + Shown(*p.max)
	}
	return "finite"
}

func shown(value any) string {
	switch value := value.(type) {
	case float64:
		return Shown(value)
	case string:
		return strconv.Quote(value)
	}
	return fmt.Sprint(value)
}

// Shown is a number as messages show it: its shortest form, whole numbers without a point.
func Shown(number float64) string {
	if text, special := notFinite(number); special {
		return text
	}
	return strconv.FormatFloat(number, 'f', -1, 64)
}

// hostName is the name of a field for the host: TrendPeriod is trend_period, ATRPeriod is atr_period.
func hostName(field string) string {
	letters := []rune(field)
	var name strings.Builder
	for i, letter := range letters {
		begins := i > 0 && unicode.IsUpper(letter) &&
			(!unicode.IsUpper(letters[i-1]) || (i+1 < len(letters) && unicode.IsLower(letters[i+1])))
		if begins {
			name.WriteByte('_')
		}
		name.WriteRune(unicode.ToLower(letter))
	}
	return name.String()
}
