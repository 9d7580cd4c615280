package server

import (
	"bytes"
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/upscaled-media/upscaled/server/config"
)

// TestCertificateFaultsAreToldOnce has many handshakes find the same fault.
func TestCertificateFaultsAreToldOnce(t *testing.T) {
	files := config.TLS{Cert: filepath.Join(t.TempDir(), "crt"), Key: filepath.Join(t.TempDir(), "key")}
	certify(t, x509.NewCertPool(), files.Cert, files.Key, 1)
	var log bytes.Buffer
	c, err := newCertificate(files, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	away := files.Key + ".away"
	for _, step := range []struct {
		name string
		do   func() error
		told int // in all
	}{
		{"nothing is wrong", func() error { return nil }, 0},
		{"the key is missing", func() error { return os.Rename(files.Key, away) }, 1},
		{"it is back", func() error { return os.Rename(away, files.Key) }, 1},
		{"the key is missing again", func() error { return os.Rename(files.Key, away) }, 2},
		{"there is half of one", func() error { return os.WriteFile(files.Key, []byte("half a key"), 0o600) }, 3},
		{"the certificate is missing", func() error { return os.Remove(files.Cert) }, 4},
	} {
		must(t, step.do())
		for range 3 {
			if got, err := c.get(nil); err != nil || got == nil || got.Leaf.SerialNumber.Int64() != 1 {
				t.Errorf("%s: %v", step.name, err)
			}
		}
		if told := bytes.Count(log.Bytes(), []byte("\n")); told != step.told {
			t.Errorf("%s: told %d times, want %d\n%s", step.name, told, step.told, &log)
		}
	}
}
