package auth_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"portico/l7/auth"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// Hashes that other programs made: htpasswd, openssl, crypt(3) and argon2.
const (
	bcryptSecret   = "$2y$04$ovMin8yOKJoIiMtuxrNZQ.D9qZeI9yc0UOwe4fyCUB7T/JMWyj.Ty"
	sha256Secret   = "$5$abcdefgh$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM."
	sha512Secret   = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
	argonPassword  = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	sha256Hello    = "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	sha256Rounds   = "$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/"
	sha512Rounds   = "$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v."
	sha256Hundred  = "$5$ab$svYVzYiHQ00pqjxflzlcIykQiiQG2N6nGb5MGoCzhM1"
	sha512Hundred  = "$6$ab$Dl9IhjoQKEbFzT0mHUojnmKfO/iaqCONKYMJae6A6BamPi8p5W8x7BIsEQTkgeX2qGN0TnWVc1L7jgOlphKFW."
	rounds77777Key = "we have a short salt string but not a short password"
)

func users(t *testing.T, lines ...string) *auth.Users {
	t.Helper()
	u, problems := auth.ParseUsers([]byte(strings.Join(lines, "\n")))
	if len(problems) > 0 {
		t.Fatal(errors.Join(problems...))
	}
	return u
}

// crew waits for what it starts.
type crew struct{ sync.WaitGroup }

func (c *crew) start(f func()) bool {
	c.Go(f)
	return true
}

// verifier checks with one worker and room for two that wait.
func verifier(t *testing.T, u *auth.Users) (*auth.Verifier, *crew) {
	t.Helper()
	c := &crew{}
	t.Cleanup(c.Wait)
	return auth.NewVerifier(u, auth.NewWorkers(auth.WorkersOptions{Most: 1, Waiting: 2, Go: c.start}), time.Minute), c
}

// answer asks and waits for the answer.
func answer(v *auth.Verifier, name, password string, at time.Time) auth.State {
	woken := make(chan struct{})
	state, ticket := v.Ask([]byte(name), []byte(password), at, func() { close(woken) })
	if state == auth.Waiting {
		<-woken
		state = ticket.State()
	}
	return state
}

// The password that was hashed is right, and no other is, for each kind of hash.
func TestHashes(t *testing.T) {
	tests := []struct{ name, hash, password string }{
		{"bcrypt", bcryptSecret, "secret"},
		{"SHA-256", sha256Secret, "secret"},
		{"SHA-512", sha512Secret, "secret"},
		{"SHA-256 of the paper", sha256Hello, "Hello world!"},
		{"SHA-256 with rounds", sha256Rounds, rounds77777Key},
		{"SHA-512 with rounds", sha512Rounds, "Hello world!"},
		{"SHA-256 of a hundred bytes", sha256Hundred, strings.Repeat("x", 100)},
		{"SHA-512 of a hundred bytes", sha512Hundred, strings.Repeat("x", 100)},
		{"argon2id", argonPassword, "password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, _ := verifier(t, users(t, "ann:"+tt.hash))
			for _, wrong := range []string{"", tt.password + "x"} {
				if got := answer(v, "ann", wrong, noon); got != auth.Wrong {
					t.Errorf("%q is %v", wrong, got)
				}
			}
			if got := answer(v, "ann", tt.password, noon); got != auth.Right {
				t.Errorf("%q is %v", tt.password, got)
			}
		})
	}
}

