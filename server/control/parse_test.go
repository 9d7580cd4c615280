package control

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]request{
		`{"id":"a","type":"session.list"}`:                    {json.RawMessage(`"a"`), "session.list", json.RawMessage(`{}`)},
		`{"id":0,"type":"x","payload":null}`:                  {json.RawMessage(`0`), "x", json.RawMessage(`{}`)},
		` {"payload":{"a":[1]},"type":"x","id":99999} `:       {json.RawMessage(`99999`), "x", json.RawMessage(`{"a":[1]}`)},
		`{"id":"\u00e4","type":"\u0078","payload":{"a":{}}} `: {json.RawMessage(`"\u00e4"`), "x", json.RawMessage(`{"a":{}}`)},
	} {
		got, err := parse([]byte(text))
		if err != nil || string(got.ID) != string(want.ID) || got.Type != want.Type || string(got.Payload) != string(want.Payload) {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, maxDepth-1) + "[]" + strings.Repeat("}", maxDepth-1)
	if _, err := parse([]byte(`{"id":1,"type":"x","payload":` + deep[len(`{"a":`):len(deep)-1] + `}`)); err != nil {
		t.Errorf("as deep as may be: %v", err)
	}
	for text, says := range map[string]string{
		``: "no JSON", `nonsense`: "no JSON", `{"id":1`: "no JSON", `{"id":1,}`: "no JSON", "\x00": "no JSON",
		`[]`: "object", `null`: "object", `1`: "object", `"x"`: "object",
		`{"id":1,"type":"x"}{}`: "one JSON value",
		`{}`:                    "id: must", `{"type":"x"}`: "id: must", `{"id":null,"type":"x"}`: "id: must",
		`{"id":1.5,"type":"x"}`: "id: must", `{"id":-1,"type":"x"}`: "id: must", `{"id":1e3,"type":"x"}`: "id: must",
		`{"id":"","type":"x"}`: "id: must", `{"id":{},"type":"x"}`: "id: must", `{"id":1234567890123456,"type":"x"}`: "id: must",
		`{"id":"` + strings.Repeat("x", maxID) + `","type":"x"}`: "id: must",
		`{"id":1}`:                                         "type: must",
		`{"id":1,"type":""}`:                               "type: must",
		`{"id":1,"type":7}`:                                "type: must",
		`{"id":1,"type":"x","payload":[]}`:                 "payload: must",
		`{"id":1,"type":"x","payload":"{}"}`:               "payload: must",
		`{"id":1,"type":"x","more":1}`:                     `"more": is no member`,
		`{"id":1,"type":"x","Type":"y"}`:                   `"Type": is no member`,
		`{"id":1,"type":"x","type":"y"}`:                   `"type": is there twice`,
		`{"id":1,"payload":{"a":1,"\u0061":2},"type":"x"}`: `"a": is there twice`,
		`{"id":1,"type":"x","payload":` + deep + `}`:       "deep",
		strings.Repeat("[", 60_000):                        "deep",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), says) || problem.From(err).Code != problem.BadRequest {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestReplyNamesTheRequestThatIsBroken(t *testing.T) {
	s := setUp(t)
	c := s.client()
	c.send(`{"id":5,"type":"session.list","extra":true}`)
	if m := c.next(); string(m.ID) != "5" || *m.OK || m.Error.Faults[0].Where != `"extra"` {
		t.Errorf("%+v", m)
	}
	c.send(`what`)
	if m := c.next(); string(m.ID) != "null" || *m.OK || m.Error.Code != problem.BadRequest {
		t.Errorf("%+v", m)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"id":1,"type":"session.list","payload":{}}`, `{"id":"x","type":"a","payload":{"b":[1,{"c":null}]}}`, `{"id":1,"id":2}`, `[[[[`, `{"id":"\ud800"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parse(data)
		if err != nil {
			if playback.Problem(err).Code != problem.BadRequest {
				t.Errorf("%v", err)
			}
			return
		}
		var whole struct {
			ID      json.RawMessage
			Type    string
			Payload map[string]any
		}
		if err := json.Unmarshal(data, &whole); err != nil || whole.Type != r.Type || !bytes.Equal(whole.ID, r.ID) {
			t.Errorf("%+v is read as %+v: %v", whole, r, err)
		}
		if len(r.Payload) == 0 || r.Payload[0] != '{' || !json.Valid(r.Payload) || !json.Valid(r.ID) {
			t.Errorf("%+v", r)
		}
	})
}

// FuzzRequests sends whatever payload there may be to each request: there is one
// reply, it is sound, and no fault is ours.
func FuzzRequests(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"session":"ID"}`, `{"session":"ID","position":1e300}`, `{"session":"ID","strength":0.5,"from":3,"filters":{"lut":"plain"}}`,
		`{"source":"films/a.mkv","output":{"height":720},"audio":0}`, `{"sessions":["ID"]}`, `{"session":"ID","model":"swift-s-x2","output":{"height":24}}`, `{"token":"x"}`,
	} {
		for i := range len(requests()) {
			f.Add(uint8(i), text)
		}
	}
	table := requests()
	names := slices.Sorted(maps.Keys(table))
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		name := names[int(which)%len(names)]
		s := setUp(t)
		one, err := s.manager.Create(t.Context(), sessionRequest())
		must(t, err)
		text = strings.ReplaceAll(text, "ID", one.ID())
		c := &conn{
			server: s.server, request: httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil), out: newOutbox(1024), tails: map[string]chan struct{}{},
			log: s.server.options.Log, who: auth.Principal{Role: auth.Admin}, shown: map[string]uint64{},
		}
		var ctx context.Context
		ctx, c.cancel = context.WithCancelCause(t.Context())
		c.known.Store(true)
		// A change that needs a new generation waits for pictures, which stubs never make.
		patience := time.AfterFunc(50*time.Millisecond, func() { c.end(io.EOF) })
		defer patience.Stop()
		c.take(ctx, []byte(`{"id":1,"type":"`+name+`","payload":`+text+`}`))
		c.jobs.Wait()
		replies := 0
		for p, ok := c.out.take(); ok; p, ok = c.out.take() {
			var m told
			must(t, json.Unmarshal(p.frame, &m))
			if m.OK == nil {
				continue // an event
			}
			replies++
			if m.Error != nil && (m.Error.Code == problem.Internal || m.Error.Message == "") {
				t.Errorf("%s %s: %+v", name, text, m.Error)
			}
		}
		if replies != 1 {
			t.Errorf("%s %s: %d replies", name, text, replies)
		}
	})
}
