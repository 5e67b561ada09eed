package sticky

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"
)

const (
	// KeyMin is how many bytes a key must have at least: as many as its signature.
	KeyMin = macLen
	// keysMax bounds how many keys are tried on one cookie.
	keysMax = 8
)

// Keys sign and verify cookies. They are safe for use by several goroutines.
type Keys struct{ pools []*sync.Pool }

// NewKeys takes the secrets: the first signs, all verify. There must be at least
// one; those after the eighth are not used.
func NewKeys(secrets ...[]byte) *Keys {
	k := &Keys{}
	for _, secret := range secrets[:min(len(secrets), keysMax)] {
		k.pools = append(k.pools, &sync.Pool{New: func() any {
			return &signer{mac: hmac.New(sha256.New, secret)}
		}})
	}
	return k
}

// signer is the state of one signature, reused so that signing does not allocate.
type signer struct {
	mac     hash.Hash
	payload [payloadLen]byte // a copy, so that the caller's may stay on its stack
	sum     [sha256.Size]byte
}

// sign writes the signature of a payload in a context to mac.
func (k *Keys) sign(key int, context, payload, mac []byte) {
	s := k.pools[key].Get().(*signer)
	s.mac.Reset()
	s.mac.Write(context)
	copy(s.payload[:], payload)
	s.mac.Write(s.payload[:])
	s.mac.Sum(s.sum[:0])
	copy(mac, s.sum[:])
	k.pools[key].Put(s)
}

// verify reports whether any key signed the payload in the context.
func (k *Keys) verify(context, payload, mac []byte) bool {
	good := 0
	for i := range k.pools {
		var want [macLen]byte
		k.sign(i, context, payload, want[:])
		good |= subtle.ConstantTimeCompare(want[:], mac)
	}
	return good == 1
}
