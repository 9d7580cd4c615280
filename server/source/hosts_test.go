package source

import (
	"net/netip"
	"net/url"
	"testing"
)

func TestHosts(t *testing.T) {
	t.Parallel()
	h, err := parseHosts([]string{
		"films.test", "Alt.Test.:8443", "*.wild.test", "*.port.test:81", "192.0.2.7:8096", "[2001:db8::1]", "2001:db8::2",
		"[::ffff:10.0.0.1]:90", "localhost:8080", "under_score.test",
	})
	if err != nil {
		t.Fatal(err)
	}
	for rawURL, want := range map[string]bool{
		"http://films.test/": true, "https://FILMS.test./": true, "http://films.test:80/": true, "http://films.test:443/": true,
		"http://films.test:81/": false, "http://a.films.test/": false, "http://xfilms.test/": false, "http://films.test.evil/": false,
		"http://films.test@evil.test/": false, "http://evil.test/films.test": false,
		"http://alt.test:8443/": true, "http://alt.test:08443/": true, "http://alt.test/": false, "https://alt.test/": false,
		"http://a.wild.test/": true, "http://a.b.wild.test/": true, "http://wild.test/": false, "http://awild.test/": false,
		"http://a.port.test:81/": true, "http://a.port.test/": false,
		"http://192.0.2.7:8096/": true, "http://192.0.2.7/": false, "http://[::ffff:192.0.2.7]:8096/": true,
		"http://[2001:db8:0::1]/": true, "http://[2001:db8::2]/": true, "http://[2001:db8::1]:81/": false,
		"http://10.0.0.1:90/": true, "http://10.1:90/": false, "http://167772161:90/": false, "http://0x0a000001:90/": false,
		"http://localhost:8080/": true, "http://under_score.test/": true, "http://films.test:99999/": false, "http://films.test:0/": false,
	} {
		u, err := url.Parse(rawURL)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.checkHost(u); (err == nil) != want || err != nil && CodeOf(err) != CodeRefused {
			t.Errorf("%s: %v", rawURL, err)
		}
	}
	for _, bad := range []string{
		"", "*", "*.", "*.test", "a b", "films.test/", "http://films.test", "films.test:", "films.test:0", "films.test:65536", "films.test:a",
		":80", "[::1", "::1]", "*.10.0.0.1", "fïlms.test", "a..test", "*.*.test", "10.0.0.0/8", "me@films.test", "[::1]:x",
	} {
		if entries, err := parseHosts([]string{bad}); err == nil {
			t.Errorf("%q was taken as %+v", bad, entries)
		}
	}
}

// TestAddresses holds which addresses a host may resolve to, by how it is listed.
func TestAddresses(t *testing.T) {
	t.Parallel()
	h, err := parseHosts([]string{"nas.test", "*.wild.test", "localhost", "meta.test", "169.254.1.1", "127.0.0.5:80"})
	if err != nil {
		t.Fatal(err)
	}
	named, wild, here := []string{"nas.test"}, []string{"a.wild.test"}, []string{"localhost"}
	for _, row := range []struct {
		hosts     []string
		addresses []string
		want      bool
	}{
		{named, []string{"1.1.1.1", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"}, true},
		{wild, []string{"1.1.1.1", "2606:4700::1111"}, true},
		{named, []string{"10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"}, true},
		{wild, []string{"10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fd00::1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1"}, false},
		{append(named, wild...), []string{"127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "169.254.169.254", "fe80::1", "fe80::1%eth0"}, false},
		{append(append(named, wild...), here...), []string{
			"0.0.0.0", "::", "224.0.0.1", "255.255.255.255", "240.0.0.1", "ff02::1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.0.0.1",
			"2001:db8::1", "2002:7f00:1::", "2001::1", "64:ff9b:1::7f00:1", "::7f00:1", "::ffff:0:7f00:1",
		}, false},
		{here, []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"}, true},
		{here, []string{"169.254.169.254"}, false},
		{append(named, wild...), []string{"169.254.1.1", "127.0.0.5"}, true}, // listed themselves
	} {
		for _, host := range row.hosts {
			p, listed := h.permit(host, 80)
			if !listed {
				t.Fatalf("%s is not listed", host)
			}
			for _, address := range row.addresses {
				if got := h.allows(p, netip.AddrPortFrom(netip.MustParseAddr(address), 80)); got != row.want {
					t.Errorf("%s at %s: %v", host, address, got)
				}
			}
		}
	}
	p, _ := h.permit("nas.test", 443)
	if h.allows(p, netip.MustParseAddrPort("127.0.0.5:443")) {
		t.Error("an address is allowed on another port than it is listed with")
	}
	for _, s := range special {
		if s.prefix != s.prefix.Masked() {
			t.Errorf("%v has bits behind its mask", s.prefix)
		}
	}
}

func FuzzParseHost(f *testing.F) {
	for _, seed := range []string{"films.test:80", "*.films.test", "[::1]:80", "::1", "10.0.0.1", "*.a:b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHosts([]string{text})
		if err != nil {
			return
		}
		// What was taken lists something: itself, or what is below it.
		host, port := h[0].name, h[0].port
		if h[0].wild {
			host = "below." + host
		}
		if port == 0 {
			port = 443
		}
		if _, listed := h.permit(host, port); !listed {
			t.Errorf("%q lists nothing: %+v", text, h)
		}
	})
}
