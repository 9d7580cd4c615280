package ranges

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// FuzzServe lets a hostile worker say anything: Serve ends when it goes, answers
// in whole frames only, and blames it where it broke the format.
func FuzzServe(f *testing.F) {
	two := append(request{id: 1, offset: 10, length: 90}.encode(), request{id: 1, offset: 0, length: 1}.encode()...)
	f.Add(two)
	f.Add(two[:30])
	f.Add(append(two, bytes.Repeat([]byte{0xff}, requestBytes)...))
	film := &memory{data: noise(100)}
	f.Fuzz(func(t *testing.T, sent []byte) {
		server, worker := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- Serve(t.Context(), server, film) }()
		go func() { // a pipe has no buffer: replies are taken while requests are sent
			_, _ = worker.Write(sent)
			_ = worker.Close()
		}()
		for {
			head, err := readReplyHead(worker)
			if err != nil {
				break
			}
			if _, err := io.CopyN(io.Discard, worker, int64(head.length)); err != nil {
				break
			}
			if head.status != statusData || head.length > 100 {
				t.Fatalf("replied %+v", head)
			}
		}
		if err := <-served; err != nil && !errors.Is(err, ErrProtocol) {
			t.Errorf("Serve returned %v", err)
		}
	})
}

// FuzzClient lets a hostile server say anything: every read ends, and with the
// bytes that were sent or an error.
func FuzzClient(f *testing.F) {
	reply := make([]byte, replyBytes, 64)
	replyHead{id: 1, length: 4}.put(reply)
	f.Add(append(reply, "data"...))
	body := encodeError(errors.New("fault"))
	replyHead{status: statusError, id: 1, length: uint32(len(body))}.put(reply)
	f.Add(append(reply, body...))
	f.Add(reply[:5])
	f.Fuzz(func(t *testing.T, sent []byte) {
		server, worker := net.Pipe()
		client := NewClient(worker, 4)
		ran := make(chan error, 1)
		go func() { ran <- client.Run(t.Context()) }()
		go func() {
			_, _ = io.ReadFull(server, make([]byte, requestBytes))
			_, _ = server.Write(sent)
			_ = server.Close()
		}()
		p := make([]byte, 4)
		if _, err := client.ReadAt(p, 0); err == nil && !bytes.Contains(sent, p) {
			t.Errorf("read %q, which was not sent", p)
		}
		_ = worker.Close()
		if err := <-ran; !errors.Is(err, ErrClosed) {
			t.Errorf("Run returned %v", err)
		}
	})
}

func FuzzErrorBody(f *testing.F) {
	f.Add("source_changed", "the film was changed", "etag")
	f.Fuzz(func(t *testing.T, code, sentence, detail string) {
		body := encodeError(&wire.Error{Code: code, Sentence: sentence, Detail: detail})
		if len(body) > maxError {
			t.Fatalf("%d bytes", len(body))
		}
		if _, err := decodeError(body); err != nil && code != "" && sentence != "" {
			t.Errorf("%s: %v", body, err)
		}
	})
}
