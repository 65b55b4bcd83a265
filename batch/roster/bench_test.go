package roster

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkRows reports the cost of one row.
func BenchmarkRows(b *testing.B) {
	var text strings.Builder
	text.WriteString("user_id,device_id,sip_id,email,name,team,password\n")
	for i := range b.N {
		fmt.Fprintf(&text, "%032x,%d,asha%08x,asha.rao%d@example.com,\"Rao, Asha\",Support,Sample-Only-01!\n", i, 490039+i, i, i)
	}
	b.SetBytes(int64(text.Len() / b.N))
	b.ReportAllocs()
	r, err := Reader("users.csv", strings.NewReader(text.String()), plain())
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	rows := 0
	for row, err := range r.Rows() {
		if rows++; err != nil || len(row.Faults) > 0 {
			b.Fatal(row.Faults, err)
		}
	}
	if rows != b.N {
		b.Fatalf("%d rows", rows)
	}
}
