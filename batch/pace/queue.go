package pace

import (
	"slices"
	"time"
)

// A queue holds times in the order in which they were pushed. Its memory
// follows the most it ever held.
type queue struct {
	ring  []time.Time
	head  int
	count int
}

func (q *queue) len() int { return q.count }

// at returns the i-th time, from 0 for the first.
func (q *queue) at(i int) time.Time { return q.ring[(q.head+i)%len(q.ring)] }

func (q *queue) pop() {
	q.head = (q.head + 1) % len(q.ring)
	q.count--
}

func (q *queue) push(t time.Time) {
	if q.count == len(q.ring) {
		grown := make([]time.Time, max(16, 2*q.count))
		n := copy(grown, q.ring[q.head:])
		copy(grown[n:], q.ring[:q.head])
		q.ring, q.head = grown, 0
	}
	q.ring[(q.head+q.count)%len(q.ring)] = t
	q.count++
}

// sortedUpTo returns times in order, those after limit replaced by it.
func sortedUpTo(times []time.Time, limit time.Time) []time.Time {
	sorted := make([]time.Time, len(times))
	for i, t := range times {
		if t.After(limit) {
			t = limit
		}
		sorted[i] = t
	}
	slices.SortFunc(sorted, time.Time.Compare)
	return sorted
}
