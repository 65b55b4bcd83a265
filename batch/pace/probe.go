package pace

import "time"

// A probe doubles a pace that has fallen far, and finds out whether the server
// refuses more at it, as a limiter does, or as many, as one that refuses at random.
type probe struct {
	ended, refused int       // requests since the latest probe began or was over
	from           float64   // the pace before the probe that is on; 0: none is
	until          time.Time // when it is over
	share          float64   // of the requests before it that were refused
	skip, skips    int       // so many more occasions are let pass, and were after the latest failure
}

// The figures below were chosen by simulation: see TestFickleServer, TestATooHighRate
// and TestALimitThatDrops.
const (
	// A probe begins with a refusal at this part of the allowance or less, once so
	// many requests have shown which share of them is refused, and if that is no more
	// than this: a greater one shows a limiter, whatever it is at another pace.
	probeBelow = 0.5
	probeAfter = 20
	probeShare = 0.25

	// After so many requests the pace is doubled again.
	probeLength = 30

	// For so many windows refusals do not lower the pace.
	probeWindows = 10

	// A probe fails with so many refusals, if their share is greater than before by
	// more than this.
	probeRefused = 4
	probeMore    = 0.13

	// After each failure twice as many occasions for a probe pass, up to this.
	mostSkips = 16
)

// forget ends the probe that may be on.
func (t *probe) forget() { *t = probe{skip: t.skip, skips: t.skips} }

// lower lowers the pace after a refusal, or begins a probe. While one is on, it
// decides.
func (s *shape) lower(now time.Time) {
	t := &s.probe
	if t.from > 0 {
		return
	}
	s.pace = max(1, min(s.pace-1, max(s.pace/2, s.granted(now)-headroom*float64(s.limit))))
	share := float64(t.refused) / float64(t.ended)
	if s.pace > probeBelow*float64(s.limit) || t.ended < probeAfter || share > probeShare {
		return
	}
	if t.skip--; t.skip < 0 {
		t.share = share
		s.double(now)
	}
}

func (s *shape) double(now time.Time) {
	t := &s.probe
	t.from, t.until = s.pace, now.Add(probeWindows*s.window)
	t.ended, t.refused = 0, 0
	s.setPace(2*s.pace, now)
}

// count takes in that a request ended, and decides on the probe that is on.
func (s *shape) count(now time.Time, refused bool) {
	t := &s.probe
	t.ended++
	if refused {
		t.refused++
	}
	if t.ended == 2*probeLength { // what is longer ago counts for less
		t.ended, t.refused = t.ended/2, t.refused/2
	}
	switch {
	case t.from == 0:
	case t.refused >= probeRefused && float64(t.refused) > (t.share+probeMore)*float64(t.ended):
		s.setPace(t.from, now)
		t.skips = min(2*max(1, t.skips), mostSkips)
		t.skip = t.skips
		t.forget()
	case now.After(t.until):
		t.skip, t.skips = 0, 0
		t.forget()
	case t.ended == probeLength && s.pace < float64(s.limit):
		s.double(now)
	}
}
