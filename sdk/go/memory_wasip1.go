package tabot

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// The interface of the host in this instance's memory. The numbers are places of fields, by the layout of the component
// model for the records of strategy.wit: this file writes them, and component_wasip1.go says which.

// kept are the blocks that only the host refers to. The instance is dropped after the call, so nothing is taken out.
var kept []any

// room is zeroed memory of so many bytes that the host may read or write.
func room(size int) []byte {
	block := make([]uint64, (size+7)/8)
	kept = append(kept, block)
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(&block[0])), size)
}

func address(block []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(block))))
}

// at is what stands at an address that the host was given by room.
func at(address uint32, size int) []byte {
	if size == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(uintptr(address))), size)
}

//go:wasmexport cabi_realloc
func cabiRealloc(old, oldSize, align, size uint32) uint32 {
	if size == 0 {
		return align
	}
	block := room(int(size))
	copy(block, at(old, int(min(oldSize, size))))
	return address(block)
}

func word(record []byte, place int) uint32 { return binary.LittleEndian.Uint32(record[place:]) }

func putWord(record []byte, place int, value uint32) {
	binary.LittleEndian.PutUint32(record[place:], value)
}

func number(record []byte, place int) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(record[place:]))
}

func putNumber(record []byte, place int, value float64) {
	binary.LittleEndian.PutUint64(record[place:], math.Float64bits(value))
}

// text is copied, since a record of the host need not outlive the call.
func text(record []byte, place int) string {
	return string(at(word(record, place), int(word(record, place+4))))
}

func putText(record []byte, place int, text string) {
	kept = append(kept, text)
	putWord(record, place, uint32(uintptr(unsafe.Pointer(unsafe.StringData(text)))))
	putWord(record, place+4, uint32(len(text)))
}

// series is the column itself: nothing is copied.
func series(record []byte, place int) Series {
	count := int(word(record, place+4))
	if count == 0 {
		return nil
	}
	return unsafe.Slice((*float64)(unsafe.Pointer(uintptr(word(record, place)))), count)
}

// putList makes room for a list of so many entries and returns them.
func putList(record []byte, place, count, size int) [][]byte {
	block := room(count * size)
	putWord(record, place, address(block))
	putWord(record, place+4, uint32(count))
	entries := make([][]byte, count)
	for i := range entries {
		entries[i] = block[i*size : (i+1)*size]
	}
	return entries
}

// list is the entries of a list.
func list(record []byte, place, size int) [][]byte {
	return split(word(record, place), int(word(record, place+4)), size)
}

func split(address uint32, count, size int) [][]byte {
	block := at(address, count*size)
	entries := make([][]byte, count)
	for i := range entries {
		entries[i] = block[i*size : (i+1)*size]
	}
	return entries
}
