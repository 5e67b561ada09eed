//go:build linux

package main

import (
	"context"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"portico/bench/rig"
)

// publicKeyVerb makes this program measure cryptography: it runs itself, on the
// proxy's core.
const publicKeyVerb = "public-key"

// publicKey is what the operations of one handshake take in a server written in
// Go, in µs.
type publicKey struct{ Sign, KeyPair, Secret float64 }

func (p publicKey) sum() float64 { return p.Sign + p.KeyPair + p.Secret }

// boundOfHandshakes says how much of a handshake is what no proxy in Go can save.
func boundOfHandshakes(ctx context.Context, b *bench, a *arm) (string, error) {
	r := b.results[a.name][portico.row]
	if r == nil || len(r.samples) == 0 {
		return "", nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	out, err := job{at: b.seats.Proxy}.run(ctx, self, publicKeyVerb)
	if err != nil {
		return "", err
	}
	var p publicKey
	if err := json.Unmarshal(out, &p); err != nil {
		return "", fmt.Errorf("%s printed %q: %w", publicKeyVerb, out, err)
	}
	all := figure(r.samples)
	return fmt.Sprintf("what bounds it: public-key cryptography, in Go %.0f of portico's %.0f µs: "+
		"ECDSA P-256 signature %.0f, X25519 key pair %.0f, shared secret %.0f; the rest is key schedule, records and sockets",
		p.sum(), all, p.Sign, p.KeyPair, p.Secret), nil
}

// publicKeyMain measures and prints.
func publicKeyMain(out io.Writer) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	peer, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	hash := sha256.Sum256([]byte("certificate verify"))
	var p publicKey
	for _, o := range []struct {
		to *float64
		do func() error
	}{
		{&p.Sign, func() error { _, err := key.Sign(rand.Reader, hash[:], nil); return err }},
		{&p.KeyPair, func() error { _, err := ecdh.X25519().GenerateKey(rand.Reader); return err }},
		{&p.Secret, func() error { _, err := peer.ECDH(peer.PublicKey()); return err }},
	} {
		if *o.to, err = cpuOf(o.do); err != nil {
			return err
		}
	}
	return json.NewEncoder(out).Encode(p)
}

// cpuOf returns the CPU time of an operation in µs, of this whole process.
func cpuOf(do func() error) (float64, error) {
	const long = 300 * time.Millisecond
	self := []int{os.Getpid()}
	before, err := rig.Used(self)
	if err != nil {
		return 0, err
	}
	times := int64(0)
	for began := time.Now(); time.Since(began) < long; times++ {
		if err := do(); err != nil {
			return 0, err
		}
	}
	after, err := rig.Used(self)
	if err != nil {
		return 0, err
	}
	return per((after.CPU-before.CPU).Seconds()*1e6, times), nil
}
