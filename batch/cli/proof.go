package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"siprotate/batch/rotation"
	"siprotate/exotel"
	"siprotate/exotel/registrar"
)

// Registrar flags say where the SIP registrar is, and how it is asked.
type registrarFlags struct {
	proxy     string
	transport string
	domain    string
	ca        string
	insecure  bool
	every     time.Duration
	timeout   time.Duration
}

func (o *registrarFlags) add(f *pflag.FlagSet) {
	f.StringVar(&o.proxy, "sip-proxy", "", "HOST:PORT of the SIP proxy (default $EXOTEL_SIP_PROXY, or the region's)")
	f.StringVar(&o.transport, "sip-transport", "", "tls, tcp or udp (default $EXOTEL_SIP_TRANSPORT, or tls)")
	f.StringVar(&o.domain, "sip-domain", "", "the SIP domain (default $EXOTEL_SIP_DOMAIN, or the account's at voip.exotel.com)")
	f.StringVar(&o.ca, "sip-ca", "", "a file with the certificates to trust (default $EXOTEL_SIP_CA, or the system's)")
	f.BoolVar(&o.insecure, "sip-insecure", false, "allow plain UDP and TCP beyond this machine")
	f.DurationVar(&o.every, "proof-rate", rotation.DefaultProofPace, "ask the registrar for one proof in so much time")
	f.DurationVar(&o.timeout, "proof-timeout", registrar.DefaultTimeout, "time for one proof")
}

// sipVariables are the variables that stand in for flags.
var sipVariables = map[string]string{
	"sip-proxy": "EXOTEL_SIP_PROXY", "sip-transport": "EXOTEL_SIP_TRANSPORT", "sip-domain": "EXOTEL_SIP_DOMAIN", "sip-ca": "EXOTEL_SIP_CA",
}

// keepRegistrar gives the flags that were not given what the environment says, so
// that a resumed run finds the registrar without it.
func (a *app) keepRegistrar(f *pflag.FlagSet) error {
	for name, variable := range sipVariables {
		if value := a.getenv(variable); value != "" && !f.Changed(name) {
			if err := f.Set(name, value); err != nil {
				return flagError(name, value, err)
			}
		}
	}
	return nil
}

func (a *app) prover(o registrarFlags, e endpoint) (rotation.Proofs, error) {
	if o.every <= 0 || o.timeout <= 0 {
		return rotation.Proofs{}, usagef("", "--proof-rate and --proof-timeout: want a time above 0")
	}
	c := registrar.Config{
		Proxy:      a.setting(o.proxy, sipVariables["sip-proxy"], proxyFor(e)),
		Transport:  registrar.Transport(strings.ToLower(a.setting(o.transport, sipVariables["sip-transport"]))),
		Domain:     a.setting(o.domain, sipVariables["sip-domain"]),
		AccountSID: e.SID, Insecure: o.insecure, Timeout: o.timeout, UserAgent: "siprotate/" + version(),
	}
	if c.Proxy == "" {
		return rotation.Proofs{}, usagef("--sip-proxy or EXOTEL_SIP_PROXY says where it is", "the SIP proxy of %s is not known", e.Host)
	}
	if file := a.setting(o.ca, sipVariables["sip-ca"]); file != "" {
		var err error
		if c.CA, err = readable("sip-ca", file); err != nil {
			return rotation.Proofs{}, err
		}
	}
	client, err := registrar.New(c)
	if err != nil {
		return rotation.Proofs{}, usage(err, "see --sip-proxy, --sip-transport, --sip-domain, --sip-ca and --sip-insecure")
	}
	return rotation.Proofs{Prover: client, Every: o.every}, nil
}

// proxyFor returns the SIP proxy of the region whose API the account uses, as seen
// in public configurations; "" for any other host.
func proxyFor(e endpoint) string {
	switch e.Host {
	case newEndpoint("", exotel.Singapore.BaseURL()).Host:
		return registrar.ProxySingapore
	case newEndpoint("", exotel.Mumbai.BaseURL()).Host:
		return registrar.ProxyMumbai
	}
	return ""
}

// Prove flags say whether run and resume prove passwords, and what has to hold
// between two waves.
type proveFlags struct {
	registrarFlags
	prove    string
	waves    []int
	gate     string
	gateWait time.Duration
	apart    string
}

