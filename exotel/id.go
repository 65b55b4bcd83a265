package exotel

import (
	"fmt"
	"strings"
	"unicode"
)

// An IDError says that an id cannot stand in a request's path: it is empty, or
// would make the path name something else. Nothing was sent.
type IDError struct {
	Name   string // which id, such as "user id"
	ID     string
	Reason string // what is wrong with it
}

// Error says which id is wrong, and why.
func (e *IDError) Error() string {
	return fmt.Sprintf("%s %q %s", e.Name, cut(e.ID, 64), e.Reason)
}

// checkID returns an [*IDError] unless id can safely be one segment of a path.
// Escaping alone is not enough: proxies and servers unescape more than once.
func checkID(name, id string) error {
	switch {
	case id == "":
		return &IDError{name, id, "is empty"}
	case id == "." || id == "..":
		return &IDError{name, id, "is a step in a path"}
	case strings.ContainsAny(id, `/\?#%`):
		return &IDError{name, id, `holds one of / \ ? # %`}
	case strings.ContainsFunc(id, unicode.IsControl):
		return &IDError{name, id, "holds a control character"}
	}
	return nil
}
