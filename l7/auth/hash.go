package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// What a hash may cost: a client makes us pay it with every wrong password.
const (
	bcryptCostMax   = 16        // about 5 s
	argonMemoryMax  = 256 << 10 // KiB
	argonTimeMax    = 32
	argonThreadsMax = 16
)

// hash is a password as it is stored.
type hash interface {
	// is reports whether a password is the one that was hashed, in time that does
	// not depend on how much of it is right.
	is(password []byte) bool
}

// parseHash reads a hash in the form its algorithm is told by.
func parseHash(encoded string) (hash, error) {
	kind, _, _ := strings.Cut(strings.TrimPrefix(encoded, "$"), "$")
	switch {
	case !strings.HasPrefix(encoded, "$"):
	case kind == "2a" || kind == "2b" || kind == "2y":
		return parseBcrypt(encoded)
	case kind == "argon2id":
		return parseArgon(encoded)
	case kind == "5":
		return parseSHACrypt(encoded, sha256Crypt)
	case kind == "6":
		return parseSHACrypt(encoded, sha512Crypt)
	}
	return nil, errors.New("the hash is of no kind that is known; use bcrypt (htpasswd -B), argon2id, or SHA-crypt (openssl passwd -6)")
}

type bcryptHash []byte

func parseBcrypt(encoded string) (hash, error) {
	cost, err := bcrypt.Cost([]byte(encoded))
	switch {
	case err != nil || len(encoded) != 60:
		return nil, errors.New("this is not a whole bcrypt hash")
	case cost > bcryptCostMax:
		return nil, fmt.Errorf("the cost of the bcrypt hash is %d; at most %d is allowed", cost, bcryptCostMax)
	}
	return bcryptHash(encoded), nil
}

func (h bcryptHash) is(password []byte) bool {
	return bcrypt.CompareHashAndPassword(h, password) == nil
}

// argonHash is an argon2id hash (RFC 9106), in the PHC string format.
type argonHash struct {
	salt, sum    []byte
	time, memory uint32
	threads      uint8
}

func parseArgon(encoded string) (hash, error) {
	bad := errors.New("this is not an argon2id hash; it reads $argon2id$v=19$m=65536,t=3,p=4$salt$hash")
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[2] != "v=19" {
		return nil, bad
	}
	var h argonHash
	var rest string
	if n, _ := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d%s", &h.memory, &h.time, &h.threads, &rest); n != 3 {
		return nil, bad
	}
	var errSalt, errSum error
	h.salt, errSalt = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.sum, errSum = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	switch {
	case errSalt != nil || errSum != nil || len(h.salt) < 8 || len(h.sum) < 16 || len(h.sum) > 64:
		return nil, bad
	case h.time < 1 || h.time > argonTimeMax || h.memory < 8 || h.memory > argonMemoryMax || h.threads < 1 || h.threads > argonThreadsMax:
		return nil, fmt.Errorf("argon2id with %s is out of range; at most m=%d,t=%d,p=%d is allowed",
			parts[3], argonMemoryMax, argonTimeMax, argonThreadsMax)
	}
	return h, nil
}

func (h argonHash) is(password []byte) bool {
	sum := argon2.IDKey(password, h.salt, h.time, h.memory, h.threads, uint32(len(h.sum)))
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
