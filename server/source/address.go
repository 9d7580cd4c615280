package source

import (
	"context"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"
)

// reach says how far an address reaches.
type reach int

const (
	public   reach = iota
	private        // of a network that this machine is in
	loopback       // this machine
	local          // of a link: routers' and clouds' own services
	never          // nothing that a film lies on: multicast, unspecified, reserved
)

// special are the addresses that are not public: the IANA registries of
// special-purpose addresses for IPv4 and IPv6 (RFC 6890). IPv6 prefixes that stand
// for an IPv4 address that a gateway dials are here too, but for the usual one of
// NAT64, which reachOf looks into. The first that holds an address decides.
var special = []struct {
	prefix netip.Prefix
	reach  reach
}{
	{netip.MustParsePrefix("10.0.0.0/8"), private},
	{netip.MustParsePrefix("172.16.0.0/12"), private},
	{netip.MustParsePrefix("192.168.0.0/16"), private},
	{netip.MustParsePrefix("100.64.0.0/10"), private}, // RFC 6598; also of private overlays
	{netip.MustParsePrefix("fc00::/7"), private},
	{netip.MustParsePrefix("127.0.0.0/8"), loopback},
	{netip.MustParsePrefix("::1/128"), loopback},
	{netip.MustParsePrefix("169.254.0.0/16"), local},
	{netip.MustParsePrefix("fe80::/10"), local},
	{netip.MustParsePrefix("fec0::/10"), local},
	{netip.MustParsePrefix("0.0.0.0/8"), never}, // Linux dials 0.0.0.0 as 127.0.0.1
	{netip.MustParsePrefix("192.0.0.0/24"), never},
	{netip.MustParsePrefix("192.0.2.0/24"), never},
	{netip.MustParsePrefix("192.88.99.0/24"), never},
	{netip.MustParsePrefix("198.18.0.0/15"), private}, // RFC 2544; test beds use it as their own
	{netip.MustParsePrefix("198.51.100.0/24"), never},
	{netip.MustParsePrefix("203.0.113.0/24"), never},
	{netip.MustParsePrefix("224.0.0.0/3"), never},
	{netip.MustParsePrefix("::/96"), never},           // unspecified, and the old compatible form
	{netip.MustParsePrefix("::ffff:0:0:0/96"), never}, // RFC 7915's translated form
	{netip.MustParsePrefix("64:ff9b:1::/48"), never},  // RFC 8215
	{netip.MustParsePrefix("100::/64"), never},
	{netip.MustParsePrefix("2001::/23"), never}, // Teredo, ORCHID and others
	{netip.MustParsePrefix("2001:db8::/32"), never},
	{netip.MustParsePrefix("2002::/16"), never}, // 6to4
	{netip.MustParsePrefix("3fff::/20"), never},
	{netip.MustParsePrefix("5f00::/16"), never},
	{netip.MustParsePrefix("ff00::/8"), never},
}

// nat64 is the prefix behind which RFC 6052 puts IPv4 addresses.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func reachOf(addr netip.Addr) reach {
	addr = addr.Unmap().WithZone("")
	if nat64.Contains(addr) {
		b := addr.As16()
		addr = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, s := range special {
		if s.prefix.Contains(addr) {
			return s.reach
		}
	}
	return public
}

// permission is what addresses a host may have.
type permission struct {
	listed, private, loopback bool
}

// allows reports whether an address that a host resolved to may be dialled.
func (h hosts) allows(p permission, to netip.AddrPort) bool {
	switch reachOf(to.Addr()) {
	case public:
		return p.listed
	case private:
		return p.private || h.lists(to)
	case loopback:
		return p.loopback || h.lists(to)
	case local:
		return h.lists(to)
	default:
		return false
	}
}

// dial connects to a listed host. The check is made on the very address that is
// about to be connected to, after the name was resolved and before the first
// packet: a name that resolves to another address a moment later gains nothing.
func (h hosts) dial(ctx context.Context, network, address string, timeout time.Duration) (net.Conn, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, _ := strconv.ParseUint(portText, 10, 16)
	p, listed := h.permit(host, uint16(port))
	if !listed {
		return nil, fail(CodeRefused, nil, "the host %s may not be read from; it must be in the server's list of hosts", address)
	}
	dialer := net.Dialer{Timeout: timeout, Control: func(_, resolved string, _ syscall.RawConn) error {
		if to, err := netip.ParseAddrPort(resolved); err != nil || !h.allows(p, to) {
			return fail(CodeRefused, nil, "the host %s has an address that may not be read from; "+
				"it is not public, and must itself be in the server's list of hosts", address)
		}
		return nil
	}}
	return dialer.DialContext(ctx, network, address)
}
