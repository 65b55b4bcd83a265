package report
import "io"
func newHTML(w io.Writer) View { return nil }
