package source

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// hosts is the list of hosts that may be read from. Its entries are
//
//	media.example.org       a name, on the ports of http, https, rtsp and rtsps
//	media.example.org:8443  on that port alone
//	*.example.org           every name below it, not itself; public addresses only
//	192.0.2.7:8096, [2001:db8::1]
//
// A name that is listed by itself may be that of a private network's address.
// Loopback and link-local addresses, behind which this machine and a cloud's
// metadata lie, are dialled only where the address or "localhost" is listed.
type hosts []hostEntry

type hostEntry struct {
	name string // lower case, without a dot at the end; an address in its shortest form
	wild bool   // and every name below
	port uint16 // 0: those of the schemes
}

// parseHosts reads the list. Errors name the entry.
func parseHosts(list []string) (hosts, error) {
	all := make(hosts, 0, len(list))
	for _, text := range list {
		entry, err := parseHost(text)
		if err != nil {
			return nil, fmt.Errorf("hosts: %w (got %q)", err, text)
		}
		all = append(all, entry)
	}
	return all, nil
}

func parseHost(text string) (hostEntry, error) {
	var entry hostEntry
	if strings.Contains(text, "/") {
		return entry, fmt.Errorf("must be a host or host:port, without a scheme or a path")
	}
	rest, wild := strings.CutPrefix(text, "*.")
	entry.wild = wild
	if bracketed := strings.HasPrefix(rest, "["); strings.Count(rest, ":") == 1 || bracketed && !strings.HasSuffix(rest, "]") {
		host, port, err := net.SplitHostPort(rest)
		if err != nil {
			return entry, fmt.Errorf("must be a host or host:port")
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return entry, fmt.Errorf("must have a port between 1 and 65535")
		}
		rest, entry.port = host, uint16(n)
	} else if bracketed {
		rest = rest[1 : len(rest)-1]
	}
	entry.name = canonical(rest)
	if _, err := netip.ParseAddr(entry.name); err == nil {
		if wild {
			return entry, fmt.Errorf("must not have a wildcard before an address")
		}
		return entry, nil
	}
	if !isName(entry.name) || wild && !strings.Contains(entry.name, ".") {
		return entry, fmt.Errorf("must be the name or the address of a host, or *. and a domain")
	}
	return entry, nil
}

// canonical returns a host's name as entries hold it.
func canonical(host string) string {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().String()
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// isName reports whether name is of letters, digits, hyphens, underscores and
// dots, none of them empty between two (RFC 1123 §2.1, and what people use).
func isName(name string) bool {
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}

// permit returns what addresses a host may have, by the entries that list it on
// that port; false when none does.
func (h hosts) permit(host string, port uint16) (permission, bool) {
	host = canonical(host)
	var p permission
	for _, entry := range h {
		if !entry.opens(port) {
			continue
		}
		switch {
		case entry.name == host && !entry.wild:
			p.listed, p.private = true, true
			p.loopback = p.loopback || host == "localhost"
		case entry.wild && strings.HasSuffix(host, "."+entry.name):
			p.listed = true
		}
	}
	return p, p.listed
}

// lists reports whether an address itself is an entry.
func (h hosts) lists(to netip.AddrPort) bool {
	return slices.ContainsFunc(h, func(entry hostEntry) bool {
		return entry.opens(to.Port()) && !entry.wild && entry.name == to.Addr().Unmap().String()
	})
}

func (e hostEntry) opens(port uint16) bool {
	if e.port != 0 {
		return e.port == port
	}
	for _, usual := range ports {
		if port == usual {
			return true
		}
	}
	return false
}

// ports are those of the schemes that sources may have, when a URL names none.
var ports = map[string]uint16{"http": 80, "https": 443, "rtsp": 554, "rtsps": 322}

// checkHost refuses a URL whose host is not listed.
func (h hosts) checkHost(u *url.URL) error {
	host, port := u.Hostname(), portOf(u)
	if _, listed := h.permit(host, port); listed {
		return nil
	}
	return fail(CodeRefused, nil, "the host %s may not be read from; it must be in the server's list of hosts",
		net.JoinHostPort(host, strconv.Itoa(int(port))))
}

// portOf returns the port of a URL, 0 when it is none.
func portOf(u *url.URL) uint16 {
	if u.Port() == "" {
		return ports[u.Scheme]
	}
	port, _ := strconv.ParseUint(u.Port(), 10, 16)
	return uint16(port)
}
