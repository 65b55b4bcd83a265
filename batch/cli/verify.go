package cli

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/handout"
	"siprotate/batch/journal"
	"siprotate/batch/rotation"
	"siprotate/report"
)

type verifyFlags struct {
	registrarFlags
	accountFlags
	outcomes  []string
	rows      string
	sample    int
	every     time.Duration
	until     string
	limit     time.Duration
	refusedTo string
	old       string
	identity  string
	json      bool
	format    string
}

func newVerify(a *app) *cobra.Command {
	o := &verifyFlags{}
	cmd := &cobra.Command{
		Use:   "verify RUN-DIR",
		Short: "prove by SIP that the new passwords work, and tell which phones use them",
		Long: `Verify asks the SIP registrar for each password of a run that is or may be in
force. It registers nothing and changes no registration.

It says of each row whether a phone has taken the password up: adopted (a phone
registered, or renewed, with it), old registration (a phone lives on what it
registered before, until that ends), or offline. adoption.csv in the run directory
has the rows. A second look tells more than the first one: adoption shows as a
registration that was renewed in between.`,
		Example: `  siprotate verify users.run
  siprotate verify users.run --every 10m --until 98% --timeout 4h
  siprotate verify users.run --refused-to again.csv`,
		Args:              oneArg("RUN-DIR", "the folder that run made"),
		ValidArgsFunction: completeRunDirs,
		RunE:              func(cmd *cobra.Command, args []string) error { return a.verify(cmd, args[0], o) },
	}
	f := a.group(cmd, "What")
	f.StringSliceVar(&o.outcomes, "outcome", []string{"rotated", "unknown"}, "rows that stand so")
	f.StringVar(&o.rows, "row", "", "only these rows, such as 3,5-9")
	f.IntVar(&o.sample, "sample", 0, "of these, only so many, spread over the run")
	f.StringVar(&o.refusedTo, "refused-to", "", "write the rows whose password is refused to this file, as an INPUT to set them again")
	f.StringVar(&o.old, "old", "", "the directory of an earlier run: its passwords must be refused by now")
	f.StringVar(&o.identity, "identity", "", identityUsage)
	f.StringVar(&o.format, "format", "", "print on standard output: table or jsonl (the rows), or prometheus (how many stand how)")
	f.BoolVar(&o.json, "json", false, "the same as --format jsonl")
	wait := a.group(cmd, "Waiting for the phones")
	wait.DurationVar(&o.every, "every", 0, "ask about the phones that are not back again so much later")
	wait.StringVar(&o.until, "until", "100%", "until so many rows are adopted")
	wait.DurationVar(&o.limit, "timeout", 0, "give up after this time (default never)")
	o.registrarFlags.add(a.group(cmd, "Proof"))
	o.accountFlags.add(a.group(cmd, "Account"))
	a.joinGroups(cmd)
	cmd.MarkFlagsMutuallyExclusive("json", "format")
	completeValues(cmd, "format", verifyFormats...)
	return cmd
}

var verifyFormats = []string{"table", "jsonl", "prometheus"}

func (a *app) verify(cmd *cobra.Command, dir string, o *verifyFlags) error {
	if err := mayReplace(o.refusedTo); err != nil {
		return err
	}
	if o.json {
		o.format = "jsonl"
	}
	if o.format != "" && !slices.Contains(verifyFormats, o.format) {
		return flagError("format", o.format, errors.New("want one of "+strings.Join(verifyFormats, ", ")))
	}
	head, err := journal.ReadHead(dir)
	if err != nil {
		return err
	}
	e, err := a.endpointOf(head, o.accountFlags)
	if err != nil {
		return err
	}
	a.at = e
	r := rotation.Rotation{Dir: dir, Account: e.Account, Tool: tool(), Events: a.hear}
	if r.Proofs, err = a.prover(o.registrarFlags, e); err != nil {
		return err
	}
	if r.Vault, err = a.toOpen(cmd.Context(), dir, head, o.identity); err != nil {
		return err
	}
	v := rotation.Verification{Every: o.every, Limit: o.limit}
	if v.Want, err = o.wants(); err != nil {
		return err
	}
	if o.sample < 0 {
		return usagef("", "--sample %d: want a number of rows from 1", o.sample)
	}
	if o.sample > 0 {
		if v.Want, err = spread(dir, v.Want, o.sample); err != nil {
			return err
		}
	}
	if v.Until, err = parseShare(o.until); err != nil {
		return flagError("until", o.until, err)
	}
	if o.every < 0 || o.every > 0 && o.every < time.Second {
		return usagef("", "--every %v: want at least 1s", o.every)
	}
	if o.every == 0 && (cmd.Flags().Changed("until") || cmd.Flags().Changed("timeout")) {
		return usagef("--every 10m looks again so often", "--until and --timeout are for --every")
	}
	if o.rows != "" {
		switch found, err := anyRow(entriesOf(dir), v.Want); {
		case err != nil:
			return err
		case !found:
			return usagef("only rows that were sent can be verified", "--row %s: there is none to verify", o.rows)
		}
	}
	later := a.warnOfLater(dir, v.Want, "that the registrar refuses the passwords of this run means nothing there")
	if o.old != "" {
		return a.verifyOld(cmd, r, o.old, v)
	}
	digest, ended := r.Verify(cmd.Context(), v)
	a.rest()
	if len(digest.Formats) == 0 {
		return ended
	}
	proved, err := provedRows(dir, v)
	if err == nil {
		err = a.sayAdoption(dir, proved, o.format)
	}
	if err != nil || o.refusedTo == "" {
		return cmp.Or(err, ended)
	}
	rows, err := a.writeRefused(proved, later, o.refusedTo)
	switch {
	case err != nil:
		return err
	case errors.Is(ended, rotation.ErrRefused) && rows == 0:
		return &commandError{ended, exitUnfinished, "a later run has given each of them another password: verify that one"}
	case errors.Is(ended, rotation.ErrRefused) && o.refusedTo != "-":
		return &commandError{ended, exitUnfinished, "`" + command("run", o.refusedTo) + "` sets them again"}
	}
	return ended
}

