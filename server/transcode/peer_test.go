package transcode

import (
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestUnsent sends until nothing more is taken, and then all is.
func TestUnsent(t *testing.T) {
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // nothing else listens
	theirs, err := new(net.Dialer).DialContext(t.Context(), "tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = theirs.Close() }() // only read
	ours, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	r := (&http.Request{ProtoMajor: 1}).WithContext(context.WithValue(t.Context(), connKey{}, ours))
	left := unsent(r)
	if n := left(); n != 0 {
		t.Errorf("%d bytes before any", n)
	}
	all := int64(0)
	for err == nil || left() == 0 { // a busy machine may miss a deadline of its own
		var n int
		_ = ours.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		n, err = ours.Write(make([]byte, block))
		all += int64(n)
	}
	if n := int64(left()); n <= 0 || n > all {
		t.Errorf("%d bytes of %d are unsent", n, all)
	}
	if _, err := io.CopyN(io.Discard, theirs, all); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(20 * time.Second); left() > 0; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d bytes are unsent still", left())
		}
	}
	_ = ours.Close() // its end is of no matter
	if n := left(); n != 0 {
		t.Errorf("%d bytes of a closed connection", n)
	}
}
