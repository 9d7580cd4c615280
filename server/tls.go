package server

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/config"
)

// certificate is the pair of files tls.cert and tls.key, which is read again when one
// of them changes: certificates are renewed while servers run.
type certificate struct {
	files config.TLS
	log   *slog.Logger

	mu     sync.Mutex
	stamp  [2]time.Time     // guarded by mu: of the files when they were read last
	loaded *tls.Certificate // guarded by mu
	fault  string           // guarded by mu: why they could not be used when they were looked at last, "" if they could
}

// newCertificate reads the files. It returns nil where none are configured.
func newCertificate(files config.TLS, log *slog.Logger) (*certificate, error) {
	if files.Cert == "" {
		return nil, nil
	}
	c := &certificate{files: files, log: log}
	return c, c.read()
}

// get returns the certificate as it is now, for tls.Config.GetCertificate. Files that
// cannot be used leave it as it was, and the log is told of that once.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	stamp, err := c.stat()
	if err == nil && stamp != c.stamp {
		c.stamp = stamp
		err = c.read()
	}
	before := c.fault
	if c.fault = ""; err != nil {
		c.fault = err.Error()
	}
	if err != nil && c.fault != before {
		c.log.Warn("certificate not renewed", "error", err)
	}
	return c.loaded, nil
}

// read reads the files. The caller holds mu, or has c alone.
func (c *certificate) read() error {
	stamp, err := c.stat()
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return err
	}
	c.stamp, c.loaded = stamp, &pair
	return nil
}

func (c *certificate) stat() (stamp [2]time.Time, _ error) {
	for i, path := range [2]string{c.files.Cert, c.files.Key} {
		info, err := os.Stat(path)
		if err != nil {
			return stamp, err
		}
		stamp[i] = info.ModTime()
	}
	return stamp, nil
}

// serve answers requests until the listener is closed: by HTTPS where there is a
// certificate. HTTP/2 without TLS is for programs on this machine alone, since no
// browser speaks it and no proxy is asked whether it does.
func (s *Server) serve(listener net.Listener) error {
	if s.certificate != nil {
		return s.http.ServeTLS(listener, "", "")
	}
	if at, ok := listener.Addr().(*net.TCPAddr); ok && at.IP.IsLoopback() {
		s.http.Protocols.SetUnencryptedHTTP2(true)
	}
	return s.http.Serve(listener)
}

// protocols are those that the server speaks at any address.
func protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetHTTP2(true) // which is that over TLS
	return p
}
