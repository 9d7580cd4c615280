package client

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/transcode"
)

// paper is a result in memory.
type paper struct {
	data []byte
	at   int64
}

func (p *paper) Write(b []byte) (int, error) {
	p.data = append(p.data[:p.at], b...)
	p.at += int64(len(b))
	return len(b), nil
}

func (p *paper) Seek(at int64, _ int) (int64, error) {
	p.at = at
	return at, nil
}

func (p *paper) Truncate(size int64) error {
	p.data = p.data[:size]
	return nil
}

// cutOff is a body that breaks off behind so many bytes.
func cutOff(body []byte, at int) io.Reader {
	return io.MultiReader(bytes.NewReader(body[:min(at, len(body))]), lostReader{})
}

var errLost = errors.New("lost")

type lostReader struct{}

func (lostReader) Read([]byte) (int, error) { return 0, errLost }

// start returns where in the film an attempt is to begin.
func start(t testing.TB, m *making) time.Duration {
	t.Helper()
	order, err := transcode.Parse(m.query().Encode())
	if err != nil {
		t.Fatal(err)
	}
	return order.Output.Start
}

// TestJoin breaks a result off at many places, and what is made anew there, too.
func TestJoin(t *testing.T) {
	first := usual.render(t, 0, 1)
	taken := 0
	for at := 0; at <= len(first); at += 397 {
		result := &paper{}
		m := newMaking(&Film{Result: result})
		if err := m.follow(cutOff(first, at)); !errors.Is(err, errLost) {
			t.Fatal(err)
		}
		came := len(result.data)
		for run := 2; ; run++ {
			r, _, err := m.retreat(&LostError{})
			if err != nil {
				t.Fatal(err)
			}
			if (r.Anew == nil) != (m.cut != nil) || r.Anew != nil && len(result.data) > 0 {
				t.Fatalf("%d: %+v with %d bytes", at, r, len(result.data))
			}
			body := usual.render(t, start(t, m), run)
			if run == 4 || m.cut == nil {
				if err := m.follow(bytes.NewReader(body)); err != nil {
					t.Fatalf("at %d: %v", at, err)
				}
				break
			}
			err = m.follow(cutOff(body, min(len(body), at/run)))
			if !errors.Is(err, errLost) {
				t.Fatalf("at %d: %v", at, err)
			}
			if run == 2 && at/run < 4000 && len(result.data) != came {
				t.Fatalf("at %d: %d bytes of %d are left before there is a proof", at, len(result.data), came)
			}
		}
		runs := usual.whole(t, result.data)
		if runs[1] > 0 {
			taken++
		}
		if made := usual.pictures - runs[1]; at > len(first)/2 && made > usual.pictures/2+window {
			t.Errorf("at %d: %d pictures were made anew", at, made)
		}
	}
	if taken < len(first)/397*7/10 {
		t.Errorf("%d results were taken up", taken)
	}
}

// TestMisfits has what is made anew be another film, in one way each.
func TestMisfits(t *testing.T) {
	pictures, sounds := 0, 0 // that were rendered
	for name, c := range map[string]struct {
		spoil  func(p *packet) bool
		config string
		reason string
	}{
		"other sound": {spoil: func(p *packet) bool {
			if p.track == soundTrack {
				p.data = "encoded " + p.data
			}
			return true
		}, reason: "its sound at"},
		"a hole in the sound": {spoil: func(p *packet) bool {
			if p.track == soundTrack {
				sounds++
			}
			return p.track != soundTrack || sounds != 5
		}, reason: "its sound at"},
		"sound that is later": {spoil: func(p *packet) bool {
			if p.track == soundTrack {
				p.at += 3 * time.Millisecond
			}
			return true
		}, reason: "its sound at"},
		"no sound": {spoil: func(p *packet) bool { return p.track != soundTrack }, reason: "not all"},
		"a picture missing": {spoil: func(p *packet) bool {
			if p.track == pictureTrack {
				pictures++
			}
			return p.track != pictureTrack || pictures != 7
		}, reason: "not all"},
		"pictures that are later": {spoil: func(p *packet) bool {
			if p.track == pictureTrack && p.at > 0 {
				p.at += 2 * time.Millisecond
			}
			return true
		}, reason: "it has a picture at"},
		"the first picture missing": {spoil: func(p *packet) bool { return p.track != pictureTrack || p.at > 0 }, reason: "it does not begin"},
		"no key picture": {spoil: func(p *packet) bool {
			p.key = p.key && p.track != pictureTrack
			return true
		}, reason: "it does not begin"},
		"another encoding": {config: "another decoder's", reason: "its tracks"},
		"an early end":     {spoil: func(p *packet) bool { return p.at < 200*time.Millisecond }, reason: "it ends before"},
	} {
		t.Run(name, func(t *testing.T) {
			pictures, sounds = 0, 0
			first := usual.render(t, 0, 1)
			result := &paper{}
			m := newMaking(&Film{Result: result})
			if err := m.follow(cutOff(first, len(first)/2)); !errors.Is(err, errLost) {
				t.Fatal(err)
			}
			before := bytes.Clone(result.data)
			if _, _, err := m.retreat(&LostError{}); err != nil || m.cut == nil {
				t.Fatal(err)
			}
			other := usual
			other.spoil = c.spoil
			if c.config != "" {
				other.config = c.config
			}
			misfit := &MisfitError{}
			if err := m.follow(bytes.NewReader(other.render(t, start(t, m), 2))); !errors.As(err, &misfit) || !strings.Contains(misfit.Reason, c.reason) {
				t.Fatal(err)
			}
			if !bytes.Equal(result.data, before) {
				t.Error("the file was changed")
			}
			if _, err := m.part(misfit); err != nil || len(result.data) > 0 || m.query().Has("start") {
				t.Errorf("%v, %d bytes", err, len(result.data))
			}
			if err := m.follow(bytes.NewReader(usual.render(t, 0, 3))); err != nil {
				t.Fatal(err)
			}
			usual.whole(t, result.data)
		})
	}
}

