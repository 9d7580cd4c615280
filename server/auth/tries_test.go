package auth

import (
	"encoding/binary"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"
)

func wrong() bool { return false }
func right() bool { return true }

func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr tries
		addr := netip.MustParseAddr("192.0.2.1")
		for i := range tryBurst {
			if _, wait := tr.attempt(addr, wrong); wait != 0 {
				t.Fatalf("try %d must wait %v", i, wait)
			}
		}
		if ok, wait := tr.attempt(addr, right); ok || wait != tryInterval {
			t.Errorf("after all wrong tries even the right one must wait: %v, %v", ok, wait)
		}
		if ok, _ := tr.attempt(netip.MustParseAddr("192.0.2.2"), right); !ok {
			t.Error("another address must wait, too")
		}
		<-time.After(tryInterval)
		if ok, wait := tr.attempt(addr, right); !ok {
			t.Errorf("still waiting %v", wait)
		}
		if _, wait := tr.attempt(addr, wrong); wait != 0 {
			t.Errorf("one is forgiven, yet it waits %v", wait)
		}
		if _, wait := tr.attempt(addr, wrong); wait != tryInterval {
			t.Errorf("only one is forgiven, yet it waits %v", wait)
		}
		<-time.After(tryBurst * tryInterval)
		for i := range tryBurst {
			if _, wait := tr.attempt(addr, wrong); wait != 0 {
				t.Errorf("all forgiven, yet try %d waits %v", i, wait)
			}
		}
	})
}

func TestRightTriesCostNothing(t *testing.T) {
	var tr tries
	for range 10 * tryBurst {
		if ok, _ := tr.attempt(netip.MustParseAddr("192.0.2.1"), right); !ok {
			t.Fatal("refused")
		}
	}
	if len(tr.forgiven) != 0 {
		t.Errorf("%d addresses kept", len(tr.forgiven))
	}
}

func TestTriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tr tries
		worst := netip.MustParseAddr("192.0.2.1")
		for range tryBurst {
			tr.attempt(worst, wrong)
		}
		for i := range 2 * maxAddresses {
			var b [4]byte
			binary.BigEndian.PutUint32(b[:], 0x0a000000+uint32(i))
			tr.attempt(netip.AddrFrom4(b), wrong)
		}
		if len(tr.forgiven) > maxAddresses {
			t.Errorf("%d addresses kept", len(tr.forgiven))
		}
		if _, wait := tr.attempt(worst, wrong); wait == 0 {
			t.Error("the one with most against it was forgotten")
		}
		<-time.After(tryBurst * tryInterval)
		tr.attempt(netip.MustParseAddr("198.51.100.1"), wrong)
		if len(tr.forgiven) != 1 {
			t.Errorf("%d addresses kept after all were forgiven", len(tr.forgiven))
		}
	})
}

func TestHouseholdsOfIPv6(t *testing.T) {
	var tr tries
	for range tryBurst {
		tr.attempt(netip.MustParseAddr("2001:db8::1"), wrong)
	}
	if _, wait := tr.attempt(netip.MustParseAddr("2001:db8::ffff:1"), wrong); wait == 0 {
		t.Error("another address of the same /64 may try on")
	}
	if _, wait := tr.attempt(netip.MustParseAddr("2001:db8:0:1::1"), wrong); wait != 0 {
		t.Error("another /64 must wait, too")
	}
}

func TestRemote(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                {"192.0.2.1:5", nil, "192.0.2.1"},
		"a liar":                  {"192.0.2.1:5", []string{"198.51.100.1"}, "192.0.2.1"},
		"a proxy":                 {"127.0.0.1:5", []string{"198.51.100.1"}, "198.51.100.1"},
		"a proxy and a liar":      {"127.0.0.1:5", []string{"203.0.113.1, 198.51.100.1"}, "198.51.100.1"},
		"two proxies":             {"127.0.0.1:5", []string{"203.0.113.1, 198.51.100.1", "10.1.1.1"}, "198.51.100.1"},
		"nonsense":                {"127.0.0.1:5", []string{"198.51.100.1, unknown"}, "127.0.0.1"},
		"a proxy that says none":  {"127.0.0.1:5", nil, "127.0.0.1"},
		"IPv4 in IPv6":            {"[::ffff:192.0.2.1]:5", nil, "192.0.2.1"},
		"a zone":                  {"[fe80::1%eth0]:5", nil, "fe80::1"},
		"a socket without a name": {"@", []string{"198.51.100.1"}, "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded}}
		if got := remote(r, proxies).String(); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func FuzzRemote(f *testing.F) {
	f.Add("127.0.0.1:5", "203.0.113.1, 198.51.100.1")
	f.Add("[::1%lo]:5", ",")
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		all := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
		household(remote(r, all))
		if got, alone := remote(r, nil), remote(&http.Request{RemoteAddr: peer}, nil); got != alone {
			t.Errorf("a stranger's header was believed: %v", got)
		}
	})
}
