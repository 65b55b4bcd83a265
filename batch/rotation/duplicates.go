package rotation

import (
	"cmp"
	"hash/maphash"
	"iter"
	"slices"

	"siprotate/batch"
)

// duplicates remembers which device stands in which row, in 24 bytes a row, to
// find the devices that stand in several. The zero value holds none.
//
// It compares hashes of 64 bits: among a million devices, the odds that two of
// them are taken for one are below one in ten million, and another start of
// the program, which hashes differently, clears it up.
type duplicates struct {
	hash maphash.Hash
	seen []sighting
}

// A sighting is a row that names a device.
type sighting struct {
	hash      uint64
	row, line int32
	faulty    bool
}

// add remembers a row and its line, both below 1<<31, and whether the row has
// faults of its own.
func (d *duplicates) add(userID, deviceID string, row, line int, faulty bool) {
	d.hash.Reset()
	d.hash.WriteString(batch.DeviceKey(userID, deviceID))
	d.seen = append(d.seen, sighting{d.hash.Sum64(), int32(row), int32(line), faulty})
}

// twins returns every sighting of a device that stands in several rows, and the
// line of another one: of the first, and for the first itself of the second.
// They come in no order.
func (d *duplicates) twins() iter.Seq2[sighting, int] {
	slices.SortFunc(d.seen, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line))
	})
	return func(yield func(sighting, int) bool) {
		first := 0
		for i, s := range d.seen {
			if s.hash != d.seen[first].hash {
				first = i
			}
			other := first
			if i == first {
				other++
			}
			if other == len(d.seen) || d.seen[other].hash != s.hash {
				continue
			}
			if !yield(s, int(d.seen[other].line)) {
				return
			}
		}
	}
}
