package cli

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/spf13/pflag"

	"siprotate/batch/journal"
	"siprotate/batch/rotation"
)

// Settings are what a run was started with, as far as it says how to send. The
// journal keeps them, so that resume needs no flag.
type settings struct {
	BaseURL string            `json:"base_url"`
	Flags   map[string]string `json:"flags"` // by name; only those that were given
}

func settingsOf(e endpoint, f *pflag.FlagSet) json.RawMessage {
	known := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(sendFlags).add(known, known, known)
	new(proveFlags).add(known, known)
	s := settings{BaseURL: e.baseURL, Flags: map[string]string{}}
	f.Visit(func(flag *pflag.Flag) {
		if known.Lookup(flag.Name) != nil && !momentary[flag.Name] {
			s.Flags[flag.Name] = flag.Value.String()
			if list, ok := flag.Value.(pflag.SliceValue); ok {
				s.Flags[flag.Name] = strings.Join(list.GetSlice(), ",")
			}
		}
	})
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it holds nothing but texts
	}
	return text
}

// momentary are flags that say how to show one session, and not how to send.
var momentary = map[string]bool{
	"json": true, "verbose": true, "quiet": true, "log-format": true, "wait": true,
}

// readSettings returns the settings of a run; those of one that another program
// began may be missing.
func readSettings(h journal.Head) (s settings) {
	_ = json.Unmarshal(h.Settings, &s)
	return s
}

// begunWith returns the settings that guard the unfinished run of a source in dir,
// its waves, with the canaries among them, gates and proofs: whoever takes it up
// without those flags is not to walk past a gate. There are none where nothing is
// unfinished.
func begunWith(dir string, src rotation.Source, acc rotation.Account) (s settings) {
	if holds, _, err := rotation.Holds(dir, src, acc); err != nil || !holds {
		return s // what is wrong shows later
	}
	v, err := journal.Read(dir, nil)
	if err != nil {
		return s
	}
	defer v.Close()
	if pending, _ := v.Pending(false); pending == 0 {
		return s
	}
	guards := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(proveFlags).add(guards, guards)
	s = readSettings(v.Info().Head)
	if s.Flags["waves"] != "" {
		guards.Int("canary", 0, "")
	}
	maps.DeleteFunc(s.Flags, func(name, _ string) bool { return guards.Lookup(name) == nil })
	return s
}

// apply sets the flags that were not given to what the run was started with.
func (s settings) apply(f *pflag.FlagSet) error {
	for name, value := range s.Flags {
		if flag := f.Lookup(name); flag == nil || flag.Changed {
			continue
		}
		if err := f.Set(name, value); err != nil {
			return flagError(name, value, err)
		}
	}
	return nil
}