// Lists that cannot be used are refused, with the line and without the hash.
func TestParseUsers(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"good", "# staff\n\nann:" + bcryptSecret + "\r\nbob:" + sha512Secret + "\n", ""},
		{"nobody", "# staff\n", "there is no user; write a line with name:hash for each"},
		{"no colon", "ann", "line 1: there is no colon"},
		{"no name", ":" + bcryptSecret, "line 1: the name has 0 bytes"},
		{"twice", "ann:" + bcryptSecret + "\nann:" + bcryptSecret, `line 2: the user "ann" is there twice`},
		{"control", "a\x01b:" + bcryptSecret, "line 1: the name holds a control character"},
		{"plain", "ann:hunter2", `line 1: user "ann": the hash is of no kind that is known`},
		{"md5", "ann:$apr1$salt$hunter2", `user "ann": the hash is of no kind that is known`},
		{"bcrypt cut", "ann:" + bcryptSecret[:40], "not a whole bcrypt hash"},
		{"bcrypt dear", "ann:$2y$17$ovMin8yOKJoIiMtuxrNZQ.D9qZeI9yc0UOwe4fyCUB7T/JMWyj.Ty", "the cost of the bcrypt hash is 17; at most 16 is allowed"},
		{"sha cut", "ann:" + sha512Secret[:60], "not a whole SHA-crypt hash"},
		{"sha long salt", "ann:$5$abcdefghabcdefghx$gruCpC7VkOTspMQTTSAR8mtlO9Upms.fwqE5y16JVM.", "not a whole SHA-crypt hash"},
		{"sha dear", "ann:$6$rounds=9999999$a$b", "the rounds of the SHA-crypt hash are out of range; use 1000 to 1000000"},
		{"argon cut", "ann:$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ", "not an argon2id hash"},
		{"argon old", strings.Replace("ann:"+argonPassword, "v=19", "v=16", 1), "not an argon2id hash"},
		{"argon dear", strings.Replace("ann:"+argonPassword, "m=65536", "m=4000000", 1), "argon2id with m=4000000,t=2,p=1 is out of range"},
		{"argon odd", strings.Replace("ann:"+argonPassword, "p=1", "p=1,x=2", 1), "not an argon2id hash"},
	}
	for _, tt := range tests {
		u, problems := auth.ParseUsers([]byte(tt.text))
		got := ""
		if err := errors.Join(problems...); err != nil {
			got = err.Error()
		}
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: problems %q, want %q", tt.name, got, tt.want)
		}
		if strings.Contains(got, "hunter2") || strings.Contains(got, "ovMin8") {
			t.Errorf("%s: the problem shows the hash: %s", tt.name, got)
		}
		if tt.want == "" && u.Len() != 2 {
			t.Errorf("%s: %d users", tt.name, u.Len())
		}
	}
}

// A user there is none of is wrong, after a hash as well.
func TestNobody(t *testing.T) {
	v, _ := verifier(t, users(t, "ann:"+bcryptSecret))
	woken := make(chan struct{})
	state, ticket := v.Ask([]byte("eve"), []byte("secret"), noon, func() { close(woken) })
	if state != auth.Waiting {
		t.Fatalf("the answer for nobody is %v at once: it tells who exists", state)
	}
	<-woken
	if got := ticket.State(); got != auth.Wrong {
		t.Errorf("nobody's password is %v", got)
	}
}

// A password that was right is remembered for a while, and only that one.
func TestRemembers(t *testing.T) {
	v, _ := verifier(t, users(t, "ann:"+bcryptSecret, "bob:"+sha256Secret))
	if got := answer(v, "ann", "secret", noon); got != auth.Right {
		t.Fatalf("the password is %v", got)
	}
	never := func() { t.Error("a password that is remembered was hashed") }
	if got, _ := v.Ask([]byte("ann"), []byte("secret"), noon.Add(59*time.Second), never); got != auth.Right {
		t.Errorf("within the minute it is %v", got)
	}
	for _, other := range [][2]string{{"ann", "secretx"}, {"bob", "secret"}, {"an", "nsecret"}} {
		if got, _ := v.Ask([]byte(other[0]), []byte(other[1]), noon, func() {}); got == auth.Right {
			t.Errorf("%v is right without a hash", other)
		}
	}
	if got, _ := v.Ask([]byte("ann"), []byte("secret"), noon.Add(time.Minute), func() {}); got == auth.Right {
		t.Error("after the minute it is still remembered")
	}
}

// Requests that ask the same are answered by one hash; when all workers are taken
// and as many wait as may, others are told that there is no room.
func TestBusy(t *testing.T) {
	release := make(chan struct{})
	var all crew
	w := auth.NewWorkers(auth.WorkersOptions{Most: 1, Waiting: 1, Go: all.start})
	if !w.Do(func() { <-release }) {
		t.Fatal("there is no room at the start")
	}
	v := auth.NewVerifier(users(t, "ann:"+bcryptSecret), w, time.Minute)
	var woken atomic.Int32
	wake := func() { woken.Add(1) }
	first, one := v.Ask([]byte("ann"), []byte("secret"), noon, wake)
	same, two := v.Ask([]byte("ann"), []byte("secret"), noon, wake)
	other, three := v.Ask([]byte("ann"), []byte("guess"), noon, wake)
	if first != auth.Waiting || same != auth.Waiting || one != two || other != auth.Busy || three != nil {
		t.Errorf("asked: %v, %v, %v", first, same, other)
	}
	close(release)
	all.Wait()
	if woken.Load() != 2 || one.State() != auth.Right {
		t.Errorf("%d woken, the password is %v", woken.Load(), one.State())
	}
	if got, _ := v.Ask([]byte("ann"), []byte("guess"), noon, wake); got != auth.Waiting {
		t.Errorf("with room again it is %v", got)
	}
	all.Wait()
}

