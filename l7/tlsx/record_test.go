package tlsx_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// Types of records and messages (RFC 8446, sections 4 and 5.1).
const (
	recordAlert       = 21
	recordHandshake   = 22
	recordApplication = 23
	messageKeyUpdate  = 24
)

// sealer is one direction of a TLS 1.3 connection with TLS_AES_128_GCM_SHA256:
// it writes and reads records that crypto/tls would not of its own accord.
type sealer struct {
	t      *testing.T
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// newSealer takes the secret that a key log says of one direction.
func newSealer(t *testing.T, log, label string) *sealer {
	t.Helper()
	for line := range strings.Lines(log) {
		words := strings.Fields(line)
		if len(words) == 3 && words[0] == label {
			secret, err := hex.DecodeString(words[2])
			if err != nil {
				t.Fatal(err)
			}
			s := &sealer{t: t, secret: secret}
			s.derive()
			return s
		}
	}
	t.Fatalf("no %s in the key log", label)
	return nil
}

// expand is HKDF-Expand-Label (RFC 8446, section 7.1).
func (s *sealer) expand(label string, length int) []byte {
	info := binary.BigEndian.AppendUint16(nil, uint16(length))
	label = "tls13 " + label
	info = append(append(info, byte(len(label))), label...)
	out, err := hkdf.Expand(sha256.New, s.secret, string(append(info, 0)), length)
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

// derive makes the key and the nonce of the secret (section 7.3).
func (s *sealer) derive() {
	block, err := aes.NewCipher(s.expand("key", 16))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.aead, err = cipher.NewGCM(block); err != nil {
		s.t.Fatal(err)
	}
	s.iv, s.seq = s.expand("iv", 12), 0
}

// update goes on to the next secret (section 7.2).
func (s *sealer) update() {
	s.secret = s.expand("traffic upd", len(s.secret))
	s.derive()
}

func (s *sealer) nonce() []byte {
	n := bytes.Clone(s.iv)
	for i := range 8 {
		n[4+i] ^= byte(s.seq >> (56 - 8*i))
	}
	s.seq++
	return n
}

// seal makes a record (section 5.2).
func (s *sealer) seal(kind byte, content []byte) []byte {
	inner := append(bytes.Clone(content), kind)
	head := binary.BigEndian.AppendUint16([]byte{recordApplication, 3, 3}, uint16(len(inner)+s.aead.Overhead()))
	return s.aead.Seal(bytes.Clone(head), s.nonce(), inner, head)
}

// keyUpdate makes the message that is the last under its key (section 4.6.3).
func (s *sealer) keyUpdate(requested bool) []byte {
	message := []byte{messageKeyUpdate, 0, 0, 1, 0}
	if requested {
		message[4] = 1
	}
	record := s.seal(recordHandshake, message)
	s.update()
	return record
}

// open reads all records of b, and says what they are, one word each.
func (s *sealer) open(b []byte) string {
	var words []string
	for len(b) > 0 {
		if len(b) < 5 || len(b) < 5+int(binary.BigEndian.Uint16(b[3:])) {
			return strings.Join(append(words, "half a record"), " ")
		}
		n := 5 + int(binary.BigEndian.Uint16(b[3:]))
		plain, err := s.aead.Open(nil, s.nonce(), b[5:n], b[:5])
		if err != nil {
			return strings.Join(append(words, "another key"), " ")
		}
		b = b[n:]
		plain = bytes.TrimRight(plain, "\x00")
		content, kind := plain[:len(plain)-1], plain[len(plain)-1]
		switch {
		case kind == recordApplication:
			words = append(words, string(content))
		case kind == recordAlert && len(content) == 2:
			words = append(words, fmt.Sprintf("alert:%d", content[1]))
		case kind == recordHandshake && len(content) == 5 && content[0] == messageKeyUpdate:
			words = append(words, fmt.Sprintf("update:%d", content[4]))
			s.update()
		default:
			words = append(words, fmt.Sprintf("record:%d", kind))
		}
	}
	return strings.Join(words, " ")
}
