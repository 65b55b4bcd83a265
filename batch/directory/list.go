package directory

import "context"

// maxPasses is how often an account is listed at most: once, and again while
// the users found are not those that the far side tells of, or changed.
const maxPasses = 3

// A Listing is the users of an account, each once.
type Listing struct {
	Users   []User
	Missing int  // so many more the far side tells of and does not list
	Untold  int  // entries that the far side marked as failed
	Changed bool // the account changed each time: Users is what all passes found
}

// List lists the account. If the pages contradict each other, or the total
// that the far side tells, it lists again until that is settled, three times at
// most.
func List(ctx context.Context, d Directory) (Listing, error) {
	return complete(ctx, newPass(d, Query{}))
}

// complete finishes a pass and makes the further ones that it takes.
func complete(ctx context.Context, p *pass) (Listing, error) {
	var before *pass
	all := newPass(nil, Query{})
	for n := 1; ; n++ {
		if err := p.finish(ctx); err != nil {
			return Listing{}, err
		}
		if p.sound() || p.same(before) {
			return p.listing(), nil
		}
		all.enter(p.users)
		if n == maxPasses {
			return Listing{Users: all.users, Untold: p.untold, Changed: true}, nil
		}
		before, p = p, newPass(p.directory, Query{})
	}
}

func (p *pass) listing() Listing {
	l := Listing{Users: p.users, Untold: p.untold}
	if p.hasTotal {
		l.Missing = max(0, p.total-len(p.users)-p.untold)
	}
	return l
}
