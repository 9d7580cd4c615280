package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/config"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

const token = "0123456789abcdef"

// elsewhere are the codes that this interface does not give.
var elsewhere = map[problem.Code]string{
	problem.UnknownType:      "a message's of the control protocol",
	problem.TooManyRequests:  "likewise",
	problem.NotStreamable:    "a real worker's: a body that it would say this of is spooled before",
	problem.OutputFailed:     "a real worker's, of a disk or a reader that takes nothing",
	problem.ClientGone:       "nobody is there to be told. See TestClientHangsUp",
	problem.ReaderStalled:    "a result's that has begun. See TestReaderThatStops",
	problem.JobsUnwritable:   "a disk's that is full. See package jobs",
	problem.SessionKind:      "of sessions that are no playbacks. See package session",
	problem.SourceUnreadable: "a file that the server's user may not read; who runs these tests may be root. See package source",
	problem.PictureMissing:   "a page's that is connected and sends none. See package webrtc",
	problem.SourceLost:       "a live source that broke off, of its session. See TestLiveBreaks",
	problem.SourceChanged:    "a file that changes on its server while it plays. See package source",
}

// seen collects the codes that were got.
type seen struct {
	mu    sync.Mutex
	codes map[problem.Code]bool // guarded by mu
}

func (s *seen) refused(t *testing.T, a answer, code problem.Code) {
	t.Helper()
	refused(t, a, code)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = true
}

// TestEveryProblem gets each code of the table over HTTP.
func TestEveryProblem(t *testing.T) {
	got := &seen{codes: map[problem.Code]bool{}}
	t.Run("requests", func(t *testing.T) { problemsOfRequests(t, got) })
	t.Run("films", func(t *testing.T) { problemsOfFilms(t, got) })
	t.Run("room", func(t *testing.T) { problemsOfRoom(t, got) })
	t.Run("workers", func(t *testing.T) { problemsOfWorkers(t, got) })
	t.Run("transcodes", func(t *testing.T) { problemsOfTranscodes(t, got) })
	t.Run("jobs", func(t *testing.T) { problemsOfJobs(t, got) })
	t.Run("peers", func(t *testing.T) { problemsOfPeers(t, got) })
	t.Run("control", func(t *testing.T) { problemsOfControl(t, got) })
	t.Run("tokens", func(t *testing.T) { problemsOfTokens(t, got) })
	for _, kind := range problem.Kinds() {
		if _, other := elsewhere[kind.Code]; got.codes[kind.Code] == other {
			t.Errorf("%s was got: %v; and is of others: %v", kind.Code, !other, other)
		}
	}
}

func problemsOfRequests(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.LUTs.Path = t.TempDir()
	must(t, os.WriteFile(filepath.Join(c.LUTs.Path, "broken.cube"), []byte("nonsense"), 0o600))
	d := begin(t, c)
	s := d.play(d.add("a.mkv", workertest.Film{}))
	path := "/v1/sessions/" + s.ID
	base := strings.TrimSuffix(s.URLs.Master, "master.m3u8")
	create := func(document string) answer { return d.ask("POST", "/v1/sessions", document) }
	for _, row := range []struct {
		got  answer
		code problem.Code
	}{
		{create(`{"source":"films/a.mkv","strength":2}`), problem.BadRequest},
		{create(`{"source":"films/a.mkv","preset":"gloomy"}`), problem.BadRequest},
		{create(`{"source":"films/a.mkv","Model":"x"}`), problem.BadRequest},
		{create(strings.Repeat("[", 100000)), problem.BadRequest},
		{create(""), problem.BadRequest},
		{d.ask("POST", "/v1/sessions", "{}", "Content-Type", "text/plain"), problem.BadRequest},
		{d.ask("GET", "/v1/sessions?page=2", ""), problem.BadRequest},
		{d.ask("GET", "/v1/sessions/..%2fa", ""), problem.BadRequest},
		{d.ask("PATCH", path, `{"strength":-1}`), problem.BadRequest},
		{create(`{"source":"` + strings.Repeat("a", 2<<20) + `"}`), problem.TooLarge},
		{d.ask("GET", "/v1/sessions", "", "Origin", "https://evil.example"), problem.OriginRefused},
		{d.ask("GET", "/v2/sessions", ""), problem.NotFound},
		{d.ask("PUT", "/v1/sessions", "{}"), problem.MethodNotAllowed},
		{d.ask("GET", "/v1/sessions/"+strings.Repeat("a", 26), ""), problem.SessionUnknown},
		{d.ask("POST", "/v1/sessions/"+strings.Repeat("a", 26)+"/seek", `{"position":1}`), problem.SessionUnknown},
		{create(`{"source":"films/a.mkv","model":"none-x2"}`), problem.ModelUnknown},
		{d.ask("PATCH", path, `{"model":"../x"}`), problem.ModelUnknown},
		{create(`{"source":"films/a.mkv","filters":{"lut":"none"}}`), problem.LUTUnknown},
		{create(`{"source":"films/a.mkv","filters":{"lut":"../a"}}`), problem.LUTUnknown},
		{create(`{"source":"films/a.mkv","filters":{"lut":"broken"}}`), problem.LUTUnknown},
		{create(`{"source":"films/a.mkv","audio":7}`), problem.StreamUnknown},
		{d.ask("GET", base+"audio/3/index.m3u8", ""), problem.StreamUnknown},
		{d.ask("GET", base+"video/0/999.m4s", ""), problem.SegmentOutOfRange},
		{d.ask("GET", base+"video/9/0.m4s", ""), problem.SegmentOutOfRange},
		{d.ask("GET", base+"video/0/00.m4s", ""), problem.NotFound},
		{d.ask("GET", "/v1/sessions/"+s.ID+"/media/"+strings.Repeat("A", 32)+"/master.m3u8", ""), problem.CapabilityInvalid},
		{d.ask("GET", strings.Replace(s.URLs.Master, s.ID, strings.Repeat("a", 26), 1), ""), problem.CapabilityInvalid},
	} {
		got.refused(t, row.got, row.code)
	}
	want[playback.Session](t, d.ask("GET", path, ""), 200)
	if a := d.ask("DELETE", path, ""); a.status != 204 {
		t.Fatal(a.status)
	}
	got.refused(t, d.ask("GET", s.URLs.Master, ""), problem.SessionEnded)
	got.refused(t, d.ask("PATCH", path, `{"strength":1}`), problem.SessionEnded)
}

