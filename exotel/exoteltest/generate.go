package exoteltest

import (
	"fmt"
	"strings"

	"siprotate/exotel"
)

var (
	firstNames = [...]string{
		"Asha", "Ravi", "Priya", "Arjun", "Meera", "Sanjay", "Kavitha", "Imran", "Divya", "Harpreet", "Lakshmi", "Nikhil",
		"Ananya", "Farhan", "Sneha", "Vikram", "José", "Zoë", "Grace", "Nguyễn", "Olivia", "Mateo", "Fatima", "Søren",
	}
	lastNames = [...]string{
		"Rao", "Sharma", "Iyer", "Singh", "Khan", "Patel", "Nair", "Das", "Reddy", "Menon", "Chatterjee", "D'Souza",
		"Kulkarni", "Joshi", "Bose", "Pillai", "Müller", "García", "O'Brien", "Nakamura", "Okafor", "Silva", "Haddad", "Lindqvist",
	}
)

// Every so manieth generated user is out of the ordinary.
const (
	everyNoEmail    = 13 // has no email
	everyPlusEmail  = 7  // has a "+" in it, which a URL must escape
	everySupervisor = 11
	everyAdmin      = 97
	everyOffline    = 5 // has a SIP device that is not available
)

// firstDeviceID makes the generated device ids six digits long, and seven from
// the 450,000th user on.
const firstDeviceID = 100_000

// GeneratedUser returns the i-th of the users that [Options.Users] makes, counted
// from 0. It is a function of i alone. All ids, SIP ids and emails are distinct
// below 4 billion. Each user has a name, a role, one telephone and, as second
// device, one SIP phone; most have an email.
func GeneratedUser(i int) exotel.User {
	mixed := mix64(uint64(i))
	first := firstNames[mixed%uint64(len(firstNames))]
	last := lastNames[mixed>>32%uint64(len(lastNames))]
	phone := exotel.Device{
		ID: fmt.Sprint(firstDeviceID + 2*i), Name: "Phone", Type: "tel", Verified: true, Status: "free",
		ContactURI: fmt.Sprintf("+910%09d", i), // 0: a number that nobody has
	}
	sip := sipDevice(fmt.Sprint(firstDeviceID+2*i+1), fmt.Sprintf("%s%s%08x", plain(first), plain(last)[:1], mix32(uint32(i))))
	sip.Available = !every(everyOffline, i)
	return exotel.User{
		ID:        fmt.Sprintf("%016x%016x", mixed, mix64(mixed)),
		FirstName: first,
		LastName:  last,
		Email:     email(i, plain(first), plain(last)),
		Role:      role(i),
		Devices:   []exotel.Device{phone, sip},
	}
}

func email(i int, first, last string) string {
	switch {
	case every(everyNoEmail, i):
		return ""
	case every(everyPlusEmail, i):
		return fmt.Sprintf("%s.%s+%d@example.com", first, last, i)
	}
	return fmt.Sprintf("%s.%s%d@example.com", first, last, i)
}

func role(i int) string {
	switch {
	case every(everyAdmin, i):
		return "admin"
	case every(everySupervisor, i):
		return "supervisor"
	}
	return "user"
}

// every reports whether i is the last of each group of n.
func every(n, i int) bool { return i%n == n-1 }

// plain returns the letters a to z of name, in lower case.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r < 'a' || r > 'z' {
			return -1
		}
		return r
	}, strings.ToLower(name))
}

// mix64 maps every number to another one that looks random, no two to the same
// (the finalizer of SplitMix64, Steele, Lea and Flood 2014).
func mix64(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mix32 does the same for 32 bits (the finalizer of MurmurHash3, Appleby 2011).
func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * 0x85ebca6b
	x = (x ^ x>>13) * 0xc2b2ae35
	return x ^ x>>16
}
