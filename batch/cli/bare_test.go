package cli_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"siprotate/exotel/exoteltest"
)

// runBareLoop is the least that a program can do: it sends the PUTs for the rows
// of an input, decodes the answers, and prints how long that took. It plans
// nothing, writes nothing down and reports nothing.
func runBareLoop(base, input, workers string) int {
	n, err := strconv.Atoi(workers)
	if err != nil {
		return bareFailure(err)
	}
	rows, err := readRows(input)
	if err != nil {
		return bareFailure(err)
	}
	began := time.Now()
	if err := sendAll(newBareClient(n), base, rows, n); err != nil {
		return bareFailure(err)
	}
	fmt.Println(time.Since(began))
	return 0
}

func bareFailure(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

func readRows(input string) ([][]string, error) {
	f, err := os.Open(input)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	return rows[1:], nil
}

// newBareClient returns a client whose transport is tuned as the program's is.
func newBareClient(connections int) *http.Client {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Client{Transport: &http.Transport{
		Protocols: &protocols, MaxIdleConnsPerHost: connections, MaxConnsPerHost: connections,
	}}
}

func sendAll(client *http.Client, base string, rows [][]string, workers int) error {
	jobs, failures := make(chan []string), make(chan error, workers)
	var pool sync.WaitGroup
	for range workers {
		pool.Go(func() {
			var first error
			for row := range jobs {
				if err := send(client, base, row[0], row[1], row[2]); err != nil && first == nil {
					first = err
				}
			}
			failures <- first
		})
	}
	for _, row := range rows {
		jobs <- row
	}
	close(jobs)
	pool.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			return err
		}
	}
	return nil
}

// An envelope is everything that an answer to a password call holds.
type envelope struct {
	RequestID string `json:"request_id"`
	Method    string `json:"method"`
	HTTPCode  int    `json:"http_code"`
	Response  struct {
		Code      int `json:"code"`
		ErrorData *struct {
			Code        int    `json:"code"`
			Message     string `json:"message"`
			Description string `json:"description"`
		} `json:"error_data"`
		Status string `json:"status"`
		Data   any    `json:"data"`
	} `json:"response"`
}

func send(client *http.Client, base, user, device, password string) error {
	body, err := json.Marshal(map[string]string{"password": password})
	if err != nil {
		return err
	}
	url := base + "/v2/accounts/" + exoteltest.DefaultCredential + "/users/" + user + "/devices/" + device + "/password"
	request, err := http.NewRequest(http.MethodPut, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.SetBasicAuth(exoteltest.DefaultCredential, exoteltest.DefaultCredential)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	var answer envelope
	if err := json.Unmarshal(text, &answer); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK || answer.Response.Status != "success" {
		return fmt.Errorf("%s: %s", response.Status, text)
	}
	return nil
}
