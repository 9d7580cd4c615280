package transcode

import (
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/upscaled-media/upscaled/server/problem"
)

// The headers of an answer. The last two come behind a result that is not whole.
const (
	HeaderSession = "Upscaled-Session"
	HeaderSpooled = "Upscaled-Spooled" // yes or no
	HeaderClamped = "Upscaled-Clamped" // ids of filters
	TrailerCode   = "Upscaled-Error-Code"
	TrailerError  = "Upscaled-Error"
)

const (
	// lastWords bounds how long the end of an answer that is not a whole result may take to
	// go out, and how long a client may take to hang up that has all of it.
	lastWords = 2 * time.Second
	// maxSentence bounds a sentence in a trailer, in bytes.
	maxSentence = 1 << 10
)

// answer is what a client gets: a problem, or a result. One goroutine writes it.
type answer struct {
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController
	idle    time.Duration // the longest time that nothing may be taken
	stalled func()        // ends all when that is over, on a goroutine of its own; set before Write
	unsent  func() int    // bytes that the client's system has not taken yet, 0 where that cannot be seen

	begun   bool
	torn    bool         // what went out last may not have gone whole
	written atomic.Int64 // bytes of the result
}

func newAnswer(w http.ResponseWriter, r *http.Request, idle time.Duration) *answer {
	control := http.NewResponseController(w)
	_ = control.EnableFullDuplex() // HTTP/2 always is
	return &answer{w: w, r: r, control: control, idle: idle, unsent: unsent(r)}
}

// begin sets the head of a result, which goes out with its first part.
func (a *answer) begin(o *Order) {
	h := a.w.Header()
	h.Set("Content-Type", types[o.Output.Container])
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": o.fileName()}))
	h.Set("X-Accel-Buffering", "no")
	if a.takesTrailers() {
		h.Set("Trailer", TrailerCode+", "+TrailerError)
	}
	a.begun = true
	a.w.WriteHeader(http.StatusOK)
}

// takesTrailers reports whether the client reads trailers (RFC 9110 §10.1.4) that can
// be sent without an end of the message.
func (a *answer) takesTrailers() bool {
	if !a.r.ProtoAtLeast(1, 1) || a.r.ProtoMajor != 1 {
		return false
	}
	for part := range strings.SplitSeq(strings.Join(a.r.Header.Values("TE"), ","), ",") {
		if coding, _, _ := strings.Cut(part, ";"); strings.EqualFold(strings.TrimSpace(coding), "trailers") {
			return true
		}
	}
	return false
}

// Write sends a part of the result at once. Errors are errGone: who takes nothing for too
// long is the concern of stalled. No deadline is left behind, which in HTTP/2 would end the
// stream also where nothing is being written.
func (a *answer) Write(data []byte) (int, error) {
	defer a.bound(a.stalled)()
	n, err := a.w.Write(data)
	if err == nil {
		err = a.control.Flush()
	}
	a.written.Add(int64(n))
	if err == nil {
		return n, nil
	}
	a.torn = true
	return n, errors.Join(errGone, err)
}

// bound calls over when the client has taken nothing for too long of what is being
// sent, unless stop is called before. A writer is woken only when much of a connection's
// buffer is free, so that what leaves the buffer counts. Over must not wait.
func (a *answer) bound(over func()) (stop func()) {
	const looks = 8 // in that time
	var (
		mu    sync.Mutex
		timer *time.Timer // guarded by mu
		done  bool        // guarded by mu
		left  = a.unsent()
		taken = time.Now()
	)
	mu.Lock()
	defer mu.Unlock()
	timer = time.AfterFunc(a.idle/looks, func() {
		mu.Lock()
		defer mu.Unlock()
		now := a.unsent()
		if now < left {
			taken = time.Now()
		}
		left = now
		switch {
		case done:
		case time.Since(taken) >= a.idle:
			over()
		default:
			timer.Reset(a.idle / looks)
		}
	})
	return func() {
		mu.Lock()
		defer mu.Unlock()
		done = true
		timer.Stop()
	}
}

// refuse answers with a problem, before anything of a result has gone out.
func (a *answer) refuse(p *problem.Problem) {
	a.close()
	problem.Write(a.w, a.r, p)
}

// close has the connection closed after the answer. HTTP/2 has its own ways.
func (a *answer) close() {
	if a.r.ProtoMajor == 1 {
		a.w.Header().Set("Connection", "close")
	}
}

// end ends a result that is whole. Rest says that the client still sends what is not
// wanted: the connection is of no use for anything else, then.
func (a *answer) end(rest bool) {
	if !rest || a.r.ProtoMajor != 1 {
		_ = a.control.SetWriteDeadline(time.Now().Add(a.idle)) // for the last chunk, which net/http writes
		return
	}
	if a.r.ProtoAtLeast(1, 1) {
		a.part("0\r\n\r\n", true)
	} else {
		a.part("", true)
	}
}

// abort ends a result so that nobody takes it for whole: in HTTP/2 the stream is
// reset, in HTTP/1.1 the last chunk has no end. It does not return where net/http has
// to see to it.
func (a *answer) abort(p *problem.Problem) {
	switch {
	case a.r.ProtoMajor != 1:
		panic(http.ErrAbortHandler)
	case !a.r.ProtoAtLeast(1, 1):
		a.reset() // the end of a connection would be the end of the result
	case a.takesTrailers() && !a.torn:
		a.part("0\r\n"+TrailerCode+": "+fieldValue(string(p.Code))+"\r\n"+TrailerError+": "+fieldValue(p.Detail)+"\r\n", false)
	default:
		a.part("", false)
	}
}

// fieldValue makes a sentence one that a field may hold (RFC 9110 §5.5).
func fieldValue(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
	return strings.ToValidUTF8(text[:min(len(text), maxSentence)], "")
}

// part sends last words on the connection itself and closes it, in such an order
// that the client can read all of it: what it still sends is read on meanwhile, since
// closing on that would have what it was sent thrown away. For a whole result it waits
// as long as the client takes some of it.
func (a *answer) part(text string, whole bool) {
	conn, _, err := a.control.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer func() { _ = conn.Close() }() // it is the end either way
	_ = conn.SetDeadline(time.Now().Add(lastWords))
	if whole {
		_ = conn.SetDeadline(time.Time{})
		defer a.bound(func() { _ = conn.Close() })()
	}
	if _, err := io.WriteString(conn, text); err != nil {
		return
	}
	half, ok := conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	for more := true; more; {
		if whole {
			_ = conn.SetReadDeadline(time.Now().Add(lastWords))
		}
		_, err := io.Copy(io.Discard, conn)
		more = whole && errors.Is(err, os.ErrDeadlineExceeded) && a.unsent() > 0
	}
}

// reset closes the connection so that the client sees an error.
func (a *answer) reset() {
	conn, _, err := a.control.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := socketOf(conn).(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
