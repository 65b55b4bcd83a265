package exotel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"siprotate/exotel"
)

func Example() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		io.WriteString(w, `{"request_id":"r1","method":"PUT","http_code":200,`+
			`"response":{"code":200,"error_data":null,"status":"success","data":null}}`)
	}))
	defer api.Close()

	client, err := exotel.New(exotel.Config{
		BaseURL:     api.URL, // exotel.Singapore.BaseURL() for an account there
		AccountSID:  "example1",
		Credentials: func() (key, token string, err error) { return "sample-key", "sample-token", nil },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdleConnections()

	answer, err := client.SetPassword(context.Background(), "0f3c9a", "490039", "Sample-0nly")
	var failure *exotel.Error
	switch {
	case errors.As(err, &failure) && failure.Ambiguous():
		fmt.Println("it may have been set: send the same password again")
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(answer.HTTPCode, answer.Status, answer.RequestID)
	}
	// Output:
	// PUT /v2/accounts/example1/users/0f3c9a/devices/490039/password
	// 200 success r1
}
