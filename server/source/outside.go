package source

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Outside is the network as sources may reach it, for those that are no films: live streams. Every connection of
// it is to a host that is listed, at an address that the entry permits, also behind a redirect and whatever a
// playlist names.
type Outside struct {
	hosts  hosts
	limits Limits
	trust  *tls.Config
}

// Outside returns the network that Open fetches from.
func (o *Opener) Outside() *Outside {
	return &Outside{hosts: o.hosts, limits: o.limits, trust: o.trust}
}

// Patience is how long a server may take to connect, to answer, and between two bytes.
func (o *Outside) Patience() time.Duration { return o.limits.Idle }

// Trust is what certificates are checked with; nil is the system's.
func (o *Outside) Trust() *tls.Config { return o.trust }

// Check refuses a URL whose host is not listed, before anything is dialled. The port of rtsp and rtsps is known.
func (o *Outside) Check(u *url.URL) error { return o.hosts.checkHost(u) }

// Dial connects to a listed host.
func (o *Outside) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return o.hosts.dial(ctx, network, address, o.limits.Header)
}

// Client returns a client with connections of its own, which its CloseIdleConnections ends. An answer's head must
// come within the limits; how long its body may take is the caller's to say. Errors wrap an Error where a host is
// refused or does not answer.
func (o *Outside) Client() *http.Client {
	transport := newTransport(o.hosts, o.limits, o.trust)
	transport.ResponseHeaderTimeout = o.limits.Header
	return &http.Client{Transport: transport, CheckRedirect: o.redirect}
}

// redirect permits a redirect as films' are. Who is redirected to is not told by whom:
// the URL may hold a secret.
func (o *Outside) redirect(to *http.Request, before []*http.Request) error {
	to.Header.Del("Referer")
	from := before[len(before)-1].URL
	name := name{url: from}.public()
	switch err := checkURL(to.URL); {
	case len(before) > o.limits.Redirects:
		return fail(CodeUnreadable, nil, "%q redirects more than %d times", name, o.limits.Redirects)
	case err != nil:
		return fail(CodeRefused, err, "%q redirects to what is no http or https URL", name)
	case from.Scheme == "https" && to.URL.Scheme == "http":
		return fail(CodeRefused, nil, "%q redirects from https to http, which is not followed", name)
	}
	return o.hosts.checkHost(to.URL)
}
