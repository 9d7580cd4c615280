package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// stats are figures that tell their number.
func stats(n int64) wire.Stats {
	return wire.Stats{Upscaled: n, Encoded: n, Median: 8, P95: 12, Model: "swift-s-x2", Provider: "cpu"}
}

func TestTwoConnectionsSteerOneSession(t *testing.T) {
	s := setUp(t)
	a, b := s.client(), s.client()
	id := a.create()
	if got := payload[playback.Session](t, b.ask("session.get", `{"session":"`+id+`"}`)); got.ID != id || got.URLs == nil {
		t.Errorf("%+v", got)
	}
	until := func(c *client, what string, is func(playback.Session) bool) {
		t.Helper()
		for last := uint64(0); ; {
			m := c.event(eventState)
			got := payload[playback.Session](t, m)
			if m.Seq < last || m.Seq != got.Seq || got.ID != id {
				t.Fatalf("%s: %+v", what, m)
			}
			if last = m.Seq; is(got) {
				return
			}
		}
	}
	b.ask("session.seek", `{"session":"`+id+`","position":12.5}`)
	until(a, "seek", func(s playback.Session) bool { return s.Position == 12.5 })
	a.ask("session.set", `{"session":"`+id+`","strength":0.25,"filters":{"contrast":1.5}}`)
	until(b, "set", func(s playback.Session) bool {
		return s.Settings.Strength == 0.25 && s.Settings.Filters.Contrast == 1.5
	})
	b.ask("session.close", `{"session":"`+id+`"}`)
	until(a, "close", func(s playback.Session) bool { return s.State == "ended" && s.Cause == "client" && s.URLs == nil })
	a.refused("session_ended", "session.pause", `{"session":"`+id+`"}`)
	a.refused("session_ended", "session.seek", `{"session":"`+id+`","position":1}`)
}

func TestSessionDiesUnderASubscriber(t *testing.T) {
	s := setUp(t)
	c := s.client()
	id := c.create()
	c.ask("stats.subscribe", `{"sessions":["`+id+`"]}`)
	s.starter.last().handler.Warning(wire.Warning{Code: "late", Sentence: "It is late."})
	if m := c.event(eventWarning); string(m.Payload) != `{"code":"late","message":"It is late."}` || m.Session != id || m.Seq == 0 {
		t.Errorf("%+v %s", m, m.Payload)
	}
	s.starter.last().handler.Gone(errors.New("killed: /srv/secret"))
	for {
		m := c.event(eventState)
		if strings.Contains(string(m.Payload), "secret") {
			t.Fatalf("%s", m.Payload)
		}
		if got := payload[playback.Session](t, m); got.State == "ended" {
			if got.Cause != "failed" || got.Failure.Code != "worker_lost" || got.Failure.Owner != "us" {
				t.Errorf("%+v", got)
			}
			break
		}
	}
	message := c.refused("session_ended", "session.set", `{"session":"`+id+`","strength":0}`)
	if !strings.Contains(message, "worker_lost") {
		t.Errorf("%s", message)
	}
}

// TestReconnect is what a client does that comes back: it lists its sessions and
// goes on with figures, from the state of now.
func TestReconnect(t *testing.T) {
	s := setUp(t)
	c := s.client()
	id := c.create()
	c.ask("session.seek", `{"session":"`+id+`","position":7}`)
	_ = c.Close()
	c = s.client()
	list := payload[struct{ Sessions []playback.Session }](t, c.ask("session.list", `{}`)).Sessions
	if len(list) != 1 || list[0].ID != id || list[0].Seq == 0 {
		t.Fatalf("%+v", list)
	}
	c.ask("stats.subscribe", `{"sessions":["`+id+`"]}`)
	m := c.event(eventState)
	if got := payload[playback.Session](t, m); got.Position != 7 || m.Seq < list[0].Seq {
		t.Errorf("%+v", m)
	}
	s.starter.last().handler.Stats(stats(3))
	if m := c.event(eventStats); m.Session != id || payload[playback.Stats](t, m).Frames.Upscaled != 3 {
		t.Errorf("%+v", m)
	}
}

