// Package exotel is a client for the part of Exotel's user management API that
// deals with SIP devices: it sets their passwords and lists them with their
// users. It also knows the vendor's password policy and generates passwords
// that comply with it.
//
// One method call is one HTTP exchange. The package retries nothing, paces
// nothing, logs nothing and prints nothing; its errors say, as methods, what a
// caller may do next (see [Error]).
package exotel
