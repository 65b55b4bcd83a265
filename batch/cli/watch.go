package cli

import (
	"siprotate/batch/pace"
	"siprotate/report"
)

// watch shows how far something is, until stop is called.
func (a *app) watch(status func() report.Status) (stop func()) {
	p := report.NewProgress(a.err, isTerminal(a.err), func() int { return terminalWidth(a.err) }, status)
	a.tellBy(p.Println)
	p.Start()
	return func() {
		a.tellBy(nil)
		p.Stop()
	}
}

// tellBy says where lines for people go from now on; nil: to standard error as
// they are.
func (a *app) tellBy(tell func(string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tell = tell
}

// showAllowance says how the allowance stands.
func showAllowance(s *report.Status, state pace.State) {
	if !state.Rate.IsUnlimited() {
		s.Used, s.Allowance = state.Used, state.Rate.N
	}
	if why := state.Waiting.Reason; why != pace.Spread { // that wait is short, and wanted
		s.Waiting, s.Until = string(why), state.Waiting.Until
	}
}