func problemsOfFilms(t *testing.T, got *seen) {
	t.Helper()
	remote := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/large":
			w.Header().Set("Content-Range", "bytes 0-99/99999999999")
			w.WriteHeader(http.StatusPartialContent)
		case "/down":
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	t.Cleanup(remote.Close)
	c := settings(t)
	c.Media.HTTP.Hosts, c.Media.HTTP.MaxBytes = []string{remote.Listener.Addr().String()}, 1<<20
	d := begin(t, c)
	must(t, os.WriteFile(filepath.Join(d.films, "empty.mkv"), nil, 0o600))
	must(t, os.WriteFile(filepath.Join(d.films, "text.mkv"), []byte("text"), 0o600))
	for source, code := range map[string]problem.Code{
		"films/../a": problem.SourceRefused, "/etc/passwd": problem.SourceRefused, "http://169.254.169.254/": problem.SourceRefused,
		"films/none": problem.SourceNotFound, "films/empty.mkv": problem.SourceEmpty, "films/text.mkv": problem.NotMedia,
		remote.URL + "/plain": problem.SourceNotSeekable, remote.URL + "/large": problem.SourceTooLarge, remote.URL + "/down": problem.SourceUnreachable,
	} {
		got.refused(t, d.ask("POST", "/v1/sessions", `{"source":"`+source+`"}`), code)
	}
	name := d.add("film", workertest.Film{})
	got.refused(t, d.ask("POST", "/v1/sessions", `{"source":"`+name+`","provider":"cuda"}`), problem.ProviderUnavailable)
	// What a worker finds out is of its own; the fake one is told to find it.
	for _, code := range []problem.Code{
		problem.NoVideo, problem.Encrypted, problem.UnknownCodec, problem.PictureTooLarge, problem.Damaged, problem.SizeChanged,
		problem.HDRRefused, problem.ModelInvalid, problem.ModelFailed, problem.ProviderUnavailable, problem.RuntimeMissing,
		problem.ElementMissing, problem.DiskFull, problem.WorkerMemory, problem.Stalled,
	} {
		name := d.add("film", workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Refuse, Code: string(code), Sentence: "It is so."}})
		answer := d.ask("POST", "/v1/sessions", `{"source":"`+name+`"}`)
		got.refused(t, answer, code)
		if p := refused(t, answer, code); p.Detail != "It is so." {
			t.Errorf("%s: %q", code, p.Detail)
		}
	}
	name = d.add("film", workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Refuse, Code: "of_tomorrow", Sentence: "secret"}})
	answer := d.ask("POST", "/v1/sessions", `{"source":"`+name+`"}`)
	got.refused(t, answer, problem.Internal)
	if strings.Contains(string(answer.body), "secret") {
		t.Errorf("%s", answer.body)
	}
}

