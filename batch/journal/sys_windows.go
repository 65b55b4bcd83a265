package journal

import "io/fs"

// shared says nothing: the mode bits do not show access lists.
func shared(fs.FileInfo) string { return "" }
