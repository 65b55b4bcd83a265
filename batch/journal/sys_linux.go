package journal

import "golang.org/x/sys/unix"

// mountOf returns the device that holds path, and an id of its mount that no
// other mount gets under the same boot; zero where the kernel (before 6.8) has none.
func mountOf(path string) (device, mount uint64) {
	var stat unix.Statx_t
	if unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_MNT_ID_UNIQUE, &stat) != nil {
		return 0, 0
	}
	if stat.Mask&unix.STATX_MNT_ID_UNIQUE != 0 {
		mount = stat.Mnt_id
	}
	return unix.Mkdev(stat.Dev_major, stat.Dev_minor), mount
}
