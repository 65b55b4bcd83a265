//go:build linux

package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAttackFileLimit lets no file grow beyond a limit, at many limits: wherever
// the write fails, the run says so and stops, and nothing was sent that is not
// on disk.
func TestAttackFileLimit(t *testing.T) {
	n := 0
	tried(t, "no room for a file, from its first half KiB to its last", &n)
	// In blocks of 512 bytes, of which each row takes rather less than one.
	for blocks := 1; blocks < *attackRows*3/2; blocks += step() {
		n++
		r := calm(t, blocks)
		shell := fmt.Sprintf(`trap "" XFSZ; ulimit -f %d; exec "$0" "$@"`, blocks)
		p := r.far.spare(func() *process { return launch{shell: shell}.start(t, r.base, r.runArgs()...) })
		r.stopped(p, "file too large")
		r.finish()
	}
}

// step is how far apart the sizes are that a disk is tried with.
func step() int { return max(1, *attackRows/10 / *attackTimes) }

// stopped wants a run to have ended, or to have stopped for a full disk, and to
// have said so.
func (r *rotation) stopped(p *process, why string) {
	r.t.Helper()
	if exits(r.t, p, 0, 1) == 1 && !strings.Contains(p.said.String(), why) {
		r.t.Errorf("it does not say %q: %s", why, p.said.String())
	}
	r.survive()
}

// TestAttackFullDisk runs on disks too small for it, and goes on once there is
// room.
func TestAttackFullDisk(t *testing.T) {
	n := 0
	tried(t, "no space on the disk, from its first page to its last", &n)
	// Of 4 KiB, for two rows each, with their reports.
	for pages := 2; pages < *attackRows/2; pages += step() {
		r := calm(t, pages)
		disk := filepath.Join(t.TempDir(), "disk")
		mount(t, disk, fmt.Sprintf("size=%dk", 4*pages))
		n++
		r.dir = filepath.Join(disk, "users.run")
		p := r.far.spare(func() *process { return launch{}.start(t, r.base, r.runArgs()...) })
		r.stopped(p, "no space left on device")
		must(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=16m"))
		r.finish()
	}
}

// mount mounts an empty file system of its own for the length of the test.
func mount(t *testing.T, folder, options string) {
	t.Helper()
	must(t, os.Mkdir(folder, 0o700))
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, options); err != nil {
		t.Skip("this user cannot mount a small disk: ", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(folder, unix.MNT_DETACH)) })
}

// TestAttackNoFolder names run directories that cannot be made. Each is refused
// before the first request.
func TestAttackNoFolder(t *testing.T) {
	r := calm(t, 0)
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	disk := filepath.Join(folder, "disk")
	mount(t, disk, "")
	must(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	n := 0
	tried(t, "a run directory that cannot be made", &n)
	const code = "exit code 1 instead of 2, with nothing sent"
	for _, c := range []struct{ name, dir, defect string }{
		{"missing parent", filepath.Join(folder, "missing", "users.run"), ""},
		{"a file", file, ""},
		{"a device", os.DevNull, ""},
		{"below a file", filepath.Join(file, "users.run"), code},
		{"a long name", filepath.Join(folder, strings.Repeat("x", 300)), code},
		{"a long path", filepath.Join(folder, strings.Repeat("x/", 3000)), code},
		{"a loop", loop(t, folder), code},
		{"read-only", filepath.Join(disk, "users.run"), code},
	} {
		t.Run(c.name, func(t *testing.T) {
			known(t, c.defect)
			n++
			r.refuse(t, c.dir)
		})
	}
}

func loop(t *testing.T, folder string) string {
	t.Helper()
	link := filepath.Join(folder, "loop")
	must(t, os.Symlink(link, link))
	return filepath.Join(link, "users.run")
}

// refuse wants a run into dir to be refused, with nothing sent.
func (r *rotation) refuse(t *testing.T, dir string) {
	t.Helper()
	p := launch{}.start(t, r.base, "run", r.input, "--yes", "-o", dir)
	exits(t, p, 2)
	r.unsent()
}
