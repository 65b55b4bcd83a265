package report

import (
	"fmt"
	"iter"
	"time"

	"siprotate/batch"
)

// A name that does all it can to be more than text.
const hostile = "</script><img src=x onerror=\"document.title='run'\"><!--<script> ]]> \u2028 {{.}} ${x} \x1b[31m"

// pageRun and pageSample are a run of n rows as it may be at a call centre, within
// 50 requests a minute, with reasons of several kinds.
func pageRun(n int) Run {
	took := time.Duration(n/50+1) * time.Minute
	var traffic []batch.Minute
	for left := n; left > 0; left -= 50 {
		traffic = append(traffic, batch.Minute{Start: start.UTC().Add(time.Duration(len(traffic)) * time.Minute), First: min(left, 50), Waited: 45 * time.Second})
	}
	traffic[len(traffic)-1].Again, traffic[len(traffic)-1].Throttled = n/20+4, 4
	return Run{
		ID: "20250301-040000-7f3a91", Version: "1.4.0", Account: "examplecorp1", Host: "ccm-api.in.exotel.com",
		Dir: "agents-march.run", Input: "agents-march.csv",
		InputDigest: "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
		Columns:     []string{"name", "team", "site"},
		StartedAt:   start, FinishedAt: start.Add(took), Took: took,
		Requests: n + n/20 + 4, Throttled: 4, Traffic: traffic, Waited: took * 8 / 10, Allowance: 50, Canary: 3, By: "team",
	}
}

func pageSample(n int) iter.Seq2[batch.Entry, error] {
	first := []string{"Asha", "Bilal", "Chitra", "Dev", "Esha", "Farid", "Gauri", "Hari"}
	last := []string{"Rao", "Khan", "Iyer", "Singh", "Das", "Nair", "Patel"}
	teams := []string{"Sales", "Support", "Collections", "Night shift"}
	return func(yield func(batch.Entry, error) bool) {
		for i := 1; i <= n; i++ {
			name := first[i%len(first)] + " " + last[i%len(last)]
			e := batch.Entry{
				Row: batch.Row{
					Number: i, Line: i + 1, UserID: fmt.Sprintf("%032x", i*7919), DeviceID: fmt.Sprint(490000 + i),
					SIPID: fmt.Sprintf("sip:agent%04d", i), Email: fmt.Sprintf("agent%d@example.com", i),
					Password: batch.NewSecret(fmt.Sprintf("Placeholder-%d", i)), PasswordSource: batch.Generated,
					Extra: []string{name, teams[i*i%11%len(teams)], []string{"Pune", "Delhi"}[i%2]},
				},
				Result: batch.Result{Row: i, Outcome: batch.Rotated, Receipt: batch.Receipt{HTTPCode: 200, Code: "200", Status: "success"}},
			}
			sent := start.Add(time.Duration((i-1)/50)*time.Minute + time.Duration((i-1)%50)*300*time.Millisecond)
			e.Result.Attempts = batch.Attempts{Count: 1, FirstSent: sent}
			e.Result.Finished = sent.Add(time.Duration(180+i*37%400) * time.Millisecond)
			unusual(&e, i, n)
			if !yield(e, nil) {
				return
			}
		}
	}
}

// unusual gives some rows another end.
func unusual(e *batch.Entry, i, n int) {
	r := &e.Result
	refused := func(http int, code, message string) {
		r.Outcome = batch.Failed
		r.Receipt = batch.Receipt{HTTPCode: http, Code: fmt.Sprint(http), Status: "failure", ErrorCode: code, ErrorMessage: message}
	}
	never := func(o batch.Outcome, note string) {
		r.Outcome, r.Note, r.Receipt, r.Attempts, r.Finished = o, note, batch.Receipt{}, batch.Attempts{}, time.Time{}
	}
	switch {
	case i == 2:
		refused(403, "", hostile)
	case i%31 == 0:
		refused(404, "10801", "User not found")
	case i%67 == 0:
		refused(400, "1002", "Invalid parameter: the password does not meet the policy")
	case i%83 == 0:
		r.Outcome, r.Receipt, r.Note = batch.Unknown, batch.Receipt{}, "timeout"
		r.Attempts.Count = 6
		r.Finished = r.Finished.Add(2 * time.Minute)
	case i%97 == 0:
		never(batch.Invalid, "password: too short")
	case i == n-1:
		r.Outcome, r.Receipt = batch.NotAttempted, batch.Receipt{HTTPCode: 429, Code: "RATE_LIMIT_EXCEEDED", ErrorMessage: "Rate limit exceeded"}
	case i > n-n/30:
		never(batch.NotAttempted, "")
	}
}
