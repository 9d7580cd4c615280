package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// remote returns the address that a request comes from. Where the peer is one of
// the proxies, that is the last address in X-Forwarded-For that is none: what
// stands before it was written by the client and may be anything.
func remote(r *http.Request, proxies []netip.Prefix) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // the zero Addr on a socket without addresses
	addr := peer.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(addr) }) {
			break
		}
		before, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		addr = before.Unmap().WithZone("")
	}
	return addr
}