func problemsOfRoom(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.Sessions.Max, c.Shutdown.Drain = 2, patience
	d := begin(t, c)
	film, heavy := d.add("a.mkv", workertest.Film{Cost: 1}), d.add("b.mkv", workertest.Film{Cost: 1e6})
	answer := d.ask("POST", "/v1/sessions", `{"source":"`+heavy+`"}`)
	got.refused(t, answer, problem.Busy)
	p := refused(t, answer, problem.Busy)
	if p.Figures["cpu_needed_ms_per_s"] != 1e6 || p.Figures["cpu_limit_ms_per_s"] <= 0 || p.Retryable || answer.header.Get("Retry-After") != "" {
		t.Errorf("what never fits: %s", answer.body)
	}
	first, _ := d.play(film), d.play(film)
	answer = d.ask("POST", "/v1/sessions", `{"source":"`+film+`"}`)
	got.refused(t, answer, problem.TooManySessions)
	if p := refused(t, answer, problem.TooManySessions); p.Figures["sessions_limit"] != 2 || answer.header.Get("Retry-After") == "" {
		t.Errorf("%v: %s", answer.header, answer.body)
	}
	d.stop()
	for !d.sessions.Draining() { // the signal is on its way
		<-time.After(time.Millisecond)
	}
	got.refused(t, d.ask("POST", "/v1/sessions", `{"source":"`+film+`"}`), problem.ShuttingDown)
	got.refused(t, d.ask("GET", "/ready", ""), problem.NotReady)
	want[playback.Session](t, d.ask("GET", "/v1/sessions/"+first.ID, ""), 200) // those that there are go on
	close(d.hurry)
}

func problemsOfWorkers(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.Workers.Command, c.Workers.Spare = fakeWorker(t, workertest.ExitAtStart), 0
	d := begin(t, c)
	got.refused(t, d.ask("POST", "/v1/sessions", `{"source":"`+d.add("a.mkv", workertest.Film{})+`"}`), problem.WorkerUnavailable)
	got.refused(t, d.ask("GET", "/ready", ""), problem.NotReady)

	c = settings(t)
	c.Sessions.StartTimeout = time.Second
	d = begin(t, c)
	deaf := d.add("deaf.mkv", workertest.Film{Trouble: workertest.Trouble{Kind: workertest.DeadOpen}})
	got.refused(t, d.ask("POST", "/v1/sessions", `{"source":"`+deaf+`"}`), problem.WorkerHung)
	slow := d.play(d.add("slow.mkv", workertest.Film{Speed: 0.01}))
	got.refused(t, d.ask("GET", strings.TrimSuffix(slow.URLs.Master, "master.m3u8")+"video/0/0.m4s", ""), problem.Timeout)
	d.fails(d.play(d.add("bad.mkv", workertest.Film{Speed: 50, Trouble: workertest.Trouble{Kind: workertest.Mute, After: 30}})), problem.WorkerHung)
	for kind, code := range map[workertest.Kind]problem.Code{
		workertest.Exit: problem.WorkerLost, workertest.Abort: problem.WorkerFailed,
	} {
		s := d.play(d.add("bad.mkv", workertest.Film{Speed: 50, Trouble: workertest.Trouble{Kind: kind, After: 30}}))
		d.fails(s, code)
		got.codes[code] = true
		p := refused(t, d.ask("GET", s.URLs.Master, ""), problem.SessionEnded)
		if !strings.Contains(p.Detail, string(code)) {
			t.Errorf("%s: %q", kind, p.Detail)
		}
	}
}

func problemsOfControl(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.Control.Max = 1
	d := begin(t, c)
	handshake := []string{"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="}
	got.refused(t, d.ask("GET", "/v1/control", "", append(handshake, "Sec-WebSocket-Protocol", "upscaled.v9")...), problem.VersionUnsupported)
	got.refused(t, d.ask("GET", "/v1/control", ""), problem.BadRequest)
	text := "GET /v1/control HTTP/1.1\r\nHost: localhost\r\nSec-WebSocket-Protocol: upscaled.v1\r\n"
	for pair := range slices.Chunk(handshake, 2) {
		text += pair[0] + ": " + pair[1] + "\r\n"
	}
	_, in := d.raw(text + "\r\n")
	if line, err := in.ReadString('\n'); err != nil || !strings.Contains(line, "101") {
		t.Fatalf("%q, %v", line, err)
	}
	got.refused(t, d.ask("GET", "/v1/control", "", append(handshake, "Sec-WebSocket-Protocol", "upscaled.v1")...), problem.TooManyConnections)
}

