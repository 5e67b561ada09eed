package load

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

var testName = dnsmessage.MustNewName("myapp.example.com.")

// record is one line of an answer in a test.
type record struct {
	name string
	ttl  uint32
	body dnsmessage.ResourceBody
}

func address(name string, ttl uint32, a string) record {
	addr := netip.MustParseAddr(a)
	if addr.Is4() {
		return record{name, ttl, &dnsmessage.AResource{A: addr.As4()}}
	}
	return record{name, ttl, &dnsmessage.AAAAResource{AAAA: addr.As16()}}
}

func alias(name string, ttl uint32, to string) record {
	return record{name, ttl, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(to)}}
}

// packed is a reply to a question.
func packed(head dnsmessage.Header, q dnsmessage.Question, records ...record) []byte {
	head.Response = true
	m := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{q}}
	for _, r := range records {
		m.Answers = append(m.Answers, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(r.name), Class: dnsmessage.ClassINET, TTL: r.ttl},
			Body:   r.body,
		})
	}
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

// TestParseReply proves what counts as an answer to our question, and which of
// its records count.
func TestParseReply(t *testing.T) {
	const name = "myapp.example.com."
	ours := dnsmessage.Question{Name: testName, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	cased := ours
	cased.Name = dnsmessage.MustNewName("MyApp.Example.COM.")
	other := ours
	other.Name = dnsmessage.MustNewName("other.example.com.")
	v6 := ours
	v6.Type = dnsmessage.TypeAAAA
	is := dnsmessage.Header{ID: 7}
	tests := []struct {
		name    string
		message []byte
		want    reply
		err     error
	}{
		{"one address", packed(is, ours, address(name, 30, "127.0.1.10")), reply{addresses: addrs("127.0.1.10"), ttl: 30 * time.Second}, nil},
		{"two keep their order", packed(is, ours, address(name, 30, "127.0.2.10"), address(name, 20, "127.0.1.10")), reply{addresses: addrs("127.0.2.10", "127.0.1.10"), ttl: 20 * time.Second}, nil},
		{"an alias bounds the TTL", packed(is, ours, alias(name, 5, "a.example.net."), address("a.example.net.", 60, "127.0.1.10")), reply{addresses: addrs("127.0.1.10"), ttl: 5 * time.Second}, nil},
		{"the other family does not count", packed(is, ours, address(name, 5, "::1")), reply{ttl: ttlMax * time.Second}, nil},
		{"case does not matter", packed(is, cased, address(name, 30, "127.0.1.10")), reply{addresses: addrs("127.0.1.10"), ttl: 30 * time.Second}, nil},
		{"a TTL of a century", packed(is, ours, address(name, 1<<31, "127.0.1.10")), reply{addresses: addrs("127.0.1.10"), ttl: 24 * time.Hour}, nil},
		{"no such name", packed(dnsmessage.Header{ID: 7, RCode: dnsmessage.RCodeNameError}, ours), reply{ttl: 24 * time.Hour, rcode: dnsmessage.RCodeNameError}, nil},
		{"truncated", packed(dnsmessage.Header{ID: 7, Truncated: true}, ours, address(name, 30, "127.0.1.10")), reply{truncated: true}, nil},
		{"another ID", packed(dnsmessage.Header{ID: 8}, ours), reply{}, errNotOurs},
		{"another name", packed(is, other), reply{}, errNotOurs},
		{"another type", packed(is, v6), reply{}, errNotOurs},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseReply(tt.message, 7, testName, dnsmessage.TypeA)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error = %v, want %v", err, tt.err)
			}
			if err == nil && (!slices.Equal(got.addresses, tt.want.addresses) || got.ttl != tt.want.ttl ||
				got.truncated != tt.want.truncated || got.rcode != tt.want.rcode) {
				t.Errorf("reply = %+v, want %+v", got, tt.want)
			}
		})
	}
	question, err := query(7, testName, dnsmessage.TypeA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseReply(question, 7, testName, dnsmessage.TypeA); !errors.Is(err, errNotOurs) {
		t.Errorf("our own question is taken for an answer: %v", err)
	}
	if _, err := parseReply(question[:11], 7, testName, dnsmessage.TypeA); err == nil || errors.Is(err, errNotOurs) {
		t.Errorf("half a head: %v, want malformed", err)
	}
}

func addrs(list ...string) []netip.Addr {
	var as []netip.Addr
	for _, a := range list {
		as = append(as, netip.MustParseAddr(a))
	}
	return as
}

// FuzzReply proves that no reply makes the client panic, or remember more, or for
// longer, than it may.
func FuzzReply(f *testing.F) {
	q := dnsmessage.Question{Name: testName, Type: dnsmessage.TypeA, Class: dnsmessage.ClassINET}
	f.Add(packed(dnsmessage.Header{}, q, address("myapp.example.com.", 30, "127.0.1.10")))
	f.Add(packed(dnsmessage.Header{Truncated: true}, q))
	f.Add(packed(dnsmessage.Header{RCode: dnsmessage.RCodeNameError}, q, alias("myapp.example.com.", 5, "a.example.net.")))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, message []byte) {
		if len(message) >= 2 {
			message[0], message[1] = 0, 0
		}
		got, err := parseReply(message, 0, testName, dnsmessage.TypeA)
		if err != nil {
			return
		}
		if len(got.addresses) > addressesOf || got.ttl < 0 || got.ttl > ttlMax*time.Second {
			t.Errorf("reply = %+v", got)
		}
		for _, a := range got.addresses {
			if !a.Is4() {
				t.Errorf("address %v is not of the type asked for", a)
			}
		}
	})
}
