package api

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// answerWithin bounds how long a client may take to receive an answer, from its
// first byte on. A segment of some megabytes passes in it over a slow mobile line.
const answerWithin = time.Minute

// takeBody replaces a request's body by what it holds, read whole and in time.
// The deadline is taken back: while a handler works, it would end the request.
func (a *API) takeBody(w http.ResponseWriter, r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	if r.ContentLength > a.o.MaxBody {
		return &http.MaxBytesError{Limit: a.o.MaxBody}
	}
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(a.o.BodyTimeout)) // a connection that cannot has no slow client
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, a.o.MaxBody))
	_ = control.SetReadDeadline(time.Time{})
	switch tooLarge := (*http.MaxBytesError)(nil); {
	case err == nil:
		r.Body = io.NopCloser(bytes.NewReader(data))
		return nil
	case errors.As(err, &tooLarge):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		w.Header().Set("Connection", "close")
		return problem.New(problem.BadRequest, "the body did not come within %s", a.o.BodyTimeout).Because(err)
	}
	return problem.New(problem.BadRequest, "the body cannot be read").Because(err)
}

// bounded is an answer that must be taken in time, and what became of it.
type bounded struct {
	http.ResponseWriter
	lasting bool // it has no bound of its own
	status  int  // 0 until it begins
	bytes   int64
	failed  error // with which the connection refused what was written
}

// Unwrap lets http.ResponseController reach the connection.
func (b *bounded) Unwrap() http.ResponseWriter { return b.ResponseWriter }

// WriteHeader begins the answer.
func (b *bounded) WriteHeader(status int) {
	b.begin(status)
	b.ResponseWriter.WriteHeader(status)
}

// Write implements io.Writer.
func (b *bounded) Write(data []byte) (int, error) {
	b.begin(http.StatusOK)
	n, err := b.ResponseWriter.Write(data)
	b.bytes += int64(n)
	if err != nil {
		b.failed = err
	}
	return n, err
}

func (b *bounded) begin(status int) {
	if b.status == 0 {
		b.status = status
		if b.lasting {
			return
		}
		_ = http.NewResponseController(b.ResponseWriter).SetWriteDeadline(time.Now().Add(answerWithin)) // as above
	}
}