// fails waits until a session has failed, and checks how.
func (d *daemon) fails(s playback.Session, code problem.Code) {
	d.t.Helper()
	one, err := d.sessions.Get(s.ID)
	must(d.t, err)
	select {
	case <-one.Ended():
	case <-time.After(patience):
		d.t.Fatalf("the session does not end by %s", code)
	}
	told := want[playback.Session](d.t, d.ask("GET", "/v1/sessions/"+s.ID, ""), 200)
	if told.Cause != "failed" || told.Failure == nil || told.Failure.Code != code || told.Failure.Detail == "" {
		d.t.Fatalf("%s: %+v", code, told.Failure)
	}
}

// TestWorkerWithTooMuchMemoryIsEnded lets a worker have next to none.
func TestWorkerWithTooMuchMemoryIsEnded(t *testing.T) {
	c := settings(t)
	c.Workers.Memory = 1
	d := begin(t, c)
	d.fails(d.play(d.add("a.mkv", workertest.Film{})), problem.WorkerMemory)
}

func problemsOfTokens(t *testing.T, got *seen) {
	t.Helper()
	d := begin(t, settings(t))
	got.refused(t, d.ask("GET", "/v1/sessions", "", "Origin", "https://evil.example"), problem.OriginRefused)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, d.url+"/v1/sessions", nil)
	must(t, err)
	request.Host = "films.example" // resolved to loopback by who owns that name
	response, err := http.DefaultTransport.RoundTrip(request)
	must(t, err)
	must(t, response.Body.Close())
	if response.StatusCode != http.StatusForbidden {
		t.Errorf("a foreign name: %d", response.StatusCode)
	}
	got.codes[problem.Forbidden] = true

	c := guarded(t)
	c.Auth.CapabilityTTL = time.Nanosecond
	d = begin(t, c)
	s := want[playback.Session](t, d.ask("POST", "/v1/sessions", `{"source":"`+d.add("a.mkv", workertest.Film{})+`"}`, auth.TokenHeader, token), 201)
	got.refused(t, d.ask("GET", s.URLs.Master, ""), problem.CapabilityExpired)
	got.refused(t, d.ask("GET", "/v1/sessions", ""), problem.Unauthorized)
	for range 20 {
		d.ask("GET", "/v1/sessions", "", auth.TokenHeader, "wrong")
	}
	answer := d.ask("GET", "/v1/sessions", "", auth.TokenHeader, "wrong")
	got.refused(t, answer, problem.RateLimited)
	if answer.header.Get("Retry-After") == "" {
		t.Errorf("%v", answer.header)
	}
}

// guarded returns a configuration with a token.
func guarded(t *testing.T) config.Config {
	t.Helper()
	c := settings(t)
	var err error
	c.Auth.Token, err = auth.ParseToken(token)
	must(t, err)
	return c
}

// TestFaultsAreNamed demands the place of every fault, and no value of a request.
func TestFaultsAreNamed(t *testing.T) {
	d := begin(t, settings(t))
	p := refused(t, d.ask("POST", "/v1/sessions", `{"strength":"secret-value","hue":1}`), problem.BadRequest)
	var places []string
	for _, f := range p.Faults {
		places = append(places, f.Where)
		if strings.Contains(f.What, "secret-value") {
			t.Errorf("repeats a value: %+v", f)
		}
	}
	slices.Sort(places)
	if want := []string{"body", "body.hue", "body.strength"}; !slices.Equal(places, want) {
		t.Errorf("places %v, want %v: %s", places, want, fmt.Sprint(p.Faults))
	}
}