// TestNoJoin has results break off that cannot be taken up.
func TestNoJoin(t *testing.T) {
	fast, short := usual, usual
	fast.shown, short.pictures = 3*time.Millisecond, behind
	film := usual.render(t, 0, 1)
	for name, c := range map[string]struct {
		query string
		film  []byte
		why   string
	}{
		"fragments":             {"container=mp4", film, "not with mp4"},
		"nothing":               {"", nil, "nothing of it"},
		"a head":                {"", film[:100], "nothing of it"},
		"few pictures":          {"", short.render(t, 0, 1), "too little"},
		"very short pictures":   {"", fast.render(t, 0, 1), "too little"},
		"something else":        {"", []byte("<html>who knows what this is</html>"), "no stream of Matroska"},
		"a Cluster with a size": {"", bytes.Replace(film, []byte{0x1f, 0x43, 0xb6, 0x75, 1, 255, 255, 255, 255, 255, 255, 255}, []byte{0x1f, 0x43, 0xb6, 0x75, 1, 0, 0, 0, 0, 0, 2, 0}, 1), "known size"},
		"an unknown query":      {"colour=loud", film, "not known"},
	} {
		t.Run(name, func(t *testing.T) {
			query, err := url.ParseQuery(c.query)
			if err != nil {
				t.Fatal(err)
			}
			result := &paper{}
			m := newMaking(&Film{Result: result, Query: query})
			if err := m.follow(cutOff(c.film, len(c.film))); !errors.Is(err, errLost) || !bytes.Equal(result.data, c.film) {
				t.Fatal(err)
			}
			r, further, err := m.retreat(&LostError{})
			if err != nil || further || r.Anew == nil || !strings.Contains(r.Anew.Error(), c.why) || len(result.data) > 0 {
				t.Errorf("%+v, %t, %v", r, further, err)
			}
		})
	}
}

// TestQuery tells what is asked for where only a part of the film is wanted.
func TestQuery(t *testing.T) {
	film := usual.render(t, 0, 1)
	m := newMaking(&Film{Result: &paper{}, Query: url.Values{"start": {"1m"}, "duration": {"9.5"}, "height": {"720"}}})
	m.model = "swift-s-x2"
	if err := m.follow(cutOff(film, len(film)/2)); !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	if r, _, err := m.retreat(&LostError{}); err != nil || r.From != m.cut.length(m.cut.first) {
		t.Fatal(r, err)
	}
	order, err := transcode.Parse(m.query().Encode())
	if err != nil {
		t.Fatal(err)
	}
	o := order.Output
	if d := o.Start - time.Minute - m.cut.length(m.cut.first); d < 2*time.Millisecond || d > usual.shown/2 || o.Start+o.Duration != time.Minute+9500*time.Millisecond ||
		o.Height != 720 || order.Picture.Model != "swift-s-x2" {
		t.Errorf("%+v", order)
	}
}

// FuzzJoin takes a result up in whatever a server sends: before there is a proof the file
// stays as it is, and a join has no picture twice.
func FuzzJoin(f *testing.F) {
	first := usual.render(f, 0, 1)
	result := &paper{}
	m := newMaking(&Film{Result: result})
	if err := m.follow(cutOff(first, len(first)/2)); !errors.Is(err, errLost) {
		f.Fatal(err)
	}
	if _, _, err := m.retreat(&LostError{}); err != nil {
		f.Fatal(err)
	}
	good := usual.render(f, start(f, m), 2)
	f.Add(uint32(0), []byte{})
	f.Add(uint32(700), []byte{0xa3})
	f.Add(uint32(3000), []byte("\x1f\x43\xb6\x75\x01\xff\xff\xff\xff\xff\xff\xff\xe7\x81\x00"))
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		result := &paper{}
		m := newMaking(&Film{Result: result})
		_ = m.follow(cutOff(first, len(first)/2)) // as above
		if _, _, err := m.retreat(&LostError{}); err != nil {
			t.Fatal(err)
		}
		body := bytes.Clone(good)
		copy(body[min(int(at), len(body)):], change)
		before := bytes.Clone(result.data[:m.cut.offset])
		err := m.follow(bytes.NewReader(body))
		if !bytes.HasPrefix(result.data, before) {
			t.Fatal("what was kept is changed")
		}
		if err == nil && bytes.Equal(body, good) {
			usual.whole(t, result.data)
		}
	})
}

// TestJoinInFile joins in a real file, whose length and place are to be right.
func TestJoinInFile(t *testing.T) {
	film := usual.render(t, 0, 1)
	file, err := os.Create(filepath.Join(t.TempDir(), "result"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // it is read by its name
	m := newMaking(&Film{Result: file})
	if err := m.follow(cutOff(film, len(film)*2/3)); !errors.Is(err, errLost) {
		t.Fatal(err)
	}
	if _, _, err := m.retreat(&LostError{}); err != nil {
		t.Fatal(err)
	}
	if err := m.follow(bytes.NewReader(usual.render(t, start(t, m), 2))); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	if runs := usual.whole(t, data); runs[1] < usual.pictures/2 {
		t.Errorf("%v", runs)
	}
}
