package source

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Hosts is a list of hosts that may be spoken to, by the rules by which films are
// fetched: the host of a URL must be listed, and the address that is really dialled
// must be one that its entry permits.
type Hosts struct{ listed hosts }

// NewHosts reads a list. Errors name the entry.
func NewHosts(list []string) (Hosts, error) {
	listed, err := parseHosts(list)
	return Hosts{listed}, err
}

// Check refuses what is no http or https URL of a listed host. Where its name leads
// is seen when it is dialled. Errors are Errors.
func (h Hosts) Check(text string) (*url.URL, error) {
	n, err := parse(text)
	if err != nil {
		return nil, err
	}
	if n.url == nil {
		return nil, fail(CodeRefused, nil, "it is no http or https URL")
	}
	return n.url, h.listed.checkHost(n.url)
}

// Transport returns a transport that dials listed hosts alone, through no proxy, and
// bounds each connection, handshake and head of an answer by a time.
func (h Hosts) Transport(bound time.Duration, trust *tls.Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return h.listed.dial(ctx, network, address, bound)
		},
		TLSClientConfig: trust, TLSHandshakeTimeout: bound, ResponseHeaderTimeout: bound, DisableKeepAlives: true,
		MaxResponseHeaderBytes: 64 << 10, Protocols: &protocols,
	}
}
