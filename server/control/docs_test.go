package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

var document = filepath.Join("..", "..", "docs", "control.md")

// What stands in the document for what is another each time.
const (
	docSession    = "vlqw6y2zcmkyd4tmcazxe4nvqi"
	docJob        = "mzrt5f7wq2kcx3vyh6nbd4epsa"
	docOrder      = "o3k7yqzw5dcnv4hbt2xgmf6rje"
	docCapability = "AAAAAGl-YFCrIM9b5oyO-dqG4Ew_LhGt"
)

// rest says that an object or a list of the document leaves out what follows.
const rest = "…"

// volatile are the members that are another each time: only their types are held
// to the document.
var volatile = []string{
	"seq", "created", "ended", "time", "state", "master", "mp4", "ts", "mkv", "whep", "expires", "buffered",
	"position", "percent", "elapsed", "eta", "decoded", "fps", "real_time", "cores", "memory", "median_ms", "p95_ms", "upscaled", "plain", "dropped", "repeated", "encoded", "provider",
}

// example is a marked block of the document.
type example struct {
	kind     string // request, reply or event
	stranger bool   // on a connection of its own, without a token
	text     string
	line     int
}

var fence = regexp.MustCompile("^```json (request|reply|event)( stranger)?$")

// examples reads the document.
func examples(t *testing.T) []example {
	t.Helper()
	text, err := os.ReadFile(document)
	must(t, err)
	var all []example
	var now *example
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch m := fence.FindStringSubmatch(line); {
		case now == nil && m != nil:
			now = &example{kind: m[1], stranger: m[2] != "", line: n}
		case now != nil && line == "```":
			all, now = append(all, *now), nil
		case now != nil:
			now.text += line + "\n"
		case strings.HasPrefix(line, "```json"):
			t.Errorf("%s:%d: the block is neither request, reply nor event", document, n)
		}
	}
	return all
}

// TestDocument replays the examples, in their order, against a server with worker
// processes.
func TestDocument(t *testing.T) {
	films := newFilms(t)
	s := setUp(t, func(c *config) { c.starter = films })
	films.run(t)
	r := &replay{stage: s, films: films}
	ws, _, err := s.handshake(nil, Protocol, asToken(secret))
	must(t, err)
	r.main = &client{ws, t}
	defer func() { _ = ws.Close() }()
	for _, e := range examples(t) {
		if !t.Run(fmt.Sprintf("line %d", e.line), func(t *testing.T) { r.play(t, e) }) {
			return
		}
	}
}

// replay plays the document.
type replay struct {
	*stage
	films *films
	main  *client
	asked *client          // that the last request was sent on
	id    string           // of the session
	job   string           // that was ordered
	order string           // it came of
	early []map[string]any // messages that came before the document has them
}

func (r *replay) play(t *testing.T, e example) {
	t.Helper()
	var doc map[string]any
	must(t, json.Unmarshal([]byte(e.text), &doc))
	switch e.kind {
	case "request":
		r.ask(e)
	case "reply":
		r.answered(t, doc)
	case "event":
		r.told(t, doc)
	}
}

func (r *replay) ask(e example) {
	r.t.Helper()
	r.asked = r.main
	text := e.text
	if e.stranger {
		r.asked = r.stranger()
		capability, _ := r.signer.Sign(docSession) // a capability needs no session that is there
		text = strings.ReplaceAll(text, docCapability, capability)
	}
	if r.id != "" {
		text = strings.ReplaceAll(text, docSession, r.id)
	}
	if r.job != "" {
		text = strings.ReplaceAll(text, docJob, r.job)
	}
	r.asked.send(text)
}

func (r *replay) answered(t *testing.T, doc map[string]any) {
	t.Helper()
	m := r.await(t, r.asked, func(m map[string]any) bool { return m["ok"] != nil })
	if payload, ok := m["payload"].(map[string]any); ok && r.id == "" {
		if r.id, _ = payload["id"].(string); r.id != "" {
			m = r.rename(t, m)
		}
	}
	if payload, ok := m["payload"].(map[string]any); ok && r.job == "" && payload["order"] != nil {
		r.order, _ = payload["order"].(string)
		r.job, _ = payload["jobs"].([]any)[0].(map[string]any)["id"].(string)
		m = r.rename(t, m)
		for i := range r.early { // its events may have come before
			r.early[i] = r.rename(t, r.early[i])
		}
	}
	if err := same("", doc, m); err != nil {
		t.Errorf("%v; the reply is\n%s", err, pretty(m))
	}
}

func (r *replay) told(t *testing.T, doc map[string]any) {
	t.Helper()
	switch doc["type"] { // what does not come of the requests before
	case eventWarning:
		r.films.handler().Warning(wire.Warning{Code: "damaged", Sentence: "A part of the film cannot be read."})
	case eventNotice:
		r.server.Announce(Notice{Code: NoticeShutdown, Message: "The server is ending.", Seconds: 10})
	}
	last := ""
	r.await(t, r.main, func(m map[string]any) bool {
		if m["type"] != doc["type"] {
			return false
		}
		err := same("", doc, m)
		if err != nil && err.Error() != last {
			last = err.Error()
			t.Logf("%v; the event is\n%s", err, pretty(m))
		}
		return err == nil
	})
}

// await returns the first message that is the one, of those that came early, too.
func (r *replay) await(t *testing.T, c *client, is func(map[string]any) bool) map[string]any {
	t.Helper()
	if i := slices.IndexFunc(r.early, is); i >= 0 {
		m := r.early[i]
		r.early = slices.Delete(r.early, i, i+1)
		return m
	}
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	for {
		m := r.read(t, c)
		if is(m) {
			return m
		}
		if c == r.main {
			r.early = append(r.early, m)
		}
	}
}

