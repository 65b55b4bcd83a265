//go:build linux

package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestAttackFileLimit lets no file grow beyond a limit, at many limits: wherever
// the write fails, the run says so and stops, and nothing was sent that is not
// on disk.
func TestAttackFileLimit(t *testing.T) {
	t.Parallel()
	n := tried(t, "no room for a file, from its first half KiB to its last")
	// In blocks of 512 bytes, of which each row takes rather less than one.
	for blocks := 1; blocks < diskRows*3/2; blocks += step() {
		n.times++
		r := faultlessOf(t, blocks, diskRows)
		shell := fmt.Sprintf(`trap "" XFSZ; ulimit -f %d; exec "$0" "$@"`, blocks)
		p := launch{shell: shell}.start(t, r.base, r.runArgs()...)
		r.stopped(p, "file too large")
		r.finish()
	}
}

// diskRows are few enough for a plan that is written in one piece, at its end.
const diskRows = 200

// step is the distance of the sizes that a disk is tried with.
func step() int { return max(1, diskRows/5 / *attackTimes) }

// TestAttackDiskWhilePlanning fills the disk before the plan is whole.
func TestAttackDiskWhilePlanning(t *testing.T) {
	t.Parallel()
	n := tried(t, "no room for a large plan, at one of its pieces")
	for blocks := 1; blocks < 300; blocks += 128 { // a piece is 64 KiB
		t.Run(strconv.Itoa(blocks), func(t *testing.T) {
			n.times++
			r := faultlessOf(t, blocks, 1000)
			shell := fmt.Sprintf(`trap "" XFSZ; ulimit -f %d; exec "$0" "$@"`, blocks)
			p := launch{shell: shell}.start(t, r.base, r.runArgs()...)
			exits(t, p, 1)
			r.checkNothingSent()
			r.finish()
		})
	}
}

// stopped wants a run to have ended, or to have stopped for a full disk, and to
// have said so.
func (r *rotation) stopped(p *process, why string) {
	r.t.Helper()
	if exits(r.t, p, 0, 1) == 1 && !strings.Contains(p.stderr.String(), why) {
		r.t.Errorf("it does not say %q: %s", why, p.stderr.String())
	}
	r.checkRecoverable()
}

// TestAttackFullDisk runs on disks too small for it, and goes on once there is
// room.
func TestAttackFullDisk(t *testing.T) {
	n := tried(t, "no space on the disk, from its first page to its last")
	// Of 4 KiB, for two rows each, with their reports.
	for pages := 2; pages < diskRows/2; pages += step() {
		r := faultlessOf(t, pages, diskRows)
		disk := filepath.Join(t.TempDir(), "disk")
		mount(t, disk, fmt.Sprintf("size=%dk", 4*pages))
		n.times++
		r.dir = filepath.Join(disk, "users.run")
		p := launch{}.start(t, r.base, r.runArgs()...)
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
	r := faultless(t, 0)
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	must(t, os.WriteFile(file, nil, 0o600))
	n := tried(t, "a run directory that cannot be made")
	for _, c := range []struct{ name, dir string }{
		{"missing parent", filepath.Join(folder, "missing", "users.run")},
		{"a file", file},
		{"a device", os.DevNull},
		{"below a file", filepath.Join(file, "users.run")},
		{"a long name", filepath.Join(folder, strings.Repeat("x", 300))},
		{"a long path", filepath.Join(folder, strings.Repeat("x/", 3000))},
		{"a loop", loop(t, folder)},
	} {
		t.Run(c.name, func(t *testing.T) {
			n.times++
			r.refuse(t, c.dir)
		})
	}
	t.Run("read-only", func(t *testing.T) {
		disk := filepath.Join(folder, "disk")
		mount(t, disk, "")
		must(t, unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
		n.times++
		r.refuse(t, filepath.Join(disk, "users.run"))
	})
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
	r.checkNothingSent()
}
