package cli

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"siprotate/batch/directory"
	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/report"
)

func (a *app) hear(event rotation.Event) {
	switch e := event.(type) {
	case rotation.Waiting:
		a.say("waiting: %v", e.Err)
	case rotation.Warning:
		a.say("warning: %s", e.Text)
	case rotation.Opened:
		a.runID.Store(&e.Run)
	case rotation.Planned:
		a.sayPlan(e.Plan)
	case rotation.Working:
		began := time.Now()
		a.watch(func() report.Status {
			s := status(e.Progress(), time.Since(began))
			if outage := a.outage.Load(); outage != nil {
				s.Waiting, s.Until, s.ETA = "no answer since "+outage.Since.Format(time.TimeOnly), time.Time{}, -1
			}
			if gate := a.gating.Load(); gate != nil {
				s.Waiting, s.Until, s.ETA = fmt.Sprintf("gate %d: %s", gate.Gate, gate.Why), gate.Until, -1
			}
			return s
		})
	case rotation.Rested:
		a.rest()
	case rotation.Listed:
		a.sayListing(e.Listing)
		a.say("listed %s with %s: %s", count(len(e.Users), "user"), count(len(devicesOf(e.Users)), "SIP device"), count(e.Requests, "request"))
	case rotation.LookedUp:
		a.sayListing(e.Listing)
		how := string(e.Way)
		if e.Because != "" {
			how += ", since " + e.Because
		}
		a.say("looked up %s: %s, %s", count(e.Names, "name"), how, count(e.Requests, "request"))
	case rotation.Unanswered:
		a.outage.Store(&e)
		a.say("warning: no request has succeeded since %s: %s", e.Since.Format(time.TimeOnly), e.Why)
	case rotation.Answering:
		a.outage.Store(nil)
		a.say("the API answers again, after %s", report.FormatDuration(e.After))
	case rotation.Nameless:
		a.say("warning: %s no sip_id, and cannot be proved", rowsThat(e.Rows, "has", "have"))
	case rotation.ProvingStopped:
		what := "no more passwords are proved: " + e.Why
		switch {
		case a.working.Load() == nil && e.Again:
			what += "; the next look asks again"
		case a.working.Load() == nil:
		case e.Again:
			what += "; a gate asks again while it waits"
		case e.Gated:
			what += "; the rotation goes on up to its next gate"
		default:
			what += "; the rotation goes on"
		}
		a.say("warning: %s", what)
	case rotation.Barred:
		a.say("%s not asked about: an account gets at most two wrong answers in ten minutes; again from %s", rowsThat(e.Rows, "was", "were"), clockUp(e.From))
	case rotation.Gating:
		if before := a.gating.Swap(&e); before == nil {
			a.say("gate %d after %s waits until %s at most: %s", e.Gate, count(e.Rows, "row"), clockUp(e.Until), e.Why)
		}
	case rotation.Gated:
		a.gating.Store(nil)
		if e.Passed {
			a.say("gate %d is open after %s", e.Gate, count(e.Rows, "row"))
		} else {
			a.say("gate %d stays closed after %s: %s", e.Gate, count(e.Rows, "row"), e.Why)
		}
	case rotation.Adoptions:
		next := ""
		if !e.Next.IsZero() {
			next = ", next look at " + e.Next.Format("15:04")
		}
		a.say("%s of %s adopted%s", number(e.Adopted), count(e.Wanted, "row"), next)
	case rotation.Selected:
		if e.Excluded >= 0 {
			a.say("excluded: %s", count(e.Excluded, "device"))
		}
		if e.Young >= 0 {
			young := age(e.Age)
			a.say("rotated less than %v ago, and skipped: %s", &young, count(e.Young, "device"))
		}
	}
}

func (a *app) sayPlan(p rotation.Plan) {
	switch {
	case p.Listed:
		a.say("--all: the account is listed first, one request for 50 users; `siprotate users` shows whom that finds")
		return
	case p.Resumed:
		a.say("resuming the run in %s: %s of %s to send", p.Dir, number(p.Left), count(p.Rows, "row"))
		a.say("%s", place(p.Account))
	default:
		what := count(p.Rows, "row") + ": " + count(p.Provided, "password") + " given, " + number(p.Left-p.Provided) + " to be generated"
		if p.Invalid > 0 {
			what += "; invalid and skipped: " + count(p.Invalid, "row")
		}
		a.say("%s", what)
		a.say("%s, run directory %s", place(p.Account), p.Dir)
	}
	a.sayEstimate(p)
	if len(p.Waves) > 0 {
		a.sayWaves(p.Waves)
	}
	if p.Lookups.Wanted > 0 {
		a.sayCost(p.Lookups)
	}
}

// place says whose passwords are rotated, and where.
func place(acc rotation.Account) string {
	if acc == sandboxEndpoint.Account {
		return "a stand-in of the API inside the program"
	}
	return "account " + acc.SID + " at " + acc.Host
}

