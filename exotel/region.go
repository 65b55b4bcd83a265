package exotel

import (
	"fmt"
	"strings"
)

// A Region is where the vendor holds an account. The dashboard's API settings
// show it.
type Region string

// The regions that the vendor documents.
const (
	Singapore Region = "singapore"
	Mumbai    Region = "mumbai"
)

var baseURLs = map[Region]string{
	Singapore: "https://ccm-api.exotel.com",
	Mumbai:    "https://ccm-api.in.exotel.com",
}

// ParseRegion returns the region of that name, whatever its case.
func ParseRegion(name string) (Region, error) {
	region := Region(strings.ToLower(name))
	if _, known := baseURLs[region]; !known {
		return "", fmt.Errorf("unknown region %q: want %s or %s", name, Singapore, Mumbai)
	}
	return region, nil
}

// BaseURL returns the base URL of the region's API, or "" for an unknown region.
func (r Region) BaseURL() string { return baseURLs[r] }
