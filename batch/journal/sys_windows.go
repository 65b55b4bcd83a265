package journal

import "io/fs"

// noFollow has no counterpart among the flags of an open here; checkDir has
// refused links before.
const noFollow = 0

// othersWrite is always false: access lists are not told by the mode bits.
func othersWrite(fs.FileInfo) bool { return false }

// syncDir does nothing: folders cannot be synced, NTFS journals their names.
func syncDir(string) error { return nil }