func (o *verifyFlags) wants() (func(batch.Entry) bool, error) {
	outcomes, err := parseOutcomes(o.outcomes, "rotated and unknown")
	if err != nil {
		return nil, err
	}
	var rows handout.Rows
	if o.rows != "" {
		if rows, err = handout.ParseRows(o.rows); err != nil {
			return nil, flagError("row", o.rows, err)
		}
	}
	return func(e batch.Entry) bool {
		return slices.Contains(outcomes, e.Result.Outcome) && (rows == nil || rows.Has(e.Row.Number))
	}, nil
}

// anyRow reports whether one of the rows is wanted.
func anyRow(entries iter.Seq2[batch.Entry, error], want func(batch.Entry) bool) (bool, error) {
	for entry, err := range entries {
		if err != nil || want(entry) {
			return err == nil, err
		}
	}
	return false, nil
}

// spread returns a choice of at most n of the wanted rows of a run.
func spread(dir string, want func(batch.Entry) bool, n int) (func(batch.Entry) bool, error) {
	var wanted []int
	for entry, err := range entriesOf(dir) {
		if err != nil {
			return nil, err
		}
		if want(entry) {
			wanted = append(wanted, entry.Row.Number)
		}
	}
	chosen := map[int]bool{}
	for i := range min(n, len(wanted)) {
		chosen[wanted[i*len(wanted)/min(n, len(wanted))]] = true
	}
	return func(e batch.Entry) bool { return chosen[e.Row.Number] }, nil
}

// entriesOf yields the rows of a run, without their passwords.
func entriesOf(dir string) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		view, err := journal.Read(dir, nil)
		if err != nil {
			yield(batch.Entry{}, err)
			return
		}
		defer view.Close()
		view.Entries()(yield)
	}
}

// provedRows returns the rows that were verified.
func provedRows(dir string, v rotation.Verification) (proved []batch.Entry, err error) {
	for entry, err := range entriesOf(dir) {
		if err != nil {
			return nil, err
		}
		if entry.Result.Proof.Verdict != "" && v.Want(entry) {
			proved = append(proved, entry)
		}
	}
	return proved, nil
}

// An adoptionLine is a row, and how its phones stand.
type adoptionLine struct {
	Row      int            `json:"row"`
	UserID   string         `json:"user_id"`
	DeviceID string         `json:"device_id"`
	SIPID    string         `json:"sip_id"`
	Email    string         `json:"email"`
	Adoption batch.Adoption `json:"adoption"`
	Until    report.Stamp   `json:"until"`
	Proof    batch.Verdict  `json:"proof"`
	Reason   string         `json:"proof_reason,omitempty"`
}

// refusedState stands in the place of an adoption where the password is refused.
const refusedState = "refused"

// state says in a word or two how the row stands.
func (l *adoptionLine) state() string {
	if l.Proof == batch.ProofRefused {
		return refusedState
	}
	return string(l.Adoption)
}

// adoptionStates are the states, in the order in which people are told of them.
var adoptionStates = []string{
	string(batch.Adopted), string(batch.OldRegistration), string(batch.Offline), string(batch.NotClear), refusedState,
}

