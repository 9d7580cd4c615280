package source

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/worker/ranges"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// serve returns the address of a server of a film on a real socket, and its
// connections that are open.
func serve(t *testing.T, film []byte) (address string, open *sync.WaitGroup) {
	t.Helper()
	open = new(sync.WaitGroup)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"one"`)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(film))
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Add(1)
		case http.StateClosed, http.StateHijacked:
			open.Done()
		default:
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), open
}

// worker is the worker's end of a source, at work.
type worker struct {
	*ranges.Client
	source *Source
	ran    chan error // of the source
	left   chan error // of the client
	end    context.CancelCauseFunc
	leave  context.CancelFunc
}

// play runs a source and its worker's end.
func play(t *testing.T, s *Source) *worker {
	t.Helper()
	file, err := s.Take()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.FileConn(file)
	if err := errors.Join(err, file.Close()); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancelCause(t.Context())
	clientCtx, leave := context.WithCancel(t.Context())
	w := &worker{
		Client: ranges.NewClient(conn, s.Size()), source: s,
		ran: make(chan error, 1), left: make(chan error, 1), end: end, leave: leave,
	}
	go func() { w.ran <- s.Run(ctx) }()
	go func() { w.left <- w.Run(clientCtx) }()
	return w
}

// TestPlayFromURL reads a film as a worker does, over real sockets, by many readers
// at once, and ends it in each way that it can end; nothing stays open.
func TestPlayFromURL(t *testing.T) {
	film := noise(20*blockBytes + 99)
	address, connections := serve(t, film)
	o, err := New(Options{Hosts: []string{address}, Limits: DefaultLimits(), Log: slogDiscard})
	if err != nil {
		t.Fatal(err)
	}
	over := errors.New("the session is over")
	before := descriptors(t)
	for name, row := range map[string]struct {
		end  func(w *worker)
		want error
	}{
		"the worker goes":  {func(w *worker) { w.leave() }, nil},
		"the session ends": {func(w *worker) { w.end(over) }, over},
		"it is closed":     {func(w *worker) { _ = w.source.Close() }, ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := o.Open(t.Context(), "http://"+address+"/films/a.mkv?"+secret)
			if err != nil {
				t.Fatal(err)
			}
			if s.Name() != address+"/…/a.mkv" || s.Kind() != KindRanges || s.Size() != int64(len(film)) {
				t.Errorf("%s of kind %c, %d bytes", s.Name(), s.Kind(), s.Size())
			}
			w := play(t, s)
			var readers sync.WaitGroup
			for seed := range uint64(6) {
				readers.Go(func() {
					draw := rand.New(rand.NewPCG(seed, 0))
					for range 30 {
						at := draw.IntN(len(film))
						p := make([]byte, min(draw.IntN(2<<20), len(film)-at))
						if _, err := w.ReadAt(p, int64(at)); err != nil || !bytes.Equal(p, film[at:at+len(p)]) {
							t.Errorf("%d bytes at %d: %v", len(p), at, err)
						}
					}
				})
			}
			readers.Wait()
			row.end(w)
			if err := <-w.ran; !errors.Is(err, row.want) {
				t.Errorf("Run returned %v", err)
			}
			if err := <-w.left; !errors.Is(err, ranges.ErrClosed) {
				t.Errorf("the worker's end returned %v", err)
			}
			w.leave()
			if err := errors.Join(s.Close(), s.Close()); err != nil {
				t.Error(err)
			}
			if err := s.Run(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("Run after Close returned %v", err)
			}
		})
	}
	connections.Wait() // else the test's own limit ends it
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors were open before, %d are after", before, after)
	}
}

// TestAWorkerIsToldTheCode lets a film change under a worker.
func TestAWorkerIsToldTheCode(t *testing.T) {
	t.Parallel()
	changed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		etag := `"two"`
		if r.Header.Get("If-Range") == "" {
			etag = `"one"`
		}
		w.Header().Set("ETag", etag)
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(make([]byte, 4*blockBytes)))
	})
	server := httptest.NewServer(changed)
	defer server.Close()
	o, err := New(Options{Hosts: []string{server.Listener.Addr().String()}, Limits: DefaultLimits(), Log: slogDiscard})
	if err != nil {
		t.Fatal(err)
	}
	s, err := o.Open(t.Context(), server.URL+"/a.mkv")
	if err != nil {
		t.Fatal(err)
	}
	w := play(t, s)
	var told *wire.Error
	if _, err := w.ReadAt(make([]byte, 10), 3*blockBytes); !errors.As(err, &told) ||
		told.Code != string(CodeChanged) || !strings.Contains(told.Sentence, "a.mkv") {
		t.Errorf("got %v", err)
	}
	w.leave()
	if err := errors.Join(<-w.ran, s.Close()); err != nil {
		t.Error(err)
	}
}

// TestOpenThatIsNotPlayed leaves nothing open.
func TestOpenThatIsNotPlayed(t *testing.T) {
	address, connections := serve(t, noise(100))
	o, err := New(Options{Hosts: []string{address}, Limits: DefaultLimits(), Log: slogDiscard})
	if err != nil {
		t.Fatal(err)
	}
	before := descriptors(t)
	for range 10 {
		s, err := o.Open(t.Context(), "http://"+address+"/a.mkv")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if _, err := s.Take(); !errors.Is(err, ErrClosed) {
			t.Errorf("Take after Close: %v", err)
		}
	}
	connections.Wait()
	if after := descriptors(t); after > before {
		t.Errorf("%d descriptors were open before, %d are after", before, after)
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "", time.Unix(1e9, 0), bytes.NewReader(noise(100)))
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	defer server.Close()
	known := x509.NewCertPool()
	known.AddCert(server.Certificate())
	for name, row := range map[string]struct {
		trust *tls.Config
		code  Code
	}{
		"trusted": {&tls.Config{RootCAs: known, MinVersion: tls.VersionTLS12}, ""},
		"unknown": {nil, CodeUnreachable},
	} {
		o, err := New(Options{Hosts: []string{server.Listener.Addr().String()}, Limits: DefaultLimits(), Trust: row.trust, Log: slogDiscard})
		if err != nil {
			t.Fatal(err)
		}
		s, err := o.Open(t.Context(), server.URL)
		if CodeOf(err) != row.code {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestTheAddressIsCheckedThatIsDialled has a name server say that a listed name is
// this machine's, as an attacker's would the second time that it is asked.
func TestTheAddressIsCheckedThatIsDialled(t *testing.T) {
	address, _ := serve(t, noise(100))
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go resolve(theirs, netip.MustParseAddr("127.0.0.1"))
		return ours, nil
	}}
	for name, row := range map[string]struct {
		host  string
		hosts []string
		code  Code
	}{
		"the name is listed":         {"films.test:", []string{"films.test:" + port}, CodeRefused},
		"by a wildcard":              {"a.films.test:", []string{"*.films.test:" + port}, CodeRefused},
		"the address is, too":        {"films.test:", []string{"films.test:" + port, address}, ""},
		"the address, another port":  {"films.test:", []string{"films.test:" + port, "127.0.0.1:1"}, CodeRefused},
		"only the address is listed": {"films.test:", []string{address}, CodeRefused},
	} {
		o, err := New(Options{Hosts: row.hosts, Limits: DefaultLimits(), Log: slogDiscard})
		if err != nil {
			t.Fatal(err)
		}
		s, err := o.Open(t.Context(), "http://"+row.host+port+"/a.mkv")
		if CodeOf(err) != row.code {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// resolve answers DNS questions (RFC 1035 §4, over a stream) with one address.
func resolve(conn net.Conn, addr netip.Addr) {
	defer func() { _ = conn.Close() }()
	for {
		question := make([]byte, 4096)
		n, err := conn.Read(question[:2])
		if err != nil || n < 2 {
			return
		}
		length := int(binary.BigEndian.Uint16(question))
		for got := 0; got < length; {
			n, err := conn.Read(question[got:length])
			if err != nil {
				return
			}
			got += n
		}
		asked := 12
		for question[asked] != 0 {
			asked += 1 + int(question[asked])
		}
		asked += 5 // the root's label, type and class
		answer := append([]byte(nil), question[:asked]...)
		copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}) // an answer; one question, nothing else
		if isA := question[asked-3] == 1; isA {
			answer[7] = 1
			answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
			answer = append(answer, addr.AsSlice()...)
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}
