package report

import (
	"io"
	"io/fs"
)

// A Format is one way to render a run.
type Format struct {
	Name string      // one word, such as "report"
	File string      // its name in a run directory
	Perm fs.FileMode // of that file, less the umask
	New  func(io.Writer) View
}

// The formats there are.
var (
	CredentialsCSV = Format{"credentials", "credentials.csv", 0o600, newCredentials}
	ReportCSV      = Format{"report", "report.csv", 0o644, newReport}
	SummaryJSON    = Format{"summary", "summary.json", 0o644, newSummary}
	ReportJSONL    = Format{"jsonl", "report.jsonl", 0o644, newJSONL}
	ReportHTML     = Format{"html", "report.html", 0o644, newHTML}
	Prometheus     = Format{"prometheus", "siprotate.prom", 0o644, newPrometheus}
)

// Formats lists what every run gets, in the order in which [Write] installs the
// files.
var Formats = []Format{CredentialsCSV, ReportCSV, SummaryJSON}

// Optional lists what a run gets if it is asked for.
var Optional = []Format{ReportJSONL, ReportHTML, Prometheus}

// Names lists the formats that [ByName] knows. The passwords are not among them:
// nobody shall get them by asking for another report.
var Names = []string{"csv", "jsonl", "html", "prometheus", "summary"}

// ByName returns the format that people ask for by a name, one of [Names].
func ByName(name string) (f Format, ok bool) {
	switch name {
	case "csv":
		return ReportCSV, true
	case "jsonl":
		return ReportJSONL, true
	case "html":
		return ReportHTML, true
	case "prometheus":
		return Prometheus, true
	case "summary":
		return SummaryJSON, true
	}
	return Format{}, false
}
