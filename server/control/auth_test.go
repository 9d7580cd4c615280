package control

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

func TestHandshake(t *testing.T) {
	s := setUp(t)
	for name, c := range map[string]struct {
		protocols []string
		header    http.Header
		status    int
		code      problem.Code
		says      string
	}{
		"no version":              {nil, nil, 400, problem.VersionUnsupported, Protocol},
		"a token and no version":  {[]string{asToken(secret)}, nil, 400, problem.VersionUnsupported, Protocol},
		"another version":         {[]string{"upscaled.v9"}, nil, 400, problem.VersionUnsupported, "upscaled.v9"},
		"ours and a wrong token":  {[]string{Protocol, asToken("another-token-for-tests")}, nil, 401, problem.Unauthorized, "token"},
		"a token that is none":    {[]string{Protocol, "token.%%%"}, nil, 401, problem.Unauthorized, "token"},
		"a wrong token in header": {[]string{Protocol}, http.Header{auth.TokenHeader: {"another-token-for-tests"}}, 401, problem.Unauthorized, "token"},
		"a stranger's page":       {[]string{Protocol, asToken(secret)}, http.Header{"Origin": {"https://bad.example"}}, 403, problem.OriginRefused, "origin"},
		"ours":                    {[]string{Protocol}, nil, 101, "", ""},
		"ours among others":       {[]string{"upscaled.v9", Protocol, "chat"}, nil, 101, "", ""},
		"ours behind a token":     {[]string{asToken(secret), Protocol}, nil, 101, "", ""},
		"a token in the header":   {[]string{Protocol}, http.Header{auth.TokenHeader: {secret}}, 101, "", ""},
		"a page of the list":      {[]string{Protocol}, http.Header{"Origin": {page}}, 101, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			ws, a, err := s.handshake(c.header, c.protocols...)
			if err == nil {
				defer func() { _ = ws.Close() }()
			}
			if a.status != c.status {
				t.Fatalf("%v: status %d", err, a.status)
			}
			if c.status == http.StatusSwitchingProtocols {
				if got := a.header.Values("Sec-Websocket-Protocol"); len(got) != 1 || got[0] != Protocol {
					t.Errorf("chosen %q", got)
				}
				return
			}
			if told := a.told; told.Code != c.code || !strings.Contains(told.Detail, c.says) || strings.Contains(told.Detail, "token.") {
				t.Errorf("%+v", told)
			}
		})
	}
}

func TestPlainRequestIsToldWhatThisIs(t *testing.T) {
	s := setUp(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.listen.Addr().String()+Route.Path, nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }()
	var told problem.Problem
	must(t, json.NewDecoder(response.Body).Decode(&told))
	if told.Code != problem.BadRequest || !strings.Contains(told.Detail, "WebSocket") {
		t.Errorf("%+v", told)
	}
}

func TestHelloFollowsEachWayToAuthenticate(t *testing.T) {
	s := setUp(t)
	check := func(c *client, role auth.Role, session string) {
		t.Helper()
		h := payload[hello](t, c.event(eventHello))
		if h.Protocol != Protocol || h.Version != "1.2.3" || h.Role != role || h.Session != session || h.Limits.Message != 64<<10 {
			t.Errorf("%+v", h)
		}
	}
	ws, _, err := s.handshake(nil, Protocol, asToken(secret))
	must(t, err)
	defer func() { _ = ws.Close() }()
	check(&client{ws, t}, auth.Admin, "")

	ws, _, err = s.handshake(http.Header{auth.TokenHeader: {secret}}, Protocol)
	must(t, err)
	defer func() { _ = ws.Close() }()
	check(&client{ws, t}, auth.Admin, "")

	c := s.stranger()
	if got := payload[identity](t, c.ask("auth", `{"token":"`+secret+`"}`)); got.Role != auth.Admin {
		t.Errorf("%+v", got)
	}
	check(c, auth.Admin, "")
	c.refused("bad_request", "auth", `{"token":"`+secret+`"}`)

	id := c.create()
	capability, _ := s.signer.Sign(id)
	v := s.stranger()
	if got := payload[identity](t, v.ask("auth", `{"session":"`+id+`","capability":"`+capability+`"}`)); got.Role != auth.Viewer {
		t.Errorf("%+v", got)
	}
	check(v, auth.Viewer, id)
}

func TestWhoProvesNothingIsClosed(t *testing.T) {
	s := setUp(t)
	for name, c := range map[string]struct{ payload, code string }{
		"a wrong token":               {`{"token":"another-token-for-tests"}`, "unauthorized"},
		"nothing":                     {`{}`, "bad_request"},
		"both":                        {`{"token":"` + secret + `","capability":"x"}`, "bad_request"},
		"a capability that is none":   {`{"session":"a","capability":"x"}`, "capability_invalid"},
		"a capability of nothing":     {`{"capability":"x"}`, "capability_invalid"},
		"a member that there is not":  {`{"tokken":"x"}`, "bad_request"},
		"a token that is no string":   {`{"token":1}`, "bad_request"},
		"a token longer than can be":  {`{"token":"` + strings.Repeat("x", 300) + `"}`, "bad_request"},
		"a capability of another one": {`{"session":"a","capability":"` + func() string { c, _ := s.signer.Sign("b"); return c }() + `"}`, "capability_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			stranger := s.stranger()
			stranger.t = t
			stranger.refused(c.code, "auth", c.payload)
			stranger.closed(4401)
		})
	}
}

