package cli

import (
	"context"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"siprotate/batch/account"
	"siprotate/exotel"
)

type checkFlags struct {
	accountFlags
	paceFlags
}

func newCheck(a *app) *cobra.Command {
	o := &checkFlags{}
	cmd := &cobra.Command{
		Use:   "check",
		Short: "are the credentials, the account and the address right",
		Long: `Check asks the API for one user, with one request, and says whether the
credentials, the account, the region and the address are right, which limit the
API advertises, whether the state folder can be written, and which proxy is used.`,
		Example: `  siprotate check
  siprotate check --region mumbai`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.check(cmd.Context(), o) },
	}
	o.accountFlags.add(a.group(cmd, "Account"))
	o.paceFlags.add(a.group(cmd, "Pace"), a.group(cmd, "Output"))
	a.joinGroups(cmd)
	// It tells what is wrong now, and not whether that passes.
	o.maxAttempts = 1
	cmd.Flags().Lookup("max-attempts").DefValue = "1"
	return cmd
}

func (a *app) check(ctx context.Context, o *checkFlags) error {
	e, r, err := o.paceFlags.on(a, o.accountFlags)
	if err != nil {
		return err
	}
	a.say("account  %s at %s", e.SID, e.baseURL)
	if r.Client, err = a.client(e, 1); err != nil {
		return err
	}
	a.say("proxy    %s", proxyOf(e.baseURL))
	if err := account.Check(r.State); err != nil {
		return usage(err, "name a folder that can be written with XDG_STATE_HOME; the account's lock and what was spent of its allowance are kept there")
	}
	a.say("state    %s can be written", r.State)
	page, err := r.Ask(ctx, exotel.Query{Limit: 1})
	if err != nil {
		return err
	}
	limit := "not advertised; 50 a minute is taken for granted"
	if n := page.Answer.RateLimit.Limit; n > 0 {
		limit = count(n, "request") + " a minute, as the API says"
	}
	a.say("limit    %s", limit)
	if page.HasTotal {
		a.say("users    %s", number(page.Total))
	}
	a.say("the API accepts the credentials")
	return nil
}

// proxyOf says which proxy requests take, without its credentials.
func proxyOf(baseURL string) string {
	base, _ := url.Parse(baseURL) // the client takes none that is not one
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: base})
	switch {
	case err != nil:
		return "the environment's setting is not a URL"
	case proxy == nil:
		return "none"
	}
	return proxy.Scheme + "://" + proxy.Host
}
