package journal

import "io/fs"

// noFollow has no counterpart among the flags of an open here; checkDir has
// refused links before.
const noFollow = 0

// shared says nothing: access lists are not told by the mode bits.
func shared(fs.FileInfo) string { return "" }

// syncDir does nothing: folders cannot be synced, NTFS journals their names.
func syncDir(string) error { return nil }
