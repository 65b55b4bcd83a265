package registrar_test

import (
	"context"
	"fmt"
	"net/http/httptest"

	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
	"siprotate/exotel/registrar"
)

// A password is set at the API and proved at the registrar.
func Example() {
	api := exoteltest.New(exoteltest.Options{Users: 1})
	server := httptest.NewServer(api)
	defer server.Close()
	sandbox, err := exoteltest.NewRegistrar(api, exoteltest.RegistrarOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sandbox.Close()
	proxy, err := sandbox.Listen("tls", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	users, err := exotel.New(exotel.Config{
		BaseURL: server.URL, AccountSID: exoteltest.DefaultCredential,
		Credentials: func() (key, token string, err error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer users.CloseIdleConnections()
	client, err := registrar.New(registrar.Config{
		Proxy: proxy, CA: sandbox.CA(), AccountSID: exoteltest.DefaultCredential, // registrar.ProxyMumbai, and no CA, for an account there
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()

	user := exoteltest.GeneratedUser(0)
	if _, err := users.SetPassword(context.Background(), user.ID, user.Devices[1].ID, "Example-Pass-1"); err != nil {
		fmt.Println(err)
		return
	}
	for _, password := range []string{"Example-Pass-1", "Example-Pass-0"} {
		proof, err := client.Prove(context.Background(), exotel.SIPID(user.Devices[1].ContactURI), password)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(proof.Verdict, proof.Code)
	}
	// Output:
	// accepted 200
	// refused 401
}
