package transcode

import (
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/upscaled-media/upscaled/server/problem"
)

func TestSpoolKeeps(t *testing.T) {
	s := &spool{folder: t.TempDir(), most: 1000}
	file, size, done, err := s.keep(strings.NewReader(strings.Repeat("a", 700)), 700)
	if err != nil || size != 700 || s.bytes() != 700 {
		t.Fatalf("%d bytes, %v, %d are taken", size, err, s.bytes())
	}
	if got, err := io.ReadAll(io.NewSectionReader(file, 0, 1000)); err != nil || len(got) != 700 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if names, err := os.ReadDir(s.folder); err != nil || len(names) > 0 {
		t.Errorf("%v, %v would be left by a killed server", names, err)
	}
	for name, expected := range map[string]int64{"announced": 400, "not announced": -1, "announced too little": 10, "announced as endless": math.MaxInt64} {
		_, _, _, err := s.keep(strings.NewReader(strings.Repeat("b", 400)), expected)
		if p := problem.From(err); p.Code != problem.SpoolFull || p.Figures["spool_limit_bytes"] != 1000 {
			t.Errorf("%s: %v", name, err)
		}
	}
	cut := errors.New("cut")
	if _, _, _, err := s.keep(iotest.ErrReader(cut), -1); !errors.Is(err, cut) {
		t.Error(err)
	}
	done()
	if s.bytes() != 0 {
		t.Errorf("%d bytes are taken still", s.bytes())
	}
}

func TestSpoolOnAFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &spool{folder: t.TempDir(), most: 1 << 30, open: func() (*os.File, error) { return full, nil }}
	_, _, _, err = s.keep(bytes.NewReader(make([]byte, 100)), -1)
	if p := problem.From(err); p.Code != problem.DiskFull || !errors.Is(err, syscall.ENOSPC) || s.bytes() != 0 {
		t.Errorf("%v, %d bytes are taken", err, s.bytes())
	}
}
