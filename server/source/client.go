package source

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// client asks for ranges of one URL.
type client struct {
	transport http.RoundTripper
	hosts     hosts
	url       *url.URL
	name      string // for sentences
	limits    Limits
	known     *identity // what the first answer told; nil before it. It does not change while ranges are asked for.
}

// newTransport returns a transport that dials listed hosts alone. It speaks
// HTTP/1.1: a response that is read on slowly or not at all has a connection of
// its own, and holds up no other.
func newTransport(listed hosts, limits Limits, trust *tls.Config) *http.Transport {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return listed.dial(ctx, network, address, limits.Header)
		},
		TLSClientConfig:        trust,
		TLSHandshakeTimeout:    limits.Header,
		DisableCompression:     true, // ranges are of the film's own bytes
		MaxIdleConnsPerHost:    fetchers,
		IdleConnTimeout:        idleConnection,
		MaxResponseHeaderBytes: 64 << 10,
		Protocols:              &protocols,
	}
}

// get asks for the bytes from one offset to another, inclusive, or to the end
// when to is -1. The part may hold fewer. Errors are Errors or ctx's cause.
func (c *client) get(ctx context.Context, from, to int64) (*part, error) {
	// The part outlives ctx, which is that of its first block.
	long, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	p := &part{name: c.name, at: from, cancel: cancel, cause: func() error { return context.Cause(long) }}
	release := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	defer release()
	response, err := c.follow(long, p, from, to) //nolint:bodyclose // the part closes it
	if err == nil {
		p.body = response.Body
		p.identity, p.end, err = c.accept(response, from, to)
	}
	if err != nil {
		err = p.why(err)
		p.close()
		return nil, err
	}
	return p, nil
}

// follow asks, and asks where it is sent, every host of it listed.
func (c *client) follow(ctx context.Context, p *part, from, to int64) (*http.Response, error) {
	u := c.url
	for hop := 0; ; hop++ {
		if err := c.hosts.checkHost(u); err != nil {
			return nil, err
		}
		guard := p.guard(c.limits.Header)
		response, err := c.transport.RoundTrip(c.request(ctx, u, from, to))
		guard.Stop()
		if err != nil {
			return nil, c.unreachable(err)
		}
		if !redirects(response.StatusCode) {
			return response, nil
		}
		_ = response.Body.Close()
		if hop == c.limits.Redirects {
			return nil, fail(CodeUnreadable, nil, "%q redirects more than %d times", c.name, hop)
		}
		if u, err = c.redirect(u, response.Header.Get("Location")); err != nil {
			return nil, err
		}
	}
}

// request makes a request as it goes out. It names no page that it came from, and
// holds no more of another host than the URL does.
func (c *client) request(ctx context.Context, u *url.URL, from, to int64) *http.Request {
	bytes := "bytes=" + strconv.FormatInt(from, 10) + "-"
	if to >= 0 {
		bytes += strconv.FormatInt(to, 10)
	}
	request := (&http.Request{
		Method: http.MethodGet, URL: u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Range": {bytes}, "Accept-Encoding": {"identity"}, "User-Agent": {"upscaled"}},
	}).WithContext(ctx)
	if c.known != nil && c.known.validator() != "" {
		request.Header.Set("If-Range", c.known.validator())
	}
	if u.User != nil {
		password, _ := u.User.Password()
		request.SetBasicAuth(u.User.Username(), password)
	}
	return request
}

func redirects(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirect returns where a redirect leads; its host is checked by who asks there.
func (c *client) redirect(from *url.URL, location string) (*url.URL, error) {
	to, err := from.Parse(location)
	if err != nil || location == "" {
		return nil, fail(CodeUnreadable, nil, "%q redirects to no valid URL", c.name)
	}
	if err := checkURL(to); err != nil {
		return nil, fail(CodeRefused, err, "%q redirects to what is no http or https URL", c.name)
	}
	if from.Scheme == "https" && to.Scheme == "http" {
		return nil, fail(CodeRefused, nil, "%q redirects from https to http, which is not followed", c.name)
	}
	return to, nil
}

// unreachable gives an error of a transport its code.
func (c *client) unreachable(err error) error {
	var coded *Error
	var untrusted *tls.CertificateVerificationError
	var unresolved *net.DNSError
	switch {
	case errors.As(err, &coded):
		return coded
	case errors.As(err, &untrusted):
		return fail(CodeUnreachable, err, "the certificate of the host of %q is not trusted", c.name)
	case errors.As(err, &unresolved) && unresolved.IsNotFound:
		return fail(CodeUnreachable, err, "the host of %q is not known; check its name", c.name)
	}
	failed := fail(CodeUnreachable, err, "the host of %q does not answer", c.name)
	failed.again = true
	return failed
}

// accept checks an answer. It returns what it tells of the file and the offset
// behind the last byte that it promises.
func (c *client) accept(response *http.Response, from, to int64) (identity, int64, error) {
	if response.StatusCode != http.StatusPartialContent {
		return identity{}, 0, c.statusError(response)
	}
	header := response.Header
	if coding := header.Get("Content-Encoding"); coding != "" && coding != "identity" {
		return identity{}, 0, fail(CodeNotSeekable, nil, "the server of %q compresses the file; let it send the file as it is", c.name)
	}
	first, last, size, ok := parseContentRange(header.Get("Content-Range"))
	switch {
	case !ok:
		return identity{}, 0, fail(CodeNotSeekable, nil, "the server of %q does not tell which range it sends, or the file's size", c.name)
	case size > c.limits.Size:
		return identity{}, 0, fail(CodeTooLarge, nil, "%q has %d bytes; at most %d are taken", c.name, size, c.limits.Size)
	}
	is := identity{size: size, etag: header.Get("ETag"), modified: header.Get("Last-Modified")}
	if c.known != nil && !c.known.same(is) {
		return identity{}, 0, c.changed()
	}
	if first != from || to >= 0 && last > to {
		return identity{}, 0, fail(CodeNotSeekable, nil, "the server of %q sends another range than it was asked for", c.name)
	}
	return is, last + 1, nil
}

// statusError tells what an answer means that holds no range.
func (c *client) statusError(response *http.Response) error {
	status := response.StatusCode
	var failed *Error
	switch {
	case status == http.StatusOK && (c.known == nil || c.known.validator() == ""):
		return fail(CodeNotSeekable, nil, "the server of %q gives no ranges; put the file on one that does", c.name)
	case status == http.StatusOK, status == http.StatusRequestedRangeNotSatisfiable && c.known != nil:
		return c.changed()
	case status == http.StatusRequestedRangeNotSatisfiable && strings.TrimSpace(response.Header.Get("Content-Range")) == "bytes */0":
		return fail(CodeEmpty, nil, "%q is empty", c.name)
	case status == http.StatusRequestedRangeNotSatisfiable:
		return fail(CodeNotSeekable, nil, "the server of %q refuses a range at the file's begin", c.name)
	case status == http.StatusNotFound, status == http.StatusGone:
		return fail(CodeNotFound, nil, "there is no %q (HTTP status %d)", c.name, status)
	case status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusTooManyRequests, status >= 500:
		failed = fail(CodeUnreachable, nil, "the server of %q cannot give it now (HTTP status %d)", c.name, status)
		failed.again = true
		if seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16); err == nil {
			failed.after = time.Duration(seconds) * time.Second
		}
		return failed
	}
	return fail(CodeUnreadable, nil, "the server of %q does not give it (HTTP status %d)", c.name, status)
}

func (c *client) changed() *Error {
	return fail(CodeChanged, nil, "%q was changed on its server; open it anew", c.name)
}