// TestFiguresOfTheSessionsThatAreWanted tries each way to say which.
func TestFiguresOfTheSessionsThatAreWanted(t *testing.T) {
	s := setUp(t)
	c := s.client()
	var ids []string
	var workers []*stub
	for range 3 {
		ids = append(ids, c.create())
		workers = append(workers, s.starter.last())
	}
	want := func(step string, which ...int) {
		t.Helper()
		for i, w := range workers {
			w.handler.Stats(stats(int64(i)))
		}
		workers[0].handler.Warning(wire.Warning{Code: step})
		var got []int
		collect := func(m told) {
			if m.Type == eventStats {
				got = append(got, slices.Index(ids, m.Session))
			}
		}
		for m := c.next(); m.Type != eventWarning; m = c.next() {
			collect(m)
		}
		for len(got) < len(which) { // figures may come behind what was told after them
			collect(c.next())
		}
		if slices.Sort(got); !slices.Equal(got, which) {
			t.Errorf("%s: figures of %v, want %v", step, got, which)
		}
	}
	ask := func(kind string, which ...int) {
		t.Helper()
		list := `{}`
		if len(which) > 0 {
			var named []string
			for _, i := range which {
				named = append(named, fmt.Sprintf("%q", ids[i]))
			}
			list = `{"sessions":[` + strings.Join(named, ",") + `]}`
		}
		if m := c.ask(kind, list); !*m.OK {
			t.Fatalf("%+v", m.Error)
		}
	}
	want("at first")
	ask("stats.subscribe", 1)
	want("of one", 1)
	ask("stats.subscribe", 2)
	want("of two", 1, 2)
	ask("stats.unsubscribe", 1)
	want("of one less", 2)
	ask("stats.subscribe")
	want("of all", 0, 1, 2)
	ids, workers = append(ids, c.create()), append(workers, s.starter.last())
	want("of one that came later", 0, 1, 2, 3)
	ask("stats.unsubscribe", 0, 3)
	want("of all but two", 1, 2)
	ask("stats.subscribe", 3)
	want("of all but one", 1, 2, 3)
	ask("stats.unsubscribe")
	want("of none")
	c.refused("session_unknown", "stats.subscribe", `{"sessions":["nobody"]}`)
	want("still none")
}

// TestNothingComesAfterTheEnd has snapshots told that were taken before the one of the
// session's end, as an event under way and a subscription that begins may have them.
func TestNothingComesAfterTheEnd(t *testing.T) {
	s := setUp(t)
	admin := s.client()
	told := &conn{server: s.server, who: auth.Principal{Role: auth.Admin}, out: newOutbox(64), shown: map[string]uint64{}}
	id := admin.create()
	entry, err := s.manager.Find(id)
	must(t, err)
	before := entry.Snapshot()
	admin.ask("session.close", `{"session":"`+id+`"}`)
	for _, shot := range []session.Snapshot{before, entry.Snapshot(), before, entry.Snapshot(), before} {
		told.tellState(shot)
	}
	var states []string
	for {
		p, ok := told.out.take()
		if !ok {
			break
		}
		var e struct{ Payload playback.Session }
		must(t, json.Unmarshal(p.frame, &e))
		states = append(states, string(e.Payload.State))
	}
	if want := []string{string(before.State), "ended", "ended"}; !slices.Equal(states, want) {
		t.Errorf("told %v, want %v", states, want)
	}
	told.shown["forgotten"] = 1
	told.tellState(entry.Snapshot())
	if len(told.shown) != 1 {
		t.Errorf("kept %v", told.shown)
	}
}

// TestFiguresOfNothingAreNotKept has a viewer name sessions that are not his, which
// there need not be.
func TestFiguresOfNothingAreNotKept(t *testing.T) {
	s := setUp(t)
	admin := s.client()
	mine, other := admin.create(), admin.create()
	capability, _ := s.signer.Sign(mine)
	v := s.stranger()
	v.ask("auth", `{"session":"`+mine+`","capability":"`+capability+`"}`)
	v.ask("stats.subscribe", `{}`)
	for _, id := range []string{other, "nobody"} {
		v.refused("session_unknown", "stats.unsubscribe", `{"sessions":["`+mine+`","`+id+`"]}`)
	}
	for _, kind := range []string{"stats.subscribe", "stats.unsubscribe"} {
		v.refused("bad_request", kind, `{"sessions":["`+strings.Repeat("x", 65)+`"]}`)
	}
	admin.refused("session_unknown", "stats.unsubscribe", `{"sessions":["nobody"]}`)
	v.ask("stats.unsubscribe", `{"sessions":["`+mine+`"]}`)
}

// TestOrder has requests of one session worked on as they came, while one of
// another session, and a close, do not wait.
func TestOrder(t *testing.T) {
	s := setUp(t)
	c := s.client()
	held := c.create()
	w := s.starter.last()
	w.gate = make(chan struct{})
	free := c.create()
	for i := range 5 {
		c.send(fmt.Sprintf(`{"id":%d,"type":"session.set","payload":{"session":%q,"strength":%g}}`, i, held, float64(i)/10))
	}
	if m := c.ask("session.set", `{"session":"`+free+`","strength":0.5}`); !*m.OK {
		t.Errorf("%+v", m.Error)
	}
	c.ask("session.ping", `{"session":"`+held+`","position":1}`)
	replies := make([]string, 0, 4)
	for len(replies) < 4 {
		w.gate <- struct{}{}
		for {
			if m := c.next(); m.OK != nil {
				replies = append(replies, string(m.ID))
				break
			}
		}
	}
	if strings.Join(replies, "") != "0123" {
		t.Errorf("answered %v", replies)
	}
	w.mu.Lock()
	for i, set := range w.sets {
		if *set.Strength != float64(i)/10 {
			t.Errorf("change %d: strength %g", i, *set.Strength)
		}
	}
	w.mu.Unlock()
	if m := c.ask("session.close", `{"session":"`+held+`"}`); !*m.OK {
		t.Errorf("%+v", m.Error)
	}
}

