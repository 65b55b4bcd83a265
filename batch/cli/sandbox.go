package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"siprotate/batch"
	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
	"siprotate/exotel/registrar"
)

// sandboxOptions are those of the stand-in of run --sandbox. Its answers take as
// long as those of a real API roughly do, so that there is something to see.
var sandboxOptions = exoteltest.Options{
	AccountSID: sandboxAccount, Latency: 80 * time.Millisecond, Jitter: 80 * time.Millisecond,
}

// standIn returns a client for a stand-in in this process that holds the devices
// of the rows, and what begins to prove its passwords.
func standIn(rows iter.Seq2[batch.Row, error]) (client *exotel.Client, local func() (rotation.Proofs, error), err error) {
	server := exoteltest.New(sandboxOptions)
	for row, err := range rows {
		if err == nil && len(row.Faults) == 0 {
			// What cannot be added is not found later on, and reported with its line then.
			_ = server.MakeUp(row.UserID, row.DeviceID, row.SIPID, row.Email)
		}
	}
	client, err = exotel.New(exotel.Config{
		BaseURL: sandboxEndpoint.baseURL, AccountSID: sandboxAccount, Transport: server.Transport(),
		Credentials: func() (key, token string, err error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
	})
	return client, func() (rotation.Proofs, error) { return localRegistrar(server) }, err
}

// localRegistrar serves a registrar beside a stand-in of the API, for as long as
// the process lives, and returns what asks it.
func localRegistrar(server *exoteltest.Server) (rotation.Proofs, error) {
	standIn, err := exoteltest.NewRegistrar(server, exoteltest.RegistrarOptions{})
	if err != nil {
		return rotation.Proofs{}, err
	}
	address, err := standIn.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return rotation.Proofs{}, err
	}
	client, err := registrar.New(registrar.Config{Proxy: address, Transport: registrar.TCP, Domain: standIn.Domain()})
	return rotation.Proofs{Prover: client, Every: sandboxProofs}, err
}

// sandboxProofs is the pace of proofs against the stand-in, which bans nobody.
const sandboxProofs = 50 * time.Millisecond

// A sandbox is the flags of the stand-in.
type sandbox struct {
	listen  string
	users   int
	rate    string
	limiter string
	headers string
	latency time.Duration
	faults  string
	seed    uint64
	sip     bool
	renew   time.Duration
}

var limiters = map[string]exoteltest.Kind{
	"fixed": exoteltest.FixedWindow, "sliding": exoteltest.SlidingWindow, "bucket": exoteltest.TokenBucket,
}

var headerModes = map[string]exoteltest.HeaderMode{
	"none": exoteltest.NoHeaders, "retry-after": exoteltest.RetryAfter, "all": exoteltest.AllHeaders,
}

func newSandbox(a *app) *cobra.Command {
	s := &sandbox{}
	cmd := &cobra.Command{
		Use:   "sandbox",
		Short: "serve a local stand-in of the API, for trying things out",
		Long: `Sandbox serves a stand-in of the API on this machine until it is interrupted.
It says on standard output where it listens. The account, the key and the token
are all "sandbox". Beside the API it answers

  GET /sandbox/passwords   which password each device holds, as CSV
  GET /sandbox/stats       what it counted, as JSON

Faults are given as name=probability, separated by commas, for each password
call. Their names:

  ` + strings.Join(exoteltest.FaultNames(), "\n  "),
		Example: `  siprotate sandbox --users 200 --rate 50/m
  siprotate sandbox --listen 127.0.0.1:8080 --faults http500=2%,reset-after=1%`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.serve(cmd.Context(), s) },
	}
	f := cmd.Flags()
	f.StringVar(&s.listen, "listen", "127.0.0.1:0", "the loopback address to listen on; port 0 picks a free one")
	f.IntVar(&s.users, "users", 50, "users of the account, each with one SIP device")
	f.StringVar(&s.rate, "rate", "50/m", "the account's allowance, or unlimited")
	f.StringVar(&s.limiter, "limiter", "fixed", "how requests are counted: fixed, sliding or bucket")
	f.StringVar(&s.headers, "headers", "all", "what answers tell of the allowance: none, retry-after or all")
	f.DurationVar(&s.latency, "latency", 0, "time that an answer takes")
	f.StringVar(&s.faults, "faults", "", "faults and their probabilities")
	f.Uint64Var(&s.seed, "seed", 0, "of everything random")
	f.BoolVar(&s.sip, "sip", false, "serve a SIP registrar beside the API, with phones: six in ten learn a new password, three keep their old registration, one is off")
	f.DurationVar(&s.renew, "phone-renew", time.Minute, "with --sip: how often phones renew their registration")
	f.SortFlags = false
	return cmd
}

