package report

import (
	"io"
	"io/fs"
	"slices"
)

// A Format is one way to render a run.
type Format struct {
	Name string      // one word, such as "report"
	Ask  string      // the name by which people ask for it; empty: nobody gets it by asking for another report
	File string      // its name in a run directory
	Perm fs.FileMode // of that file, less the umask
	New  func(io.Writer) View
}

// The formats there are.
var (
	CredentialsCSV = Format{"credentials", "", "credentials.csv", 0o600, asTable(credentialColumns, credentialCells)}
	ReportCSV      = Format{"report", "csv", "report.csv", 0o644, asTable(reportColumns, reportCells)}
	SummaryJSON    = Format{"summary", "summary", "summary.json", 0o644, ofDigest(writeSummary)}
	ReportJSONL    = Format{"jsonl", "jsonl", "report.jsonl", 0o644, newJSONL}
	ReportHTML     = Format{"html", "html", "report.html", 0o644, newHTML}
	Prometheus     = Format{"prometheus", "prometheus", "siprotate.prom", 0o644, ofDigest(writePrometheus)}

	// AdoptionCSV says which phones have taken their new password up. A verification
	// writes it.
	AdoptionCSV = Format{"adoption", "", "adoption.csv", 0o644, asTable(adoptionColumns, adoptionCells)}
)

// Formats lists what every run gets, in the order in which [Write] installs the
// files.
var Formats = []Format{CredentialsCSV, ReportCSV, SummaryJSON}

// Optional lists what a run gets if it is asked for.
var Optional = []Format{ReportJSONL, ReportHTML, Prometheus}

// Names lists the formats that [ByName] knows.
func Names() (names []string) {
	for _, f := range slices.Concat(Formats, Optional) {
		if f.Ask != "" {
			names = append(names, f.Ask)
		}
	}
	return names
}

// ByName returns the format that people ask for by a name, one of [Names].
func ByName(name string) (f Format, ok bool) {
	for _, f := range slices.Concat(Formats, Optional) {
		if name == f.Ask && name != "" {
			return f, true
		}
	}
	return Format{}, false
}