func TestClampedValuesAreTold(t *testing.T) {
	s := setUp(t)
	c := s.client()
	got := payload[playback.Session](t, c.ask("session.create", `{"source":"films/a.mkv","preset":"warm","filters":{"brightness":7,"lut":"plain"}}`))
	if !slices.Equal(got.Clamped, []string{"brightness"}) || got.Settings.Filters.Brightness != 1 || got.Settings.Filters.LUT != "plain" {
		t.Errorf("%+v", got)
	}
	got = payload[playback.Session](t, c.ask("session.set", `{"session":"`+got.ID+`","filters":{"grain":-1,"saturation":2}}`))
	if !slices.Equal(got.Clamped, []string{"grain"}) || got.Settings.Filters.Saturation != 2 || got.Settings.Filters.Brightness != 1 {
		t.Errorf("%+v", got)
	}
}

func TestRefusals(t *testing.T) {
	s := setUp(t)
	c := s.client()
	id := c.create()
	for _, r := range []struct{ kind, payload, code, says string }{
		{"session.create", `{}`, "bad_request", "source"},
		{"session.create", `{"source":"films/missing.mkv"}`, "source_not_found", "no such film"},
		{"session.create", `{"source":"films/a.mkv","modell":"x"}`, "bad_request", "payload.modell"},
		{"session.create", `{"source":"films/a.mkv","Model":"x"}`, "bad_request", "payload.Model"},
		{"session.create", `{"source":"films/a.mkv","model":"nobody"}`, "model_unknown", "nobody"},
		{"session.create", `{"source":"films/a.mkv","start":-1}`, "bad_request", "payload.start"},
		{"session.create", `{"source":"films/a.mkv","filters":{"contrats":1}}`, "bad_request", "payload.filters.contrats"},
		{"session.create", `{"source":"films/a.mkv","filters":{"contrast":"1"}}`, "bad_request", "payload.filters.contrast"},
		{"session.create", `{"source":"films/a.mkv","filters":{"lut":"../secret"}}`, "lut_unknown", "secret"},
		{"session.create", `{"source":"films/a.mkv","filters":{"lut":"other"}}`, "lut_unknown", "other"},
		{"session.create", `{"source":"films/a.mkv","preset":"other"}`, "bad_request", "other"},
		{"session.create", `{"source":"films/a.mkv","audio":3}`, "stream_unknown", "3"},
		{"session.get", `{"session":"nobody"}`, "session_unknown", ""},
		{"session.get", `{}`, "bad_request", "session"},
		{"session.seek", `{"session":"` + id + `"}`, "bad_request", "position"},
		{"session.seek", `{"session":"` + id + `","position":1e999}`, "bad_request", ""},
		{"session.set", `{"session":"` + id + `","strength":3}`, "bad_request", "payload.strength"},
		{"session.set", `{"session":"` + id + `","model":"nobody"}`, "model_unknown", "nobody"},
		{"session.pause", `{"session":"` + id + `","now":true}`, "bad_request", "payload.now"},
		{"stats.subscribe", `{"sessions":"all"}`, "bad_request", "payload.sessions"},
		{"model.install", `{}`, "unknown_type", "model.install"},
		{"session.Get", `{}`, "unknown_type", "session.Get"},
	} {
		if says := c.refused(r.code, r.kind, r.payload); !strings.Contains(says, r.says) {
			t.Errorf("%s %s: %q does not say %q", r.kind, r.payload, says, r.says)
		}
	}
}

// TestFaultOfOursCostsOneRequest has a worker's stub panic in a request.
func TestFaultOfOursCostsOneRequest(t *testing.T) {
	s := setUp(t)
	c := s.client()
	id := c.create()
	s.starter.last().panics = true
	c.refused("internal", "session.set", `{"session":"`+id+`","strength":0.5}`)
	if m := c.ask("session.list", `{}`); !*m.OK {
		t.Errorf("%+v", m.Error)
	}
}

// sessionRequest is one that stubs play.
func sessionRequest() session.Request {
	return session.Request{
		Source: "films/a.mkv", Audio: -1, Text: -1,
		Settings: session.Settings{Model: "swift-s-x2", Strength: 1, Quality: -1, Burn: -1, Filters: filters.Neutral()},
	}
}
