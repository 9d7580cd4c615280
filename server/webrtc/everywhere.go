package webrtc

import (
	"net"
	"net/netip"

	"github.com/pion/ice/v4"
)

// everywhere is a port at all addresses that the machine has when it is asked. Pion's own mux has those of the moment at
// which it was made, which are none but loopback where the server starts before the network.
type everywhere struct {
	ice.UDPMux
	at        *net.UDPAddr // of the socket, unspecified
	addresses func() ([]netip.Addr, error)
}

// GetListenAddresses implements ice.UDPMux. Loopback is left out, which pion does of its own mux alone, and what other
// machines do not reach either: addresses of IPv6 that are of one link.
func (e everywhere) GetListenAddresses() (all []net.Addr) {
	found, _ := e.addresses() // where there is an error there are none, and that is told
	for _, a := range found {
		if a.IsLoopback() || a.Is6() && (e.at.IP.To4() != nil || !a.IsGlobalUnicast()) {
			continue
		}
		all = append(all, &net.UDPAddr{IP: a.AsSlice(), Port: e.at.Port})
	}
	return all
}

// ownAddresses returns the addresses of all interfaces that are up.
func ownAddresses() (all []netip.Addr, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range interfaces {
		addresses, err := i.Addrs()
		if err != nil || i.Flags&net.FlagUp == 0 {
			continue // one that goes away just now says nothing of the others
		}
		for _, a := range addresses {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				all = append(all, prefix.Addr().Unmap())
			}
		}
	}
	return all, nil
}
