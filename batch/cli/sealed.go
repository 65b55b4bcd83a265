package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/term"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/vault"
	"siprotate/report"
)

// identityVariable names the file with the identities that open a sealed run, for
// jobs.
const identityVariable = "AGE_IDENTITY_FILE"

const (
	sealToUsage   = "seal all passwords of the run to an age or SSH recipient, or to those in a file; repeatable"
	identityUsage = "the age identity or SSH private key that opens a sealed run (default $" + identityVariable + ")"
)

// sealTo returns the vault for the recipients that --seal-to names, and nil where
// it names none. An identity in the environment opens what an earlier session of
// the run sealed.
func (a *app) sealTo(ctx context.Context, args []string) (journal.Vault, error) {
	if len(args) == 0 {
		return nil, nil
	}
	recipients, err := vault.Recipients(args)
	if errors.Is(err, vault.ErrMixed) {
		return nil, usage(fmt.Errorf("--seal-to: %w", err), "seal to age1pq1… recipients alone, or to none of them; nothing was sent")
	}
	if err != nil {
		return nil, usage(fmt.Errorf("--seal-to: %w", err), "nothing was sent")
	}
	v, err := a.sealer(ctx, recipients, a.getenv(identityVariable))
	if err != nil {
		return nil, err
	}
	a.say("all passwords of the run are sealed to %s", count(len(recipients), "recipient"))
	return v, nil
}

// sealer returns the vault for recipients, opened by the identities in a file if one
// is named.
func (a *app) sealer(ctx context.Context, recipients []string, identityFile string) (*vault.Sealer, error) {
	v, err := vault.New(recipients)
	if err != nil {
		return nil, usage(fmt.Errorf("seal the passwords: %w", err), "")
	}
	if identityFile == "" {
		return v, nil
	}
	ids, err := vault.Identities(identityFile, func(prompt string) ([]byte, error) { return a.passphrase(ctx, prompt) })
	if err == nil {
		if err = v.Unlock(ids...); err != nil {
			err = fmt.Errorf("%s: %w", identityFile, err)
		}
	}
	var told *commandError
	var stop *batch.Stop
	switch {
	case errors.As(err, &told):
		return nil, told
	case errors.As(err, &stop):
		return nil, stop
	case errors.Is(err, vault.ErrIdentity):
		return nil, usage(err, "the run is sealed to "+sealedTo(recipients))
	case err != nil:
		return nil, usage(err, "--identity or "+identityVariable+" names a file with AGE-SECRET-KEY-… lines, or an SSH private key")
	}
	return v, nil
}

func sealedTo(recipients []string) string {
	const shown = 30 // characters: enough to tell keys apart
	short := slices.Clone(recipients)
	for i, r := range short {
		if len(r) > shown {
			short[i] = r[:shown] + "…"
		}
	}
	return strings.Join(short, ", ")
}

// vaultOf returns the vault of a run: sealed runs say in their head to whom, and
// identity names the file that opens them; empty: the variable does, if it is set.
func (a *app) vaultOf(ctx context.Context, dir string, head journal.Head, identity string) (v journal.Vault, opens bool, err error) {
	switch head.Vault {
	case vault.Name:
		identity = a.setting(identity, identityVariable)
		s, err := a.sealer(ctx, head.Recipients, identity)
		if err != nil {
			return nil, false, err
		}
		return s, identity != "", nil
	case journal.Purged:
		return nil, false, fmt.Errorf("%s: %w", dir, journal.ErrPurged)
	}
	if identity != "" {
		return nil, false, usagef("leave --identity out", "the passwords in %s are not sealed: an identity opens nothing there", dir)
	}
	return journal.Plain, true, nil
}

// toOpen returns the vault of a run whose passwords have to be opened.
func (a *app) toOpen(ctx context.Context, dir string, head journal.Head, identity string) (journal.Vault, error) {
	v, opens, err := a.vaultOf(ctx, dir, head, identity)
	if err == nil && !opens {
		err = usagef("--identity, or "+identityVariable+", names the file that opens them; they are sealed to "+sealedTo(head.Recipients),
			"the passwords of %s are sealed", dir)
	}
	return v, err
}

// vaultToReport is the vault for reports: none where no password can be opened, so
// that they leave the credentials as they are.
func (a *app) vaultToReport(ctx context.Context, dir string, head journal.Head) (journal.Vault, error) {
	if head.Vault == journal.Purged {
		return nil, nil
	}
	v, opens, err := a.vaultOf(ctx, dir, head, "")
	if err != nil || !opens {
		return nil, err
	}
	return v, nil
}

// passphrase asks for one on the terminal, which shows again what is typed when ctx
// ends it.
func (a *app) passphrase(ctx context.Context, prompt string) ([]byte, error) {
	if !isTerminal(a.in) || !isTerminal(a.err) {
		return nil, usagef("a job needs an identity without a passphrase, in a file that only it can read", "cannot ask for the %s: not a terminal", prompt)
	}
	terminal := int(a.in.(fder).Fd())
	state, err := term.GetState(terminal)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(a.err, "%s: ", report.Sanitize(prompt))
	defer fmt.Fprintln(a.err)
	text, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	if ctx.Err() != nil {
		_ = term.Restore(terminal, state)
	}
	return text, err
}

// readable sees that a file which a flag names can be read.
func readable(flag, path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(fmt.Errorf("--%s: %w", flag, err), "")
	}
	return text, nil
}
