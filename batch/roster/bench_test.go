package roster

import (
	"fmt"
	"strings"
	"testing"

	"siprotate/batch"
)

// A drain is a sink that keeps nothing.
type drain struct{}

func (drain) Add(batch.Row) error      { return nil }
func (drain) Refuse(int, string) error { return nil }

// BenchmarkRead reports the cost of one row.
func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	text.WriteString("user_id,device_id,sip_id,email,name,team,password\n")
	for i := range b.N {
		fmt.Fprintf(&text, "%032x,%d,asha%08x,asha.rao%d@example.com,\"Rao, Asha\",Support,Sample-Only-01!\n", i, 490039+i, i, i)
	}
	b.SetBytes(int64(text.Len() / b.N))
	b.ReportAllocs()
	b.ResetTimer()
	s, err := Read(strings.NewReader(text.String()), plain(), drain{})
	if err != nil || s.Rows != b.N {
		b.Fatalf("%d rows: %v", s.Rows, err)
	}
}
