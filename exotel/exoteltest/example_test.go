package exoteltest_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

// A client sets a password at a stand-in that listens on loopback.
func Example() {
	api := exoteltest.New(exoteltest.Options{Users: 1})
	server := httptest.NewServer(api)
	defer server.Close()
	client, err := exotel.New(exotel.Config{
		BaseURL: server.URL, AccountSID: exoteltest.DefaultCredential,
		Credentials: func() (key, token string, err error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()
	user := exoteltest.GeneratedUser(0)
	sip := user.Devices[1]
	answer, err := client.SetPassword(context.Background(), user.ID, sip.ID, "Example-Pass-1")
	if err != nil {
		fmt.Println(err)
		return
	}
	password, _ := api.Password(user.ID, sip.ID)
	fmt.Println(answer.HTTPCode, password)
	// Output: 200 Example-Pass-1
}