func TestStrangerMayAskNothing(t *testing.T) {
	s := setUp(t)
	s.client().create()
	c := s.stranger()
	for kind := range s.server.requests {
		if kind != requestAuth {
			c.refused("unauthorized", kind, `{}`)
		}
	}
	c.refused("unauthorized", "no.such", `{}`)
	if got := payload[identity](t, c.ask("auth", `{"token":"`+secret+`"}`)); got.Role != auth.Admin {
		t.Errorf("%+v", got)
	}
}

func TestStrangerIsClosedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe = true })
		began := time.Now()
		s.stranger().closed(4402)
		if took := time.Since(began); took != 5*time.Second {
			t.Errorf("after %s", took)
		}
	})
}

func TestWithoutATokenLoopbackIsEnough(t *testing.T) {
	s := setUp(t, func(c *config) { c.noToken = true })
	c := s.stranger()
	if h := payload[hello](t, c.event(eventHello)); h.Role != auth.Admin {
		t.Errorf("%+v", h)
	}
	// A page whose own name leads to this machine is a stranger, and stays one.
	ws, _, err := s.handshake(http.Header{"Host": {"films.example"}}, Protocol)
	must(t, err)
	defer func() { _ = ws.Close() }()
	rebound := &client{ws, t}
	rebound.refused("forbidden", "auth", `{"token":"anything-at-all-here"}`)
	rebound.closed(4401)
}

func TestViewerHasItsSessionAlone(t *testing.T) {
	s := setUp(t)
	admin := s.client()
	mine, other := admin.create(), admin.create()
	capability, _ := s.signer.Sign(mine)
	v := s.stranger()
	v.ask("auth", `{"session":"`+mine+`","capability":"`+capability+`"}`)

	list := payload[struct{ Sessions []playback.Session }](t, v.ask("session.list", `{}`))
	if len(list.Sessions) != 1 || list.Sessions[0].ID != mine {
		t.Errorf("%+v", list)
	}
	v.refused("forbidden", "session.create", `{"source":"films/a.mkv"}`)
	for kind, more := range map[string]string{
		"session.get": "", "session.seek": `,"position":3`, "session.pause": "", "session.resume": "",
		"session.set": `,"strength":0.5`, "session.ping": "", "session.close": "",
	} {
		v.refused("session_unknown", kind, `{"session":"`+other+`"`+more+`}`)
	}
	v.refused("session_unknown", "stats.subscribe", `{"sessions":["`+other+`"]}`)
	v.ask("stats.subscribe", `{}`)
	admin.ask("session.pause", `{"session":"`+other+`"}`)
	s.starter.last().handler.Stats(stats(1)) // of the other
	admin.ask("session.seek", `{"session":"`+mine+`","position":3}`)
	for {
		m := v.next()
		if m.Session != mine {
			t.Fatalf("it is told %+v", m)
		}
		if payload[playback.Session](t, m).Position == 3 {
			break
		}
	}
	if got := payload[playback.Session](t, v.ask("session.close", `{"session":"`+mine+`"}`)); got.State != "ended" {
		t.Errorf("%+v", got)
	}
}

// TestViewerIsSignedNoURLs has a viewer ask for all that tells of its session: it
// could go on for ever, were it given a newer capability than its own.
func TestViewerIsSignedNoURLs(t *testing.T) {
	s := setUp(t)
	admin := s.client()
	id := admin.create()
	capability, _ := s.signer.Sign(id)
	v := s.stranger()
	v.ask("auth", `{"session":"`+id+`","capability":"`+capability+`"}`)
	for kind, more := range map[string]string{
		"session.get": "", "session.seek": `,"position":3`, "session.pause": "", "session.resume": "",
		"session.set": `,"strength":0.5`, "session.ping": "",
	} {
		request := `{"session":"` + id + `"` + more + `}`
		if got := payload[playback.Session](t, v.ask(kind, request)); got.ID != id || got.URLs != nil {
			t.Errorf("%s: %q, %+v", kind, got.ID, got.URLs)
		}
		if got := payload[playback.Session](t, admin.ask(kind, request)); got.URLs == nil {
			t.Errorf("%s: the admin is told none", kind)
		}
	}
	list := payload[struct{ Sessions []playback.Session }](t, v.ask("session.list", `{}`))
	if len(list.Sessions) != 1 || list.Sessions[0].URLs != nil {
		t.Errorf("%+v", list.Sessions)
	}
	v.ask("stats.subscribe", `{}`)
	if got := v.state(); got.ID != id || got.URLs != nil {
		t.Errorf("event of %q, %+v", got.ID, got.URLs)
	}
	admin.ask("stats.subscribe", `{}`)
	if got := admin.state(); got.URLs == nil {
		t.Error("the admin's event tells none")
	}
}

func TestExpiredCapabilityEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe, c.ttl = true, 30*time.Second })
		id := s.client().create()
		capability, _ := s.signer.Sign(id)
		v := s.stranger()
		v.ask("auth", `{"session":"`+id+`","capability":"`+capability+`"}`)
		began := time.Now()
		v.closed(4401) // at the second ping, since it asks nothing
		if took := time.Since(began); took != 40*time.Second {
			t.Errorf("after %s", took)
		}
	})
}
