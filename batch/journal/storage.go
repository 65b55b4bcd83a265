package journal

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
)

// A storage names what a journal is written to: where two are the same, the disk
// did not go away between them, and what was written was kept, synced or not.
type storage struct {
	Boot      string `json:"boot"`      // the start of the machine; empty where the system does not say
	Device    uint64 `json:"device"`    // that holds the run directory
	Namespace string `json:"namespace"` // in which mounts have their ids
	Mount     uint64 `json:"mount"`     // 0 where the system does not say
}

func storageOf(dir string) storage {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	namespace, _ := os.Readlink("/proc/self/ns/mnt")
	device, mount := mountOf(dir)
	return storage{Boot: string(bytes.TrimSpace(boot)), Device: device, Namespace: namespace, Mount: mount}
}

// kept reports whether what was written to s is still there, now that the
// directory is on the other storage. Ids of mounts say nothing about those of
// another namespace, such as a container started anew has.
func (s storage) kept(now storage) bool {
	if s.Boot == "" || s.Boot != now.Boot || s.Device != now.Device {
		return false
	}
	return s.Namespace != now.Namespace || s.Mount == now.Mount
}

// A file of this name says that a sync failed: what was written after the one
// before it may be gone, whatever the storage. It is there until a session took
// note of it.
const unsyncedName = ".unsynced"

// noteUnsynced leaves that file, if the disk still takes one.
func (d *folder) noteUnsynced() {
	_ = d.root.WriteFile(unsyncedName, nil, 0o600)
}

// kept reports whether what the last session wrote is still there.
func (d *folder) kept(s *state) bool {
	for _, note := range []string{unsyncedName, rescuedName} { // of a lost journal, an older copy may stand there
		if _, err := d.root.Lstat(note); !errors.Is(err, fs.ErrNotExist) {
			return false
		}
	}
	return s.session.Storage.kept(storageOf(d.path))
}