// sayAdoption says how many of the proved rows stand how, and prints them in a
// format if one is given.
func (a *app) sayAdoption(dir string, proved []batch.Entry, format string) (err error) {
	lines := adoptionLines(proved)
	counts, latest, unclear := map[string]int{}, time.Time{}, ""
	for _, l := range lines {
		counts[l.state()]++
		if l.Adoption == batch.NotClear && l.Proof == batch.ProofUnclear {
			unclear = l.Reason
		}
		if l.Adoption == batch.OldRegistration && l.Until.After(latest) {
			latest = l.Until.Time
		}
	}
	var text bytes.Buffer
	switch format {
	case "table":
		err = adoptionTable(&text, lines, terminalWidth(a.out))
	case "jsonl":
		err = jsonLines(&text, lines)
	case "prometheus":
		err = report.WriteStates(&text, a.at.SID, a.at.Host, "phones", "Verified rows, by whether a phone has taken the password up.", adoptionStates, counts)
	}
	if err == nil {
		err = a.deliver("", text.Bytes())
	}
	if err != nil {
		return err
	}
	a.say("%s verified", count(len(lines), "row"))
	for _, name := range adoptionStates {
		switch n := counts[name]; {
		case n == 0:
		case name == refusedState:
			a.say("  %5d  refused: the registrar does not take the new password", n)
		case name == string(batch.OldRegistration):
			a.say("  %5d  %s, the last one until %s", n, name, latest.Local().Format("15:04"))
		case name == string(batch.NotClear) && unclear != "":
			a.say("  %5d  %s, such as: %s", n, name, unclear)
		default:
			a.say("  %5d  %s", n, name)
		}
	}
	a.say("adoption  %s", report.AdoptionCSV.File+" in "+dir)
	return nil
}

func adoptionTable(w io.Writer, lines []adoptionLine, width int) error {
	rows := [][]string{{"ROW", "SIP ID", "EMAIL", "PHONE", "UNTIL"}}
	for _, l := range lines {
		until := "-"
		if !l.Until.IsZero() {
			until = l.Until.Local().Format("15:04")
		}
		rows = append(rows, []string{strconv.Itoa(l.Row), cmp.Or(l.SIPID, "-"), cmp.Or(l.Email, "-"), l.state(), until})
	}
	return writeTable(w, fitted(rows, width, "EMAIL"))
}

func adoptionLines(proved []batch.Entry) (lines []adoptionLine) {
	for _, entry := range proved {
		proof := entry.Result.Proof
		adoption, until := proof.Adoption()
		lines = append(lines, adoptionLine{
			Row: entry.Row.Number, UserID: entry.Row.UserID, DeviceID: entry.Row.DeviceID,
			SIPID: report.Sanitize(entry.Row.SIPID), Email: report.Sanitize(entry.Row.Email),
			Adoption: adoption, Until: report.Stamp{Time: until}, Proof: proof.Verdict, Reason: report.Sanitize(proof.Reason),
		})
	}
	return lines
}

// writeRefused writes the rows whose password the registrar refuses as an input:
// the API needs no old password to set another one. Rows that were rotated again
// later are none of them: their phones have a newer password.
func (a *app) writeRefused(proved []batch.Entry, later map[int]bool, file string) (rows int, err error) {
	var text bytes.Buffer
	records := [][]string{{"user_id", "device_id", "sip_id", "email"}}
	for _, entry := range proved {
		if row := entry.Row; entry.Result.Proof.Verdict == batch.ProofRefused && !later[row.Number] {
			records = append(records, []string{row.UserID, row.DeviceID, row.SIPID, row.Email})
		}
	}
	_ = csv.NewWriter(&text).WriteAll(records) // a buffer takes every write
	return len(records) - 1, a.deliver(file, text.Bytes())
}

// verifyOld asks whether passwords of an earlier run are refused by now.
func (a *app) verifyOld(cmd *cobra.Command, r rotation.Rotation, earlier string, v rotation.Verification) error {
	old, err := r.VerifyOld(cmd.Context(), earlier, v)
	a.rest()
	if err != nil {
		return err
	}
	a.say("%s of %s asked: %d refused, %d still accepted, %d unclear", count(old.Asked, "earlier password"), earlier, old.Refused, old.Accepted, old.Asked-old.Refused-old.Accepted)
	if old.NotAsked > 0 {
		a.say("%s not asked: no sip_id, an account that gave two wrong answers within ten minutes, or a registrar of no use",
			rowsThat(old.NotAsked, "was", "were"))
	}
	switch {
	case old.Accepted > 0:
		return errOldAccepted
	case old.Refused < old.Asked+old.NotAsked || old.Asked == 0:
		return errOldUnproved
	}
	return nil
}

// errOldUnproved says that it is not shown that passwords which were replaced are
// refused by now.
var errOldUnproved = errors.New("not every earlier password is known to be refused")

// errOldAccepted says that the registrar still takes passwords that were replaced.
var errOldAccepted = errors.New("the registrar still takes passwords that were replaced")
