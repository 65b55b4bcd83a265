package report

import (
	"html/template"
	"io"
	"time"
)

// A DeviceAge is a device of an account, and when it was last rotated.
type DeviceAge struct {
	DeviceID, SIPID, Email string
	State                  string    // in a word
	RotatedAt              time.Time // zero: never
	Run                    string    // the run directory of its latest rotation
}

var agesTemplate = template.Must(template.New("ages").Funcs(template.FuncMap{"safe": Sanitize, "stamp": people, "machine": stamp}).Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
{{.Policy}}
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>SIP passwords of {{safe .Account}}</title>
{{.Style}}
</head>
<body>
<header>
<p class="over">SIP passwords</p>
<h1>{{len .Devices}} {{if eq (len .Devices) 1}}device{{else}}devices{{end}} of {{safe .Account}}</h1>
<dl class="facts">
<div><dt>API host</dt><dd>{{safe .Host}}</dd></div>
<div><dt>As of</dt><dd><time datetime="{{machine .Now}}">{{stamp .Now}}</time></dd></div>
{{range .States}}<div><dt>{{.}}</dt><dd>{{index $.Counts .}}</dd></div>
{{end}}</dl>
</header>
<main>
<section aria-labelledby="devices">
<h2 id="devices">Devices, those never rotated first</h2>
<div class="scroll" role="region" aria-label="Table of the devices" tabindex="0"><table class="plain">
<thead><tr><th scope="col">SIP id</th><th scope="col">Email</th><th scope="col">Device</th><th scope="col">State</th><th scope="col">Rotated</th><th scope="col">Run</th></tr></thead>
<tbody>{{range .Devices}}<tr><th scope="row">{{safe .SIPID}}</th><td>{{safe .Email}}</td><td>{{safe .DeviceID}}</td><td>{{.State}}</td><td>{{if .RotatedAt.IsZero}}never{{else}}{{stamp .RotatedAt}}{{end}}</td><td>{{safe .Run}}</td></tr>
{{end}}</tbody></table></div>
</section>
</main>
<footer><p>Made by siprotate. No password stands in this file; it loads nothing from anywhere.</p></footer>
</body>
</html>
`))

// WriteAgesPage writes a page for people about the devices of an account, in their
// order. It is one file without a script, and its policy allows nothing but its style.
func WriteAgesPage(w io.Writer, account, host string, now time.Time, states []string, devices []DeviceAge) error {
	counts := map[string]int{}
	for _, d := range devices {
		counts[d.State]++
	}
	return agesTemplate.Execute(w, map[string]any{
		"Account": account, "Host": host, "Now": now, "States": states, "Counts": counts, "Devices": devices,
		"Policy": template.HTML(`<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ` + hash(pageStyle) + `; base-uri 'none'; form-action 'none'">`),
		"Style":  template.HTML("<style>" + pageStyle + "</style>"),
	})
}
