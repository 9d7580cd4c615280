package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/transcode"
)

// studio is a server that renders a film from where it is asked to, and hangs up behind so many bytes of
// each attempt; the last attempt is whole.
type studio struct {
	t      *testing.T
	film   drawn
	breaks []int
	refuse problem.Code // what wants to begin in the midst
	full   int          // attempts in the midst that there is no room for
	down   int64        // connections that are refused behind the first break
	away   atomic.Int64 // of these, to come
	mute   bool         // about sessions that broke
	over   bool         // at each break, and back for the next attempt
	ended  []string     // sessions that were deleted
	runs   int
	sent   int64 // by the last one
	starts []time.Duration
}

func (s *studio) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodDelete {
		s.ended = append(s.ended, path.Base(r.URL.Path))
		w.WriteHeader(http.StatusNoContent)
		return
	}
	if r.Method == http.MethodGet {
		if s.mute && s.runs <= len(s.breaks) {
			problem.Write(w, r, problem.New(problem.Internal, ""))
			return
		}
		told := done(s.sent, session.CauseEOS, "")
		told.Settings.Model, told.Progress.Encoded, told.Progress.Position = "nearest-x2", 1, 2
		if s.runs <= len(s.breaks) {
			told.Cause, told.Failure = session.CauseFailed, &playback.Failure{Code: problem.ClientGone}
			if s.over {
				told.Cause, told.Failure = session.CauseShutdown, nil
			}
		}
		_ = json.NewEncoder(w).Encode(told) // a client that has gone is told nothing
		return
	}
	order, err := transcode.Parse(r.URL.RawQuery)
	if _, unread := io.Copy(io.Discard, r.Body); err != nil || unread != nil {
		s.t.Error(err, unread)
	}
	from := order.Output.Start
	s.runs++
	s.starts = append(s.starts, from)
	if s.refuse != "" && from > 0 {
		problem.Write(w, r, problem.New(s.refuse, ""))
		return
	}
	if s.full > 0 && from > 0 {
		s.full--
		s.runs--
		problem.Write(w, r, problem.New(problem.SpoolFull, ""))
		return
	}
	body := s.film.render(s.t, from, s.runs)
	w.Header().Set(transcode.HeaderSession, fmt.Sprint("s", s.runs))
	s.sent = int64(len(body))
	if s.runs <= len(s.breaks) {
		if s.runs == 1 {
			s.away.Store(s.down)
		}
		broken(w, string(body[:min(len(body), s.breaks[s.runs-1])]))
	}
	_, _ = w.Write(body)
}

// upscale sends a film to a studio.
func (s *studio) upscale(t *testing.T) (result []byte, last playback.Session, again []Retry, err error) {
	t.Helper()
	s.t = t
	server := httptest.NewServer(s)
	defer server.Close()
	c, err := New(server.URL, "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.rest = time.Microsecond
	transport := c.http.Transport.(*http.Transport)
	dial := transport.DialContext
	transport.DisableKeepAlives = true
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if s.away.Add(-1) >= 0 {
			return nil, syscall.ECONNREFUSED
		}
		return dial(ctx, network, address)
	}
	file := &paper{}
	last, err = c.Transcode(t.Context(), Film{
		Source: strings.NewReader("the film"), Size: 8, Query: url.Values{}, Result: file, Again: func(r Retry) { again = append(again, r) },
	})
	return file.data, last, again, err
}

// noneLeft checks at the end of a test that no goroutine of it is left.
func noneLeft(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for range 1000 {
			if runtime.NumGoroutine() <= before {
				return
			}
			<-tick.C
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
	})
}

// TestResume breaks connections at each kind of place.
func TestResume(t *testing.T) {
	noneLeft(t)
	film := usual.render(t, 0, 1)
	second := bytes.LastIndex(film, []byte{0x1f, 0x43, 0xb6, 0x75}) // a Cluster begins
	for name, c := range map[string]struct {
		breaks []int
		from   []bool // the attempts but for the first go on
	}{
		"in front of the first Cluster": {[]int{120}, []bool{false}},
		"between Clusters":              {[]int{second}, []bool{true}},
		"in a Cluster's head":           {[]int{second + 5}, []bool{true}},
		"in a block":                    {[]int{second + 100}, []bool{true}},
		"right at the end":              {[]int{len(film)}, []bool{true}},
		"in front of a proof":           {[]int{len(film) / 2, 300}, []bool{true, true}},
		"twice":                         {[]int{len(film) / 2, 15000}, []bool{true, true}},
		"more often than a result that comes no further": {[]int{12000, 9000, 9000, 9000, 9000}, []bool{true, true, true, true, true}},
	} {
		t.Run(name, func(t *testing.T) {
			s := &studio{film: usual, breaks: c.breaks}
			result, last, again, err := s.upscale(t)
			if err != nil || len(again) != len(c.from) {
				t.Fatalf("%v after %+v", err, again)
			}
			for i, r := range again {
				if (r.From > 0) != c.from[i] || (r.Anew == nil) != c.from[i] || s.starts[i+1] < r.From || s.starts[i+1] > r.From+usual.shown {
					t.Errorf("attempt %d: %+v from %s", i+2, r, s.starts[i+1])
				}
			}
			runs := usual.whole(t, result)
			if kept := int64(usual.pictures - runs[s.runs]); last.Progress.Encoded != 1+kept || (last.Progress.Position > 2) != (kept > 0) {
				t.Errorf("%+v with %d pictures kept", last.Progress, kept)
			}
		})
	}
}