// Workers do all they took, never more at once than they may, and refuse when no
// goroutine can be started.
func TestWorkers(t *testing.T) {
	var all crew
	w := auth.NewWorkers(auth.WorkersOptions{Most: 3, Waiting: 100, Go: all.start})
	var now, most, did atomic.Int32
	took := 0
	for range 60 {
		if w.Do(func() {
			most.Store(max(most.Load(), now.Add(1)))
			did.Add(1)
			now.Add(-1)
		}) {
			took++
		}
	}
	all.Wait()
	if took != 60 || did.Load() != 60 || most.Load() > 3 {
		t.Errorf("took %d, did %d, at most %d at once", took, did.Load(), most.Load())
	}
	if auth.NewWorkers(auth.WorkersOptions{Most: 1, Go: func(func()) bool { return false }}).Do(func() {}) {
		t.Error("work is taken that nobody does")
	}
}

func basic(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }

// Credentials are read as they were sent, and what are none is refused.
func TestParseBasic(t *testing.T) {
	tests := []struct {
		name, value, user, password string
		ok                          bool
	}{
		{"plain", basic("ann:secret"), "ann", "secret", true},
		{"colons", basic("ann:a:b:"), "ann", "a:b:", true},
		{"empty password", basic("ann:"), "ann", "", true},
		{"scheme ignores case", "bAsIc " + base64.StdEncoding.EncodeToString([]byte("a:b")), "a", "b", true},
		{"spaces", "Basic  " + base64.StdEncoding.EncodeToString([]byte("a:b")) + " ", "a", "b", true},
		{"not ASCII", basic("änn:pässword"), "änn", "pässword", true},
		{"none", "", "", "", false},
		{"another scheme", "Bearer abc", "", "", false},
		{"no colon", basic("ann"), "", "", false},
		{"not base64", "Basic !!!", "", "", false},
		{"no padding", "Basic YTpi" + "Yg", "", "", false},
		{"too long", basic("a:" + strings.Repeat("b", 2000)), "", "", false},
	}
	for _, tt := range tests {
		name, password, grown, ok := auth.ParseBasic([]byte(tt.value), []byte("kept"))
		if ok != tt.ok || ok && (string(name) != tt.user || string(password) != tt.password) || !strings.HasPrefix(string(grown), "kept") {
			t.Errorf("%s: %q, %q, %v in %q", tt.name, name, password, ok, grown)
		}
	}
}

// FuzzParse proves that no list of users and no credentials do harm.
func FuzzParse(f *testing.F) {
	f.Add("ann:"+bcryptSecret, basic("ann:secret"))
	f.Add("ann:"+sha256Rounds+"\nbob:"+argonPassword, "Basic =")
	f.Add("a:$5$$\nb:$argon2id$$$$\nc:$2y$99$", "basic ")
	f.Fuzz(func(t *testing.T, list, value string) {
		u, problems := auth.ParseUsers([]byte(list))
		if (u.Len() == 0) && len(problems) == 0 {
			t.Error("a list without a user is good")
		}
		name, password, grown, ok := auth.ParseBasic([]byte(value), nil)
		if ok && (len(name)+len(password)+1 != len(grown) || len(grown) > 1024) {
			t.Errorf("%q reads as %q and %q in %d bytes", value, name, password, len(grown))
		}
	})
}

// BenchmarkRemembered is what a request costs whose password was right before.
func BenchmarkRemembered(b *testing.B) {
	u, _ := auth.ParseUsers([]byte("ann:" + bcryptSecret))
	var all crew
	v := auth.NewVerifier(u, auth.NewWorkers(auth.WorkersOptions{Most: 1, Go: all.start}), time.Hour)
	if answer(v, "ann", "secret", noon) != auth.Right {
		b.Fatal("the password is wrong")
	}
	name, password := []byte("ann"), []byte("secret")
	b.ReportAllocs()
	for b.Loop() {
		if got, _ := v.Ask(name, password, noon, nil); got != auth.Right {
			b.Fatal(fmt.Sprint(got))
		}
	}
}