// problemsOfTranscodes gets those of bodies that are no films, or do not come whole.
func problemsOfTranscodes(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.Transcode.BodyIdle, c.Transcode.SpoolMax, c.Transcode.Queue, c.Sessions.Max = 300*time.Millisecond, 1<<20, 1, 1
	d := begin(t, c)
	raw := func(text string) answer {
		t.Helper()
		_, in := d.raw("PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\n" + text)
		response, err := http.ReadResponse(in, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		must(t, errors.Join(err, response.Body.Close()))
		return answer{response.StatusCode, response.Header, body}
	}
	ask := func(query string, body io.Reader, headers ...string) answer {
		t.Helper()
		response := d.put(query, body, headers...)
		text, err := io.ReadAll(response.Body)
		must(t, err)
		return answer{response.StatusCode, response.Header, text}
	}
	film := func() io.Reader { return bytes.NewReader(upload(workertest.Film{}, nil)) }
	for where, a := range map[string]answer{
		"query.heigth":            ask("?heigth=720", film()),
		"query.height":            ask("?height=720&height=1080", film()),
		"query.container":         ask("?container=avi", film()),
		"query.quality":           ask("?quality=60", film()),
		"query.strength":          ask("?strength=NaN", film()),
		"query.start":             ask("?start=-1", film()),
		"query.duration":          ask("?duration=0", film()),
		"query.audio":             ask("?audio=", film()),
		"query.filters":           ask("?filters=gamma:1,gamma:2", film()),
		"query.source":            ask("?source=films/a.mkv", film()),
		"query":                   ask("?a;b", film()),
		"header.Content-Range":    ask("", film(), "Content-Range", "bytes 0-1/2"),
		"header.Content-Encoding": ask("", film(), "Content-Encoding", "gzip"),
		"header.Content-Type":     ask("", film(), "Content-Type", "multipart/form-data; boundary=x"),
	} {
		if p := refused(t, a, problem.BadRequest); len(p.Faults) != 1 || p.Faults[0].Where != where {
			t.Errorf("%s: %s", where, a.body)
		}
	}
	refusing := workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Refuse, Code: "encrypted", Sentence: "It is encrypted."}}
	failing := workertest.Film{Trouble: workertest.Trouble{Kind: workertest.Fail, Code: "damaged", Sentence: "It is damaged."}}
	for _, row := range []struct {
		got  answer
		code problem.Code
	}{
		{ask("", nil), problem.SourceEmpty},
		{ask("", io.MultiReader(strings.NewReader(""))), problem.SourceEmpty},
		{ask("?source=films/none.mkv", nil), problem.SourceNotFound},
		{ask("?model=none-x2", film()), problem.ModelUnknown},
		{ask("?preset=gloomy", film()), problem.BadRequest},
		{ask("", strings.NewReader("RIFF")), problem.NotMedia},
		{ask("", bytes.NewReader(upload(refusing, nil))), problem.Encrypted},
		{ask("", bytes.NewReader(upload(failing, nil))), problem.Damaged}, // before the first byte of the result
		{ask("", bytes.NewReader(lastIndex(workertest.Film{}, 2<<20))), problem.SpoolFull},
		{ask("", io.MultiReader(bytes.NewReader(lastIndex(workertest.Film{}, 2<<20)))), problem.SpoolFull},
		{raw("Content-Length: 1000\r\n\r\n{\"feed\":"), problem.BodyStalled},
		{raw("Transfer-Encoding: chunked\r\n\r\n5\r\n{\"fee\r\nnonsense\r\n"), problem.BodyIncomplete},
	} {
		got.refused(t, row.got, row.code)
	}
	d.begunSlowly()
	d.raw("PUT /v1/transcode HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
	until(t, "one waits", func() bool { return d.transcode.Stats().Waiting == 1 })
	got.refused(t, ask("", film()), problem.QueueFull)
}

// problemsOfJobs gets what is wrong with orders.
func problemsOfJobs(t *testing.T, got *seen) {
	t.Helper()
	c := settings(t)
	c.Media.Roots = append(c.Media.Roots, config.Root{Name: "shut", Path: t.TempDir()})
	c.Jobs.Roots, c.Jobs.Max = config.Names{"films"}, 1
	d := begin(t, c)
	name := d.add("a.mkv", workertest.Film{})
	d.add("more/b.mkv", workertest.Film{})
	d.add("there.mkv", workertest.Film{})
	d.add("there.upscaled.mkv", workertest.Film{})
	order := func(document string) answer { return d.ask("POST", "/v1/jobs", document) }
	got.refused(t, order(`{"source":"films/there.mkv"}`), problem.OutputExists)
	got.refused(t, order(`{"source":"`+name+`","output":"shut"}`), problem.OutputRefused)
	got.refused(t, order(`{"source":"`+name+`","webhook":{"url":"http://localhost/hook"}}`), problem.WebhookRefused)
	added := want[jobs.Added](t, order(`{"source":"`+name+`","paused":true}`), 201)
	got.refused(t, order(`{"source":"films/more"}`), problem.TooManyJobs)
	path := "/v1/jobs/" + added.Jobs[0].ID
	want[jobs.Job](t, d.ask("DELETE", path, ""), 200)
	got.refused(t, d.ask("PATCH", path, `{"priority":3}`), problem.JobOver)
	got.refused(t, d.ask("GET", "/v1/jobs/"+strings.Repeat("a", 26), ""), problem.JobUnknown)
}
