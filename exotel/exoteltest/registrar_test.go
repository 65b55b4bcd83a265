package exoteltest

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/icholy/digest"

	"siprotate/exotel"
)

// A desk is a registrar that only decides, at instants that a test chooses.
type desk struct {
	*Registrar
	t   testing.TB
	api *Server
	now time.Time
}

const another = "Example-Pass-2"

func newDesk(t testing.TB, users int, opt RegistrarOptions) *desk {
	t.Helper()
	api := New(Options{Users: users})
	r, err := newRegistrar(api, opt)
	if err != nil {
		t.Fatal(err)
	}
	return &desk{r, t, api, time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (d *desk) sipID(i int) string { return exotel.SIPID(GeneratedUser(i).Devices[1].ContactURI) }

// ask is one request without an answer to a challenge.
func (d *desk) ask(user string) sipReply {
	return d.decide(d.now, sipQuery{peer: "192.0.2.1", domain: d.opt.Domain, user: user})
}

// prove asks, and answers the challenge.
func (d *desk) prove(user, password string) sipReply {
	d.t.Helper()
	reply := d.ask(user)
	if len(reply.challenges) == 0 {
		return reply
	}
	return d.decide(d.now, sipQuery{
		peer: "192.0.2.1", domain: d.opt.Domain, user: user, authorization: d.answer(reply.challenges[0], user, password),
	})
}

func (d *desk) answer(c digest.Challenge, user, password string) string {
	d.t.Helper()
	credentials, err := digest.Digest(&c, digest.Options{Method: "REGISTER", URI: "sip:" + d.opt.Domain, Username: user, Password: password})
	if err != nil {
		d.t.Fatal(err)
	}
	return credentials.String()
}

func (d *desk) want(reply sipReply, code int) {
	d.t.Helper()
	if reply.code != code {
		d.t.Errorf("answered %d, want %d", reply.code, code)
	}
}

func TestRegistrarTakesPasswordsAtOnce(t *testing.T) {
	d := newDesk(t, 2, RegistrarOptions{})
	d.want(d.prove(d.sipID(0), compliant), 401)
	put(t, d.api, GeneratedUser(0), compliant)
	d.want(d.prove(d.sipID(0), compliant), 200)
	put(t, d.api, GeneratedUser(0), another)
	d.want(d.prove(d.sipID(0), another), 200)
	d.want(d.prove(d.sipID(0), compliant), 401)
	d.want(d.prove(d.sipID(1), another), 401)
	d.want(d.prove(d.sipID(1), ""), 401)
	d.want(d.prove("nobody", another), 401)
	d.want(d.decide(d.now, sipQuery{domain: "elsewhere.example", user: d.sipID(0)}), 403)
	want := RegistrarStats{Requests: 15, Accepted: 2, Wrong: 5, MostAnswers: 4}
	if diff := cmp.Diff(want, d.stats); diff != "" {
		t.Error(diff)
	}
}

func TestRegistrarLooksAtTheWholeAnswer(t *testing.T) {
	d := newDesk(t, 2, RegistrarOptions{})
	put(t, d.api, GeneratedUser(0), compliant)
	put(t, d.api, GeneratedUser(1), compliant)
	right := func() string { return d.answer(d.ask(d.sipID(0)).challenges[0], d.sipID(0), compliant) }
	send := func(user, authorization string) sipReply {
		return d.decide(d.now, sipQuery{peer: "192.0.2.1", domain: d.opt.Domain, user: user, authorization: authorization})
	}
	d.want(send(d.sipID(0), right()), 200)
	d.want(send(d.sipID(1), right()), 401)
	d.want(send(d.sipID(0), strings.Replace(right(), "algorithm=SHA-256", "algorithm=MD5", 1)), 401)
	d.want(send(d.sipID(0), "Basic x"), 400)
	once := right()
	d.want(send(d.sipID(0), once), 200)
	if reply := send(d.sipID(0), once); reply.code != 401 || !reply.challenges[0].Stale {
		t.Errorf("a nonce counts twice: %+v", reply)
	}
	late := right()
	d.now = d.now.Add(nonceLife + 1)
	if reply := send(d.sipID(0), late); reply.code != 401 || !reply.challenges[0].Stale {
		t.Errorf("an old nonce counts: %+v", reply)
	}
}

func TestRegistrarMisbehaves(t *testing.T) {
	tests := []struct {
		opt   RegistrarOptions
		right int // what the right password gets
		wrong int
	}{
		{RegistrarOptions{AcceptsAnything: true}, 200, 200},
		{RegistrarOptions{Unchallenged: true}, 200, 200},
		{RegistrarOptions{Silent: true}, 0, 0},
		{RegistrarOptions{Answer: 405}, 405, 405},
		{RegistrarOptions{StaleNonces: 1}, 401, 200}, // asked second: the wrong one meets the second nonce with a right password
	}
	for _, tt := range tests {
		d := newDesk(t, 1, tt.opt)
		put(t, d.api, GeneratedUser(0), compliant)
		d.want(d.prove(d.sipID(0), compliant), tt.right)
		password := another
		if tt.opt.StaleNonces > 0 {
			password = compliant
		}
		d.want(d.prove(d.sipID(0), password), tt.wrong)
	}
	d := newDesk(t, 1, RegistrarOptions{UnknownIs404: true})
	d.want(d.prove("nobody", compliant), 404)
	d.want(d.prove(d.sipID(0), compliant), 401)
}

func TestRegistrarLocks(t *testing.T) {
	d := newDesk(t, 2, RegistrarOptions{LockAfter: 3, Phone: func(int) Phone { return Phone{Expires: time.Minute} }})
	put(t, d.api, GeneratedUser(0), compliant)
	for _, password := range []string{another, another, compliant, another, another, another} {
		d.want(d.prove(d.sipID(0), password), map[string]int{compliant: 200, another: 401}[password])
	}
	d.want(d.prove(d.sipID(0), compliant), 403)
	d.want(d.prove(d.sipID(1), compliant), 401)
	d.now = d.now.Add(time.Minute) // a phone's registration runs out meanwhile
	d.want(d.prove(d.sipID(0), compliant), 403)
	d.now = d.now.Add(time.Minute)
	if reply := d.prove(d.sipID(0), compliant); reply.code != 200 {
		t.Errorf("still locked: %+v", reply)
	}
}

func TestRegistrarBans(t *testing.T) {
	d := newDesk(t, 1, RegistrarOptions{BanOver: 16})
	put(t, d.api, GeneratedUser(0), compliant)
	for range 60 { // two requests in 300 ms
		d.want(d.prove(d.sipID(0), compliant), 200)
		d.now = d.now.Add(300 * time.Millisecond)
	}
	for range 20 {
		d.prove(d.sipID(0), compliant)
	}
	d.want(d.ask(d.sipID(0)), 0)
	d.want(d.decide(d.now, sipQuery{peer: "192.0.2.2", domain: d.opt.Domain, user: d.sipID(0)}), 401)
	d.now = d.now.Add(299 * time.Second)
	d.want(d.ask(d.sipID(0)), 0)
	d.now = d.now.Add(time.Second)
	d.want(d.ask(d.sipID(0)), 401)
}

func TestRegistrarCaches(t *testing.T) {
	d := newDesk(t, 1, RegistrarOptions{CacheFor: 30 * time.Minute})
	put(t, d.api, GeneratedUser(0), compliant)
	d.want(d.prove(d.sipID(0), compliant), 200)
	put(t, d.api, GeneratedUser(0), another)
	d.now = d.now.Add(30*time.Minute - 1)
	d.want(d.prove(d.sipID(0), another), 401)
	d.want(d.prove(d.sipID(0), compliant), 200)
	d.now = d.now.Add(1)
	d.want(d.prove(d.sipID(0), another), 200)
	d.want(d.prove(d.sipID(0), compliant), 401)
}

// TestAContactCostsTheBinding is why nobody who only asks may send one.
func TestAContactCostsTheBinding(t *testing.T) {
	d := newDesk(t, 1, RegistrarOptions{Phone: func(int) Phone { return Phone{Expires: time.Hour} }})
	put(t, d.api, GeneratedUser(0), compliant)
	if reply := d.prove(d.sipID(0), compliant); len(reply.contacts) != 1 {
		t.Errorf("%+v", reply)
	}
	c := d.ask(d.sipID(0)).challenges[0]
	d.decide(d.now, sipQuery{
		peer: "192.0.2.1", domain: d.opt.Domain, user: d.sipID(0), authorization: d.answer(c, d.sipID(0), compliant), contact: true,
	})
	if reply := d.prove(d.sipID(0), compliant); len(reply.contacts) != 0 || d.stats.Contacts != 1 {
		t.Errorf("%+v, %+v", reply, d.stats)
	}
}

// left returns the seconds of the only binding in a reply, -1 if there is none.
func left(t testing.TB, reply sipReply) int {
	t.Helper()
	if reply.code != 200 || len(reply.contacts) > 1 {
		t.Fatalf("%+v", reply)
	}
	if len(reply.contacts) == 0 {
		return -1
	}
	_, after, _ := strings.Cut(reply.contacts[0], ";expires=")
	var seconds int
	fmt.Sscan(after, &seconds)
	return seconds
}

// TestPhones follows 200 phones after all passwords have changed: 60% renew with
// the new one, at once or after a while, 30% keep the old one, 10% are off.
func TestPhones(t *testing.T) {
	const phones = 200
	kind := func(i int) Phone {
		switch i % 10 {
		case 0, 1, 2, 3:
			return Phone{Expires: time.Hour, Renew: 30 * time.Minute}
		case 4, 5:
			return Phone{Expires: time.Hour, Renew: 30 * time.Minute, LearnsAfter: 10 * time.Minute}
		case 9:
			return Phone{}
		}
		return Phone{Expires: time.Hour, Renew: 30 * time.Minute, LearnsAfter: -1}
	}
	d := newDesk(t, phones, RegistrarOptions{Phone: kind})
	d.ask("nobody") // the phones are there from now on
	for i := range phones {
		put(t, d.api, GeneratedUser(i), compliant)
	}
	ends := make([]time.Time, phones)
	for _, minutes := range []int{0, 30, 40, 60, 600} {
		d.now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
		var got [3]int // adopted, still on its old registration, offline
		for i := range phones {
			seconds := left(t, d.prove(d.sipID(i), compliant))
			end := d.now.Add(time.Duration(seconds) * time.Second)
			switch {
			case seconds < 0:
				got[2]++
			case minutes == 0:
				ends[i] = end
				got[1]++
			case end.Sub(ends[i]) > 3*time.Second:
				got[0]++
			default:
				got[1]++
			}
		}
		// Half an hour after the change every phone has tried to renew, and those that
		// were refused live for another half at most.
		var right bool
		switch minutes {
		case 0:
			right = got == [...]int{0, 180, 20}
		case 30:
			right = 80 <= got[0] && got[0] <= 120 && got[2] == 20
		case 40:
			right = got[0] == 120 && 20 < got[2] && got[2] < 80
		default:
			right = got == [...]int{120, 0, 80}
		}
		if !right {
			t.Errorf("after %d minutes: %v", minutes, got)
		}
	}
}

// TestPhonesRingUnasked holds that a phone that renewed before its password
// changed has done so, though nobody asked in between.
func TestPhonesRingUnasked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := New(Options{Users: 1})
		r, err := NewRegistrar(api, RegistrarOptions{Phone: func(int) Phone { return Phone{Expires: time.Hour, Renew: time.Minute, LearnsAfter: -1} }})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute + time.Second)
		put(t, api, GeneratedUser(0), compliant)
		time.Sleep(10 * time.Minute)
		d := &desk{r, t, api, time.Now()}
		if got := left(t, d.prove(d.sipID(0), compliant)); got < 49*60-60 || got > 51*60 {
			t.Errorf("the registration lasts %d s more", got)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestRegistrarOptionsAreChecked(t *testing.T) {
	for _, opt := range []RegistrarOptions{{LockAfter: -1}, {BanFor: -1}, {Answer: 100}, {Answer: 700}} {
		if _, err := NewRegistrar(New(Options{}), opt); err == nil {
			t.Errorf("%+v: no error", opt)
		}
	}
	r, err := NewRegistrar(New(Options{}), RegistrarOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Listen("ws", "127.0.0.1:0"); err == nil {
		t.Error("listens on ws")
	}
}

func TestSIPPassword(t *testing.T) {
	s := New(Options{Users: 1})
	u := GeneratedUser(0)
	if password, known := s.SIPPassword(u.Devices[1].ContactURI); password != "" || !known {
		t.Errorf("%q, %v before any was set", password, known)
	}
	put(t, s, u, compliant)
	if password, known := s.SIPPassword(exotel.SIPID(u.Devices[1].ContactURI)); password != compliant || !known {
		t.Errorf("%q, %v", password, known)
	}
	for _, name := range []string{"nobody", "", u.Devices[0].ContactURI} {
		if _, known := s.SIPPassword(name); known {
			t.Errorf("%q is known", name)
		}
	}
}