func (o *proveFlags) add(proof, waves *pflag.FlagSet) {
	proof.StringVar(&o.prove, "prove", "", "prove by SIP that the new passwords work: all of them, or sample=20")
	proof.Lookup("prove").NoOptDefVal = "all"
	o.registrarFlags.add(proof)
	waves.IntSliceVar(&o.waves, "waves", nil, "send in waves of so many rows, such as 5,50,500, then the rest")
	waves.StringVar(&o.gate, "gate", "", "what has to hold after each wave: proved=100%,adopted=95%, or ask")
	waves.DurationVar(&o.gateWait, "gate-wait", 30*time.Minute, "how long a gate waits for that")
	waves.StringVar(&o.apart, "apart", "", "never send two rows with the same value in this column in one wave")
}

// apply enters the flags into a rotation, which a dry run does not carry out. local proves against a registrar in this
// process; it is nil unless the account is that of the stand-in.
func (o *proveFlags) apply(a *app, r *rotation.Rotation, e endpoint, local func() (rotation.Proofs, error), dry bool) (err error) {
	sample := 0
	switch text, sampled := strings.CutPrefix(o.prove, "sample="); {
	case o.prove == "" || o.prove == "all":
	case !sampled:
		return flagError("prove", o.prove, errors.New("want all, or sample=N"))
	default:
		if sample, err = strconv.Atoi(text); err != nil || sample < 1 {
			return flagError("prove", o.prove, errors.New("want a number of rows from 1, such as sample=20"))
		}
	}
	if o.prove != "" {
		if local != nil {
			r.Proofs, err = local()
		} else {
			r.Proofs, err = a.prover(o.registrarFlags, e)
		}
		if err != nil {
			return err
		}
		r.Proofs.Sample = sample
	}
	return o.applyWaves(a, r, dry)
}

func (o *proveFlags) applyWaves(a *app, r *rotation.Rotation, dry bool) error {
	r.Waves = rotation.Waves{Sizes: o.waves, Wait: o.gateWait, Apart: o.apart}
	if r.Engine.Canary > 0 && len(o.waves) > 0 {
		r.Waves.Sizes = append([]int{r.Engine.Canary}, o.waves...)
	}
	if slices.ContainsFunc(o.waves, func(size int) bool { return size < 1 }) {
		return usagef("", "--waves: want numbers of rows from 1, such as 5,50,500")
	}
	if len(o.waves) == 0 && (o.gate != "" || o.apart != "") {
		return usagef("", "--gate and --apart are for --waves")
	}
	if o.gate == "ask" {
		r.Waves.Ask = a.askGate
		if dry {
			return nil // nobody is asked
		}
		return a.canAsk("--gate proved=100%,adopted=95% asks nobody")
	}
	if err := checkRange("gate-wait", "time", o.gateWait, time.Second, 7*24*time.Hour); err != nil {
		return err
	}
	for part := range strings.SplitSeq(o.gate, ",") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		share, err := parseShare(value)
		switch {
		case err != nil || name != "proved" && name != "adopted":
			return flagError("gate", o.gate, errors.New("want ask, or shares such as proved=100%,adopted=95%"))
		case o.prove == "":
			return usagef("--prove proves the passwords that a gate counts", "--gate %s needs --prove", o.gate)
		case r.Proofs.Sample > 0:
			return usagef("--prove proves them all", "--gate %s counts every row that was sent, and --prove=%s proves a few", o.gate, o.prove)
		case name == "proved":
			r.Waves.Proved = share
		default:
			r.Waves.Adopted = share
		}
	}
	return nil
}

// parseShare reads a percentage such as 95%.
func parseShare(text string) (rotation.Share, error) {
	number, ok := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || !(percent > 0 && percent <= 100) {
		return 0, errors.New("want a percentage above 0 up to 100, such as 95%")
	}
	return rotation.Share(percent / 100), nil
}

func (a *app) askGate(ctx context.Context, gate rotation.Gated) error {
	sent := count(gate.Rows, "row") + " sent"
	if gate.Why != "" {
		sent += ", " + gate.Why
	}
	return a.ask(ctx, sent+". Send the next wave?", "the next wave was not confirmed")
}
