package rotation

import (
	"cmp"
	"hash/maphash"
	"iter"
	"slices"

	"siprotate/batch"
)

// duplicates remembers which device stands in which row, in 16 bytes a row, to
// find the devices that stand in several. The zero value holds none.
//
// It compares hashes of 64 bits: among a million devices, the odds that two of
// them are taken for one are below one in ten million, and another start of
// the program, which hashes differently, clears it up.
type duplicates struct {
	hash    maphash.Hash
	scratch []byte
	buckets [256][]sighting // by the first byte of the hash, so that growing one copies little
}

// A sighting is a row that names a device.
type sighting struct {
	hash uint64
	row  uint32 // its highest bit: the row is faulty
	line uint32
}

const faultyBit = 1 << 31

func (s sighting) number() int  { return int(s.row &^ faultyBit) }
func (s sighting) faulty() bool { return s.row&faultyBit != 0 }

// add remembers a row and its line, both below 1<<31, and whether the row has
// faults of its own.
func (d *duplicates) add(userID, deviceID string, row, line int, faulty bool) {
	d.scratch = batch.AppendUserKey(d.scratch[:0], userID)
	d.hash.Reset()
	d.hash.Write(d.scratch)
	d.hash.WriteByte(0)
	d.hash.WriteString(deviceID)
	s := sighting{d.hash.Sum64(), uint32(row), uint32(line)}
	if faulty {
		s.row |= faultyBit
	}
	bucket := &d.buckets[s.hash>>56]
	*bucket = append(*bucket, s)
}

// twins returns every sighting of a device that stands in several rows, and the
// line of another one: of the first, and for the first itself of the second.
// They come in no order.
func (d *duplicates) twins() iter.Seq2[sighting, int] {
	return func(yield func(sighting, int) bool) {
		for _, bucket := range d.buckets {
			slices.SortFunc(bucket, func(a, b sighting) int {
				return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.line, b.line))
			})
			first := 0
			for i, s := range bucket {
				if s.hash != bucket[first].hash {
					first = i
				}
				other := first
				if i == first {
					other++
				}
				if other == len(bucket) || bucket[other].hash != s.hash {
					continue
				}
				if !yield(s, int(bucket[other].line)) {
					return
				}
			}
		}
	}
}
