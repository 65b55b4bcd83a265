package report

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writePrometheus writes a run's figures for node_exporter's textfile collector, in
// Prometheus' text format 0.0.4. Everything is a gauge about the latest run, and
// has the labels account, host and input. The run's id is a label of
// siprotate_run_info alone, so that a new run goes on with the same series.
func writePrometheus(w io.Writer, d Digest) error {
	run, s := d.Run, d.Summary
	p := prom{base: []string{"account", run.Account, "host", run.Host, "input", run.Input}}
	p.help("run_info", "The latest run.")
	p.sample("run_info", 1, "run", run.ID, "version", run.Version)
	p.help("run_rows", "Rows of the input, by how they stand.")
	for _, outcome := range readingOrder {
		p.sample("run_rows", float64(s.Count(outcome)), "outcome", outcome.String())
	}
	p.help("run_proofs", "Passwords that the API confirmed, by what the SIP registrar says of them.")
	p.sample("run_proofs", float64(s.Proved), "proof", "accepted")
	p.sample("run_proofs", float64(s.Refused), "proof", "refused")
	p.sample("run_proofs", float64(s.Unproved), "proof", "none")
	complete := s.Rows == s.Rotated && !run.FinishedAt.IsZero()
	p.gauge("run_complete", "1 if every row was rotated, 0 if not or not yet.", zeroOrOne(complete))
	p.gauge("run_stopped", "1 if the run stopped before its last row.", zeroOrOne(run.Stopped != ""))
	p.gauge("run_requests", "Requests sent.", float64(s.Requests))
	p.gauge("run_throttled_requests", "Requests refused for exceeding the allowance (429).", float64(s.Throttled))
	p.gauge("run_waited_seconds", "Time spent waiting for the allowance.", s.WaitedS)
	p.gauge("run_duration_seconds", "Time at work.", s.DurationS)
	p.time("run_start_timestamp_seconds", "When the run began.", run.StartedAt)
	p.time("run_end_timestamp_seconds", "When the run ended or stopped; missing while it is live.", run.FinishedAt)
	p.time("last_success_timestamp_seconds", "When the API last confirmed a password; missing if it confirmed none.", d.LastRotated)
	_, err := w.Write(p.Bytes())
	return err
}

// A prom is text in the making.
type prom struct {
	bytes.Buffer
	base []string // names and values of the labels that every sample has
}

// promEscaper escapes a label's value.
var promEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func (p *prom) help(name, text string) {
	p.WriteString("# HELP siprotate_" + name + " " + text + "\n# TYPE siprotate_" + name + " gauge\n")
}

func (p *prom) sample(name string, value float64, labels ...string) {
	p.WriteString("siprotate_" + name)
	separator := "{"
	for pair := range slices.Chunk(slices.Concat(p.base, labels), 2) {
		value := promEscaper.Replace(strings.ToValidUTF8(pair[1], "\ufffd"))
		p.WriteString(separator + pair[0] + `="` + value + `"`)
		separator = ","
	}
	p.WriteString("} " + strconv.FormatFloat(value, 'f', -1, 64) + "\n")
}

func (p *prom) gauge(name, help string, value float64) {
	p.help(name, help)
	p.sample(name, value)
}

// time writes a time in seconds since 1970, and nothing for no time.
func (p *prom) time(name, help string, t time.Time) {
	if !t.IsZero() {
		p.gauge(name, help, float64(t.UnixMilli())/1000)
	}
}

func zeroOrOne(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// WriteStates writes to w, as siprotate_ and name, how many things of an account are
// in which state.
func WriteStates(w io.Writer, account, host, name, help string, states []string, counts map[string]int) error {
	p := prom{base: []string{"account", account, "host", host}}
	p.help(name, help)
	for _, state := range states {
		p.sample(name, float64(counts[state]), "state", state)
	}
	_, err := w.Write(p.Bytes())
	return err
}

// WriteTime writes to w a time of an account as siprotate_ and name, in seconds since
// 1970, and nothing for no time.
func WriteTime(w io.Writer, account, host, name, help string, t time.Time) error {
	p := prom{base: []string{"account", account, "host", host}}
	p.time(name, help, t)
	_, err := w.Write(p.Bytes())
	return err
}