func (s *sandbox) options() (exoteltest.Options, error) {
	o := exoteltest.Options{Users: s.users, Latency: s.latency, Seed: s.seed}
	rate, err := pace.ParseRate(s.rate)
	if err != nil {
		return o, flagError("rate", s.rate, err)
	}
	kind, known := limiters[s.limiter]
	if !known {
		return o, flagError("limiter", s.limiter, errors.New("want fixed, sliding or bucket"))
	}
	if !rate.IsUnlimited() {
		o.Limit = exoteltest.Limit{N: rate.N, Per: rate.Per, Kind: kind}
	}
	if o.Headers, known = headerModes[s.headers]; !known {
		return o, flagError("headers", s.headers, errors.New("want none, retry-after or all"))
	}
	if o.Faults, err = exoteltest.ParseFaults(s.faults); err != nil {
		return o, flagError("faults", s.faults, err)
	}
	if err := o.Validate(); err != nil {
		return o, usage(err, "")
	}
	return o, nil
}

// serve runs the stand-in until ctx is cancelled.
func (a *app) serve(ctx context.Context, s *sandbox) error {
	o, err := s.options()
	if err != nil {
		return err
	}
	host, _, err := net.SplitHostPort(s.listen)
	if err != nil {
		return flagError("listen", s.listen, err)
	}
	if !exotel.IsLoopback(host) {
		return flagError("listen", s.listen, errors.New("the stand-in listens on loopback only, such as 127.0.0.1:8080"))
	}
	l, err := net.Listen("tcp", s.listen)
	if err != nil {
		return usage(err, "")
	}
	standIn := exoteltest.New(o)
	server := &http.Server{Handler: standIn, ReadHeaderTimeout: 10 * time.Second}
	defer context.AfterFunc(ctx, func() { server.Close() })()

	base := "http://" + l.Addr().String()
	fmt.Fprintln(a.out, base)
	a.say("serving %d users until interrupted; to use it:", s.users)
	a.say("  %s", setVariables("EXOTEL_BASE_URL="+base, "EXOTEL_ACCOUNT_SID="+exoteltest.DefaultCredential))
	a.say("  %s", setVariables("EXOTEL_API_KEY="+exoteltest.DefaultCredential, "EXOTEL_API_TOKEN="+exoteltest.DefaultCredential))
	if s.sip {
		registrar, err := a.serveSIP(standIn, s.renew)
		if err != nil {
			return err
		}
		defer registrar.Close()
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return failure(err, "")
	}
	return nil
}

// serveSIP serves a registrar with phones beside the stand-in of the API.
func (a *app) serveSIP(server *exoteltest.Server, renew time.Duration) (*exoteltest.Registrar, error) {
	if renew < time.Second {
		return nil, usagef("", "--phone-renew %v: want at least 1s", renew)
	}
	standIn, err := exoteltest.NewRegistrar(server, exoteltest.RegistrarOptions{
		Phone: func(i int) exoteltest.Phone {
			phone := exoteltest.Phone{Expires: (2 * renew).Truncate(time.Second), Renew: renew}
			switch i % 10 {
			case 0:
				return exoteltest.Phone{} // switched off
			case 3, 6, 9:
				phone.LearnsAfter = -1 // nobody gives it the new password
			}
			return phone
		},
	})
	if err != nil {
		return nil, usage(err, "")
	}
	address, err := standIn.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, usage(err, "")
	}
	a.say("  %s", setVariables("EXOTEL_SIP_PROXY="+address, "EXOTEL_SIP_TRANSPORT=tcp", "EXOTEL_SIP_DOMAIN="+standIn.Domain()))
	return standIn, nil
}
