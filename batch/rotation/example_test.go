package rotation_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"siprotate/batch/roster"
	"siprotate/batch/rotation"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

// A rotation of the users of a CSV, against a stand-in of the API.
func Example() {
	api := exoteltest.New(exoteltest.Options{Users: 3})
	client, err := exotel.New(exotel.Config{
		BaseURL: "https://api.example", AccountSID: exoteltest.DefaultCredential, Transport: api.Transport(),
		Credentials: func() (key, token string, err error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
	})
	if err != nil {
		panic(err)
	}
	const input = "email\nimran.menon0@example.com\nzo.khan1@example.com\n"
	users, err := roster.Reader("users.csv", strings.NewReader(input), roster.Options{
		CheckPassword: exotel.CheckPassword, CheckID: exotel.CheckID,
	})
	if err != nil {
		panic(err)
	}
	folder, _ := os.MkdirTemp("", "")
	defer os.RemoveAll(folder)
	r := rotation.Rotation{
		Dir: filepath.Join(folder, "users.run"), Client: client,
		Account: rotation.Account{SID: exoteltest.DefaultCredential, Host: "api.example"},
	}
	digest, err := r.Run(context.Background(), users)
	fmt.Println(digest.Summary.Rotated, "of", digest.Summary.Rows, err)
	// Output: 2 of 2 <nil>
}