// sayEstimate says how long the rows will take at least, and how many of them
// fit into the window that was asked for.
func (a *app) sayEstimate(p rotation.Plan) {
	if p.Rate.IsUnlimited() {
		return
	}
	about := "about " + report.FormatDuration(p.Takes)
	if p.Takes < time.Minute {
		about = "less than a minute"
	}
	a.say("%s at %v: %s, until %s", count(p.Left, "row"), p.Rate, about, clockUp(time.Now().Add(p.Takes)))
	if p.Fit < p.Left {
		a.say("%s of %s fit into %v; the others stay for the next run", number(p.Fit), count(p.Left, "row"), p.Window)
	}
}

// sayWaves says how many rows each wave has, as far as a line holds them.
func (a *app) sayWaves(sizes []int) {
	const most = 6
	before := ""
	if sizes[0] == 0 {
		before, sizes = "the gate at which it stands, and then ", sizes[1:]
	}
	var rows []string
	for _, size := range sizes[:min(most, len(sizes))] {
		rows = append(rows, number(size))
	}
	if len(sizes) > most {
		rows = append(rows, "...")
	}
	a.say("%s%s of %s rows; the time that gates wait comes on top", before, count(len(sizes), "wave"), strings.Join(rows, ", "))
}

// clockUp says by which minute of the day a time is over.
func clockUp(t time.Time) string { return t.Add(time.Minute - 1).Format("15:04") }

// sayCost says what looking up takes, as far as that is known without a request.
func (a *app) sayCost(cost directory.Cost) {
	what := "to be looked up: " + count(cost.Wanted, "name") + ", "
	switch requests := count(cost.Requests(), "request") + " " + string(cost.Way()); {
	case cost.List:
		what += "by listing the account, one request for 50 users, since a comma in a name can be looked up in no other way"
	case cost.Probes():
		what += requests + ", or fewer by listing the account if it is small, and one to find that out"
	default:
		what += requests
	}
	a.say("%s; more if some are not found at once", what)
}

// sayListing warns where a listing may not be all there is.
func (a *app) sayListing(l directory.Listing) {
	if l.Changed {
		a.say("warning: the account changed each time it was listed; users added or removed just now may be missing, or gone")
	}
	if l.Missing > 0 {
		a.say("warning: the API counts %s more than it lists", count(l.Missing, "user"))
	}
	if l.FailedEntries > 0 {
		a.say("warning: the API could not return %s", count(l.FailedEntries, "user"))
	}
}

// watch shows how far work is, until rest.
func (a *app) watch(status func() report.Status) {
	if a.quiet || a.log != nil {
		return
	}
	moving := isTerminal(a.err) && !a.isDumb()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.progress = report.NewProgress(a.err, moving, func() int { return terminalWidth(a.err) }, status)
	a.progress.Start()
}

// rest ends what watch shows. Another call does nothing.
func (a *app) rest() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.progress != nil {
		a.progress.Stop()
	}
	a.progress = nil
}

// pause takes away what watch shows, until goOn is called.
func (a *app) pause() (goOn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	paused := a.progress
	if paused == nil {
		return func() {}
	}
	paused.Stop()
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.progress == paused {
			paused.Start()
		}
	}
}

// status says how far work is that went on for a while.
func status(p rotation.Progress, worked time.Duration) report.Status {
	if p.Proving {
		s := report.Status{What: "proving", Total: p.Total, Done: p.Done, Took: worked, ETA: -1}
		if p.Done > 0 {
			s.ETA = time.Duration(float64(worked) * float64(p.Total-p.Done) / float64(p.Done))
		}
		return s
	}
	state := p.Allowance.State()
	s := report.Status{Total: p.Total, Done: p.Done, Failed: p.Failed, Requests: state.Requests, Took: worked, ETA: -1}
	switch left := p.Total - p.Done; {
	case p.Listing:
		s.What = "listing the account"
		if p.Pages > 0 {
			s.ETA = p.Allowance.Estimate(p.Pages)
		}
	case state.Rate.IsUnlimited() && state.Requests > 0:
		s.ETA = max(p.Allowance.Estimate(left), time.Duration(float64(worked)*float64(left)/float64(state.Requests)))
	default:
		s.ETA = p.Allowance.Estimate(left)
	}
	if !state.Rate.IsUnlimited() {
		s.Used, s.Allowance = state.Used, state.Rate.N
	}
	// Those other waits are short, and wanted.
	if why := state.Waiting; why.Reason != pace.Spread && why.Reason != pace.Starting {
		s.Waiting, s.Until = string(why.Reason), why.Until
	}
	return s
}

// thousands writes numbers as people read them: 3,000.
var thousands = message.NewPrinter(language.English)

func number(n int) string { return thousands.Sprint(n) }

// rowsThat says "1 row has", "3 rows have".
func rowsThat(rows int, has, have string) string {
	if rows != 1 {
		has = have
	}
	return count(rows, "row") + " " + has
}

// count says how many things there are: "1 row", "3,000 rows".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return number(n) + " " + thing
}