// TestNoFurther ends with the third attempt in a row that brings nothing.
func TestNoFurther(t *testing.T) {
	film := usual.render(t, 0, 1)
	s := &studio{film: usual, breaks: []int{len(film) / 2, 300, 200, 100}}
	_, _, again, err := s.upscale(t)
	if e := (*Error)(nil); !errors.As(err, &e) || e.Code != CodeLost || s.runs != Attempts || len(again) != Attempts-1 {
		t.Fatalf("%v after %d attempts", err, s.runs)
	}
}

// TestResumeAnew is refused a begin in the midst, and sent another film, and begins anew.
func TestResumeAnew(t *testing.T) {
	film := usual.render(t, 0, 1)
	other := usual
	other.spoil = func(p *packet) bool {
		p.data += " encoded anew"
		return true
	}
	for name, s := range map[string]*studio{
		"refused": {film: usual, breaks: []int{len(film) / 2}, refuse: problem.BadRequest},
		"another": {film: other, breaks: []int{len(film) / 2}},
	} {
		t.Run(name, func(t *testing.T) {
			result, _, again, err := s.upscale(t)
			if misfit := (*MisfitError)(nil); err != nil || len(again) != 2 || !errors.As(again[1].Cause, &misfit) || again[1].From != 0 || s.starts[2] != 0 {
				t.Fatalf("%v after %+v", err, again)
			}
			if runs := usual.whole(t, result); runs[3] != usual.pictures {
				t.Errorf("%v", runs)
			}
		})
	}
}

// TestResumeWaits finds no server for a while, and one without room, more often than
// attempts may fail.
func TestResumeWaits(t *testing.T) {
	noneLeft(t)
	film := usual.render(t, 0, 1)
	for name, c := range map[string]struct {
		studio *studio
		code   problem.Code
	}{
		"away":         {&studio{down: 10}, CodeUnreachable},
		"without room": {&studio{full: 5}, problem.SpoolFull},
	} {
		t.Run(name, func(t *testing.T) {
			s := c.studio
			s.film, s.breaks = usual, []int{len(film) / 2}
			result, _, again, err := s.upscale(t)
			if err != nil || len(again) != 2 || s.full != 0 || s.away.Load() > 0 {
				t.Fatalf("%v after %+v", err, again)
			}
			if e := (*Error)(nil); !errors.As(again[1].Cause, &e) || e.Code != c.code || again[1].From != again[0].From {
				t.Errorf("%+v", again[1])
			}
			if runs := usual.whole(t, result); runs[2] == 0 || runs[2] == usual.pictures {
				t.Errorf("%v", runs)
			}
		})
	}
}

// TestResumeBehindAnEnd has the server end in order in the midst of a result, and be back.
func TestResumeBehindAnEnd(t *testing.T) {
	film := usual.render(t, 0, 1)
	s := &studio{film: usual, breaks: []int{len(film) / 2}, over: true}
	result, _, again, err := s.upscale(t)
	if err != nil || len(again) != 1 || again[0].From == 0 {
		t.Fatalf("%v after %+v", err, again)
	}
	usual.whole(t, result)
}

// TestOldSessionIsEnded breaks a connection whose session does not tell that it has ended.
func TestOldSessionIsEnded(t *testing.T) {
	film := usual.render(t, 0, 1)
	s := &studio{film: usual, breaks: []int{len(film) / 2}, mute: true}
	if _, _, _, err := s.upscale(t); err != nil || !slices.Equal(s.ended, []string{"s1"}) {
		t.Errorf("%v, %v are ended", err, s.ended)
	}
	s = &studio{film: usual, breaks: []int{len(film) / 2}}
	if _, _, _, err := s.upscale(t); err != nil || len(s.ended) > 0 {
		t.Errorf("%v, %v are ended, which had an end", err, s.ended)
	}
}
