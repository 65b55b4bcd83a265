package exoteltest

import (
	"context"
	"fmt"
	"math"
	"time"
)

// A Phone says how the phone of a SIP device registers. The zero Phone is switched
// off.
type Phone struct {
	Expires time.Duration // how long a registration lasts; whole seconds; 0: there is no phone
	Renew   time.Duration // how often it is renewed; 0: when half of Expires is over

	// LearnsAfter is how long after its first registration that was refused the
	// phone is given the password that is in force then. With 0, it knows each new
	// password at once, as one that is provisioned does; with less, it never does.
	LearnsAfter time.Duration
}

type phone struct {
	Phone
	id, contact string
	password    string    // what it knows; empty: the one from before any was set
	ends        time.Time // its registration's end
	next        time.Time // when it registers next
	refused     time.Time // when it was first refused; zero: not since it was accepted
}

// newPhone returns the i-th phone, registered by now and somewhere within its
// beat. The beats of phones are spread evenly.
func newPhone(now time.Time, i int, kind Phone, id, password string) *phone {
	if kind.Renew <= 0 {
		kind.Renew = kind.Expires / 2
	}
	_, part := math.Modf(float64(i) * math.Phi)
	last := now.Add(-time.Duration(part * float64(kind.Renew)))
	return &phone{
		Phone: kind, id: id, password: password, ends: last.Add(kind.Expires), next: last.Add(kind.Renew),
		contact: fmt.Sprintf("sip:%s@192.0.2.%d:5060;transport=tls", id, i%254+1),
	}
}

// contactAt returns the Contact header's value that tells the registration.
func (p *phone) contactAt(now time.Time) string {
	return fmt.Sprintf("<%s>;expires=%d", p.contact, int(math.Ceil(p.ends.Sub(now).Seconds())))
}

// advance lets the phones do what they do up to now.
func (r *Registrar) advance(now time.Time) {
	if r.opt.Phone == nil || now.Before(r.next) {
		return
	}
	r.findPhones(now)
	r.next = now.Add(time.Second) // for devices that are added
	for _, u := range r.ids {
		p := u.phone
		if p == nil {
			continue
		}
		for !p.next.After(now) {
			r.register(p.next, u, p)
		}
		if p.next.Before(r.next) {
			r.next = p.next
		}
	}
}

// findPhones gives a phone to each SIP device that was not there before.
func (r *Registrar) findPhones(now time.Time) {
	i := 0
	for d := range r.server.Passwords() {
		if i >= r.devices && d.SIPID != "" {
			if kind := r.opt.Phone(i); kind.Expires > 0 {
				u := r.user(d.SIPID)
				password, _ := r.inForce(now, d.SIPID, u)
				u.phone = newPhone(now, i, kind, d.SIPID, password)
			}
		}
		i++
	}
	r.devices = max(r.devices, i)
}

// register is a phone that registers.
func (r *Registrar) register(now time.Time, u *sipUser, p *phone) {
	p.next = now.Add(p.Renew)
	if now.Before(u.lockedUntil) {
		return
	}
	inForce, known := r.inForce(now, p.id, u)
	learns := p.LearnsAfter == 0 || p.LearnsAfter > 0 && !p.refused.IsZero() && now.Sub(p.refused) >= p.LearnsAfter
	if learns {
		p.password, _ = r.server.SIPPassword(p.id)
	}
	if known && p.password == inForce {
		p.ends, p.refused = now.Add(p.Expires), time.Time{}
		u.wrong = 0
		return
	}
	r.countWrong(now, u)
	if p.refused.IsZero() {
		p.refused = now
	}
	if at := p.refused.Add(p.LearnsAfter); p.LearnsAfter > 0 && at.After(now) && at.Before(p.next) {
		p.next = at
	}
}

// ring lets the phones go on until ctx ends, so that each registers at its time
// and not only when somebody asks.
func (r *Registrar) ring(ctx context.Context) {
	for {
		r.mu.Lock()
		now := time.Now()
		r.advance(now)
		wait := r.next.Sub(now)
		r.mu.Unlock()
		if !sleep(ctx, max(wait, time.Millisecond)) {
			return
		}
	}
}
