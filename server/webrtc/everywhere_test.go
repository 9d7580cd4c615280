package webrtc

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// candidates returns the addresses that an answer tells, in the order of their letters.
func candidates(answer string) (all []string) {
	for line := range strings.Lines(answer) {
		if of, ok := strings.CutPrefix(line, "a=candidate:"); ok {
			if address := strings.Fields(of)[4]; !slices.Contains(all, address) {
				all = append(all, address)
			}
		}
	}
	slices.Sort(all)
	return all
}

// TestAddressesAreThoseOfTheMoment has a machine get its addresses when the server runs already.
func TestAddressesAreThoseOfTheMoment(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0"} { // both are of both versions, as for HTTP
		t.Run(listen, func(t *testing.T) {
			s := serve(t, func(o *Options) { o.Listen = netip.MustParseAddrPort(listen) })
			var own []netip.Addr
			s.mu.Lock()
			at := s.network.mux.(everywhere)
			at.addresses = func() ([]netip.Addr, error) { return own, nil }
			s.network.mux = at
			s.mu.Unlock()
			c := newClient(t)
			c.receives(webrtc.RTPCodecTypeVideo)
			offer := c.offer()
			if _, err := s.send(t.Context(), "film", offer, opened(newReel(nil), Media{})); !errors.Is(err, ErrPorts) {
				t.Error(err)
			}
			for _, ip := range []string{"127.0.0.1", "::1", "fe80::7", "192.0.2.7", "169.254.1.1", "2001:db8::7"} {
				own = append(own, netip.MustParseAddr(ip))
			}
			want := []string{"169.254.1.1", "192.0.2.7", "2001:db8::7"}
			if at.at.IP.To4() != nil { // the machine has no IPv6
				want = want[:2]
			}
			answer, err := s.send(t.Context(), "film", offer, opened(newReel(nil), Media{}))
			must(t, err)
			if got := candidates(answer.SDP); !slices.Equal(got, want) {
				t.Errorf("%v and not %v", got, want)
			}
			must(t, s.HangUp(t.Context(), "film", answer.Peer))
		})
	}
}
