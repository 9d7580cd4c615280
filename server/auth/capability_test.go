package auth

import (
	"encoding/base64"
	"errors"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCapability(t *testing.T) {
	s := NewSigner(time.Hour)
	capability, expires := s.Sign("film")
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{32}$`).MatchString(capability) {
		t.Errorf("%q does not fit into a URL", capability)
	}
	if left := time.Until(expires); left < 58*time.Minute || left > time.Hour {
		t.Errorf("expires in %v", left)
	}
	if err := s.Verify("film", capability); err != nil {
		t.Error(err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(capability)
	if err != nil {
		t.Fatal(err)
	}
	longer := append([]byte(nil), raw...)
	longer[stampBytes-2]++ // some 65536 seconds more
	for name, err := range map[string]error{
		"another session":    s.Verify("films", capability),
		"no session":         s.Verify("", capability),
		"another process":    NewSigner(time.Hour).Verify("film", capability),
		"nothing":            s.Verify("film", ""),
		"a later time":       s.Verify("film", base64.RawURLEncoding.EncodeToString(longer)),
		"a part":             s.Verify("film", capability[:31]),
		"more":               s.Verify("film", capability+"AAAA"),
		"a line break in it": s.Verify("film", capability[:8]+"\n"+capability[8:]),
		"padding":            s.Verify("film", capability+"="),
		"other letters":      s.Verify("film", strings.Repeat("*", 32)),
	} {
		if !errors.Is(err, ErrCapability) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range raw { // each byte counts
		bent := append([]byte(nil), raw...)
		bent[i] ^= 1
		if err := s.Verify("film", base64.RawURLEncoding.EncodeToString(bent)); !errors.Is(err, ErrCapability) {
			t.Errorf("byte %d bent: %v", i, err)
		}
	}
}

func TestCapabilityExpiresAndIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSigner(time.Minute)
		first, expires := s.Sign("film")
		<-time.After(time.Until(expires) - time.Nanosecond)
		if err := s.Verify("film", first); err != nil {
			t.Errorf("before its time: %v", err)
		}
		second, _ := s.Sign("film")
		<-time.After(time.Nanosecond)
		if err := s.Verify("film", first); !errors.Is(err, ErrExpired) {
			t.Errorf("after its time: %v", err)
		}
		if err := s.Verify("other", first); !errors.Is(err, ErrCapability) {
			t.Errorf("of another session, after its time: %v", err)
		}
		if err := s.Verify("film", second); err != nil {
			t.Errorf("renewed: %v", err)
		}
	})
}

func FuzzCapability(f *testing.F) {
	s := NewSigner(time.Hour)
	good, _ := s.Sign("film")
	f.Add("film", good)
	f.Add("film", good[:8]+"\n"+good[8:])
	f.Add("film", "")
	f.Add("", strings.Repeat("A", 32))
	f.Fuzz(func(t *testing.T, session, capability string) {
		err := s.Verify(session, capability)
		if genuine := session == "film" && capability == good; genuine != (err == nil) {
			t.Errorf("%q of %q: %v", capability, session, err)
		}
	})
}
