package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// A capability is base64url of 24 bytes, 32 characters without padding:
//
//	0  uint64  when it expires, seconds since 1970, big endian
//	8  16 × 8  the first half of HMAC-SHA256 over purpose, bytes 0 to 7, and the id
//
// 128 bits of the sum are enough: RFC 2104 §5 asks for half of it, at least 80.
const (
	stampBytes      = 8
	sumBytes        = 16
	capabilityBytes = stampBytes + sumBytes
)

// purpose keeps a sum that gives one right from being taken for another. Each ends
// in its only zero, so that none begins another.
type purpose string

const (
	media  purpose = "upscaled media capability 1\x00"
	ticket purpose = "upscaled ticket 1\x00"
)

// Signer makes and checks capabilities. One of a session is the right to watch and
// steer it until a time; one of a ticket, whose id is random, is the right to begin
// sessions until then. Its key lives and dies with the process, as sessions do.
type Signer struct {
	key [sha256.Size]byte
	ttl time.Duration
}

// NewSigner returns a Signer with a random key, whose capabilities last ttl.
func NewSigner(ttl time.Duration) *Signer {
	s := &Signer{ttl: ttl}
	_, _ = rand.Read(s.key[:]) // never fails: it ends the program instead
	return s
}

// Sign returns a capability for a session and when it expires. Signing again
// renews: earlier capabilities stay valid until their own time.
func (s *Signer) Sign(session string) (capability string, expires time.Time) {
	return s.sign(media, session)
}

// SignTicket returns a capability for a ticket and when it expires.
func (s *Signer) SignTicket(id string) (capability string, expires time.Time) {
	return s.sign(ticket, id)
}

func (s *Signer) sign(of purpose, id string) (capability string, expires time.Time) {
	expires = time.Now().Add(s.ttl).Truncate(time.Second)
	stamp := binary.BigEndian.AppendUint64(nil, uint64(expires.Unix()))
	return base64.RawURLEncoding.EncodeToString(append(stamp, s.sum(of, id, stamp)...)), expires
}

// Verify checks a capability of a session. It returns nil, ErrExpired, or
// ErrCapability; who holds no valid one is not told which part is wrong.
func (s *Signer) Verify(session, capability string) error {
	return s.verify(media, session, capability)
}

// VerifyTicket checks a capability of a ticket, as Verify does that of a session.
func (s *Signer) VerifyTicket(id, capability string) error { return s.verify(ticket, id, capability) }

func (s *Signer) verify(of purpose, id, capability string) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(capability)
	// The decoder skips line breaks, so the text's length is looked at, too.
	if err != nil || len(raw) != capabilityBytes || len(capability) != base64.RawURLEncoding.EncodedLen(capabilityBytes) {
		return ErrCapability
	}
	stamp := raw[:stampBytes]
	if !hmac.Equal(raw[stampBytes:], s.sum(of, id, stamp)) {
		return ErrCapability
	}
	if time.Now().Unix() >= int64(binary.BigEndian.Uint64(stamp)) {
		return ErrExpired
	}
	return nil
}

// sum signs. Purposes end by themselves and the stamp has a fixed length, so nothing
// can move between them and the id.
func (s *Signer) sum(of purpose, id string, stamp []byte) []byte {
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(of))
	mac.Write(stamp)
	mac.Write([]byte(id))
	return mac.Sum(nil)[:sumBytes]
}
