package tabot

//go:wasmimport ta-bot:strategy/log@1.0.0 write
func hostLog(at uint32, message string)

func init() {
	writeLine = func(at level, message string) { hostLog(uint32(at), message) }
}

// theStrategy is the exported one. Without one, the log says what to do before the trap.
func theStrategy() *Rule {
	if exported == nil {
		message := "no strategy is exported: call tabot.Export(strategy) in func init of package main"
		Error("%s", message)
		panic(message)
	}
	return exported
}

//go:wasmexport ta-bot:strategy/strategy@1.0.0#describe
func describe() uint32 {
	rule := theStrategy()
	record := room(64)
	putText(record, 0, rule.id)
	putText(record, 8, rule.name)
	putText(record, 16, rule.version)
	putText(record, 24, rule.description)
	putWord(record, 32, uint32(rule.lookback))
	record[36] = byte(rule.columns)
	for i, entry := range putList(record, 40, len(rule.timeframes), 8) {
		putText(entry, 0, rule.timeframes[i])
	}
	for i, entry := range putList(record, 48, len(rule.extra), 32) {
		putFixed(entry, 0, rule.extra[i].Symbol)
		putFixed(entry, 12, rule.extra[i].Timeframe)
		putWord(entry, 24, uint32(rule.extra[i].Lookback))
		entry[28] = byte(rule.extra[i].Columns)
	}
	for i, entry := range putList(record, 56, len(rule.declaration), 88) {
		putParameter(entry, rule.declaration[i])
	}
	return address(record)
}

// putFixed writes a symbol or a timeframe: the first case of the variant if it is empty, else this one.
func putFixed(record []byte, place int, fixed string) {
	if fixed != "" {
		record[place] = 1
		putText(record, place+4, fixed)
	}
}

func putParameter(record []byte, declared parameter) {
	putText(record, 0, declared.name)
	putText(record, 8, declared.description)
	record[16] = byte(declared.kind)
	if !declared.optional {
		record[24] = 1
		putValue(record, 32, declared.byDefault)
	}
	putOptional(record, 48, declared.min)
	putOptional(record, 64, declared.max)
	for i, entry := range putList(record, 80, len(declared.choices), 8) {
		putText(entry, 0, declared.choices[i])
	}
}

func putOptional(record []byte, place int, value *float64) {
	if value != nil {
		record[place] = 1
		putNumber(record, place+8, *value)
	}
}

func putValue(record []byte, place int, value any) {
	switch value := value.(type) {
	case bool:
		if value {
			record[place+8] = 1
		}
	case int32:
		record[place] = byte(kindInteger)
		putWord(record, place+8, uint32(value))
	case int:
		record[place] = byte(kindInteger)
		putWord(record, place+8, uint32(int32(value)))
	case float64:
		record[place] = byte(kindNumber)
		putNumber(record, place+8, value)
	case string:
		record[place] = byte(kindText)
		putText(record, place+8, value)
	}
}

func values(records [][]byte) []Value {
	given := make([]Value, len(records))
	for i, record := range records {
		given[i].Name = text(record, 0)
		switch kind(record[8]) {
		case kindBoolean:
			given[i].Value = record[16] != 0
		case kindInteger:
			given[i].Value = int32(word(record, 16))
		case kindNumber:
			given[i].Value = number(record, 16)
		case kindText:
			given[i].Value = text(record, 16)
		}
	}
	return given
}

//go:wasmexport ta-bot:strategy/strategy@1.0.0#check
func check(parameters, count uint32) uint32 {
	answer := room(12)
	if err := theStrategy().Check(values(split(parameters, int(count), 24))); err != nil {
		answer[0] = 1
		putText(answer, 4, err.Error())
	}
	return address(answer)
}

//go:wasmexport ta-bot:strategy/strategy@1.0.0#evaluate
func evaluate(arguments uint32) uint32 {
	given := at(arguments, 88)
	context := Context{text(given, 0), text(given, 8), number(given, 16)}
	records := list(given, 72, 48)
	extra := make([]Data, len(records))
	for i, record := range records {
		extra[i] = data(record)
	}
	signal, err := theStrategy().Evaluate(context, data(given[24:72]), extra, values(list(given, 80, 24)))
	answer := room(104)
	switch {
	case err != nil:
		answer[0] = 1
		putFault(answer[8:], err)
	case signal != nil:
		answer[8] = 1
		putSignal(answer[16:], *signal)
	}
	return address(answer)
}

func data(record []byte) Data {
	var data Data
	for i := range data {
		data[i] = series(record, 8*i)
	}
	return data
}

func putFault(record []byte, err error) {
	fault, known := err.(Fault)
	if !known {
		fault = Fault{kind: failed, message: err.Error()}
	}
	record[0] = byte(fault.kind)
	if fault.kind == insufficientData {
		putWord(record, 4, uint32(fault.needed))
	} else {
		putText(record, 4, fault.message)
	}
}

func putSignal(record []byte, signal Signal) {
	record[0] = byte(signal.Action)
	putNumber(record, 8, signal.Confidence)
	putOptional(record, 16, signal.Price)
	putOptional(record, 32, signal.StopLoss)
	putOptional(record, 48, signal.TakeProfit)
	if signal.Strength != Unstated {
		record[64] = 1
		record[65] = byte(signal.Strength) - 1
	}
	if signal.Rationale != "" {
		record[68] = 1
		putText(record, 72, signal.Rationale)
	}
	for i, entry := range putList(record, 80, len(signal.Metadata), 24) {
		putText(entry, 0, signal.Metadata[i].Name)
		putValue(entry, 8, signal.Metadata[i].Value)
	}
}