// read returns the next message, in the words of the document.
func (r *replay) read(t *testing.T, c *client) map[string]any {
	t.Helper()
	_, data, err := c.ReadMessage()
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(data, &m))
	return r.rename(t, m)
}

// rename puts the document's ids in place of the got ones.
func (r *replay) rename(t *testing.T, m map[string]any) map[string]any {
	t.Helper()
	data, err := json.Marshal(m)
	must(t, err)
	for got, doc := range map[string]string{r.id: docSession, r.job: docJob, r.order: docOrder} {
		if got != "" {
			data = bytes.ReplaceAll(data, []byte(got), []byte(doc))
		}
	}
	var renamed map[string]any
	must(t, json.Unmarshal(data, &renamed))
	return renamed
}

func pretty(m any) string {
	data, _ := json.MarshalIndent(m, "", "  ")
	return string(data)
}

// same compares what the document says with what came.
func same(where string, doc, got any) error {
	name := where[strings.LastIndex(where, ".")+1:]
	if reflect.TypeOf(doc) != reflect.TypeOf(got) {
		return fmt.Errorf("%s is %v, and in the document %v", where, got, doc)
	}
	switch doc := doc.(type) {
	case map[string]any:
		return sameObject(where, doc, got.(map[string]any))
	case []any:
		return sameList(where, doc, got.([]any))
	}
	if doc != got && !slices.Contains(volatile, name) {
		return fmt.Errorf("%s is %v, and in the document %v", where, got, doc)
	}
	return nil
}

func sameObject(where string, doc, got map[string]any) error {
	for name, want := range doc {
		have, there := got[name]
		if name == rest {
			continue
		}
		if !there {
			return fmt.Errorf("%s.%s is in the document alone", where, name)
		}
		if err := same(where+"."+name, want, have); err != nil {
			return err
		}
	}
	if _, open := doc[rest]; open {
		return nil
	}
	for name := range got {
		if _, there := doc[name]; !there && name != "stats" { // which a session has after a second
			return fmt.Errorf("%s.%s is not in the document", where, name)
		}
	}
	return nil
}

func sameList(where string, doc, got []any) error {
	if n := len(doc); n > 0 && doc[n-1] == rest {
		doc = doc[:n-1]
		got = got[:min(len(doc), len(got))]
	}
	if len(doc) != len(got) {
		return fmt.Errorf("%s has %d entries, and in the document %d", where, len(got), len(doc))
	}
	for i := range doc {
		if err := same(fmt.Sprintf("%s[%d]", where, i), doc[i], got[i]); err != nil {
			return err
		}
	}
	return nil
}

// TestDocumentIsComplete holds the document to the code: each message is there
// with an example, and each close code in its table.
func TestDocumentIsComplete(t *testing.T) {
	shown := map[string]bool{}
	for _, e := range examples(t) {
		var m struct{ Type string }
		must(t, json.Unmarshal([]byte(e.text), &m))
		shown[e.kind+" "+m.Type] = true
	}
	for name := range requests() {
		if !shown["request "+name] {
			t.Errorf("no example of the request %s", name)
		}
	}
	for _, name := range []string{eventHello, eventNotice, eventState, eventStats, eventPlaylist, eventWarning, eventJob, eventProgress} {
		if !shown["event "+name] {
			t.Errorf("no example of the event %s", name)
		}
	}
	text, err := os.ReadFile(document)
	must(t, err)
	for _, c := range []*closing{
		errBinary, errNotUTF8, errTooBig, errShutdown, errSlow, errUnauthorized, errNoToken, errSilent, errFlood,
	} {
		if !bytes.Contains(text, fmt.Appendf(nil, "\n| %d |", c.code)) {
			t.Errorf("no line for the close code %d", c.code)
		}
	}
}

// films is the server's own Starter over fake workers and a folder of films, which
// lets the test speak for a worker.
type films struct {
	session.Films
	mu   sync.Mutex
	last session.Handler // guarded by mu
}

func newFilms(t *testing.T) *films {
	t.Helper()
	folder := t.TempDir()
	film := workertest.Film{Duration: workertest.Length(10 * time.Second), Speed: 3}
	must(t, os.WriteFile(filepath.Join(folder, "night-train.film"), film.Bytes(), 0o600))
	must(t, os.WriteFile(filepath.Join(folder, "a.mkv"), film.Bytes(), 0o600))
	log := slog.New(slog.DiscardHandler)
	sources, err := source.New(source.Options{Roots: map[string]string{"films": folder}, Limits: source.DefaultLimits(), Log: log})
	must(t, err)
	workers, err := pool.New(pool.Options{
		Command: []string{os.Args[0]}, Spare: 1, Rest: time.Millisecond, Log: log,
		Env: []string{workertest.Env(""), "GORACE=atexit_sleep_ms=0"},
	})
	must(t, err)
	return &films{Films: session.Films{Sources: sources, Workers: workers}}
}

// run runs the workers until the test ends.
func (f *films) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() { must(t, f.Workers.Run(ctx)) })
	t.Cleanup(func() {
		cancel()
		all.Wait()
	})
}

func (f *films) Start(ctx context.Context, name string, job session.Job, handler session.Handler) (session.Worker, wire.Opened, error) {
	f.mu.Lock()
	f.last = handler
	f.mu.Unlock()
	return f.Films.Start(ctx, name, job, handler)
}

func (f *films) handler() session.Handler {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}
