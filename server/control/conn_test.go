package control

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

func TestFrames(t *testing.T) {
	s := setUp(t, func(c *config) { c.MaxMessage = 1 << 10 })
	t.Run("binary", func(t *testing.T) {
		c := s.client()
		must(t, c.WriteMessage(websocket.BinaryMessage, []byte(`{"id":1,"type":"session.list"}`)))
		c.closed(websocket.CloseUnsupportedData)
	})
	t.Run("not UTF-8", func(*testing.T) {
		c := s.client()
		c.send("{\"id\":1,\"type\":\"\xff\"}")
		c.closed(websocket.CloseInvalidFramePayloadData)
	})
	t.Run("too large", func(*testing.T) {
		c := s.client()
		c.send(`{"id":1,"type":"` + strings.Repeat("x", 1<<10) + `"}`)
		c.closed(websocket.CloseMessageTooBig)
	})
	t.Run("as large as may be", func(t *testing.T) {
		c := s.client()
		text := `{"id":1,"type":"session.list"`
		c.send(text + strings.Repeat(" ", 1<<10-len(text)-1) + "}")
		if m := c.next(); m.OK == nil || !*m.OK {
			t.Errorf("%+v", m)
		}
	})
	t.Run("announced as huge", func(t *testing.T) {
		for _, size := range []uint64{1 << 40, 1<<63 - 1} {
			c := s.client()
			head := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, size)
			_, err := c.NetConn().Write(append(head, 0, 0, 0, 0))
			must(t, err)
			c.closed(websocket.CloseMessageTooBig)
		}
	})
	t.Run("in parts that are too large together", func(t *testing.T) {
		c := s.client()
		w, err := c.NextWriter(websocket.TextMessage)
		must(t, err)
		for range 20 {
			_, _ = w.Write([]byte(strings.Repeat(" ", 1<<10))) // the server may have closed already
		}
		c.closed(websocket.CloseMessageTooBig)
	})
	t.Run("in parts, with a ping between them", func(t *testing.T) {
		c := s.client()
		pong := false
		c.SetPongHandler(func(data string) error { pong = data == "are you there"; return nil })
		for _, frame := range []string{
			"\x01\x85\x00\x00\x00\x00{\"id\"", "\x89\x8d\x00\x00\x00\x00are you there", "\x00\x83\x00\x00\x00\x00:7,",
			"\x80\x96\x00\x00\x00\x00\"type\":\"session.list\"}",
		} {
			_, err := c.NetConn().Write([]byte(frame))
			must(t, err)
		}
		if m := c.next(); string(m.ID) != "7" || !*m.OK || !pong {
			t.Errorf("%+v, pong %v", m, pong)
		}
	})
	t.Run("a client that closes is answered", func(t *testing.T) {
		c := s.client()
		must(t, c.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, "bye"), time.Now().Add(patience)))
		_, _, err := c.ReadMessage()
		if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
			t.Errorf("%v", err)
		}
	})
}

func TestFlood(t *testing.T) {
	for name, flood := range map[string]func(c *client) error{
		"requests": func(c *client) error {
			return c.WriteMessage(websocket.TextMessage, []byte(`{"id":1,"type":"no.such"}`))
		},
		"pings": func(c *client) error {
			return c.WriteControl(websocket.PingMessage, nil, time.Now().Add(patience))
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := setUp(t, func(c *config) { c.pipe, c.Queue = true, 1024 })
				c := s.client()
				other := s.client()
				go func() {
					for range messageBurst + 1 {
						if flood(c) != nil {
							return // it was closed for it
						}
					}
				}()
				c.closed(4429)
				other.ask("session.list", `{}`)
			})
		})
	}
}

func TestSteadyPaceIsNoFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe = true })
		c := s.client()
		for range 20 * messageRate {
			c.ask("session.list", `{}`)
			<-time.After(time.Second / messageRate)
		}
	})
}

// TestSlowReader has a client that reads nothing while its sessions change: it is
// closed, is told so when it reads again, and holds up nobody.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe, c.Queue = true, 32 })
		slow, quick := s.client(), s.client()
		id := quick.create()
		for range 60 {
			quick.ask("session.seek", `{"session":"`+id+`","position":9}`)
			synctest.Wait() // events that pile up behind the last request would make it a slow one, too
		}
		<-time.After(2 * slowWait)
		if n := slow.closed(4001); n > 2 {
			t.Errorf("it was sent %d messages although it was too late", n)
		}
		quick.ask("session.list", `{}`)
	})
}

// TestDeafReader has a client that never reads again: nothing of it is left.
func TestDeafReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe, c.Queue = true, 32 })
		deaf, quick := s.client(), s.client()
		id := quick.create()
		for range 60 {
			quick.ask("session.seek", `{"session":"`+id+`","position":4}`)
		}
		go func() { // it reads on
			for {
				if _, _, err := quick.ReadMessage(); err != nil {
					return
				}
			}
		}()
		<-time.After(slowWait + writeWait + closeWait)
		synctest.Wait()
		if n := s.server.Connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
		_ = deaf.Close()
	})
}

// TestSlowReaderGetsTheNewestFigures has figures pile up for a client that does not
// read for a while; they cost it nothing.
func TestSlowReaderGetsTheNewestFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe, c.Queue = true, 8 })
		c := s.client()
		id := c.create()
		c.ask("stats.subscribe", `{}`)
		c.event(eventState)
		for i := range 100 {
			s.starter.last().handler.Stats(stats(int64(i)))
			synctest.Wait()
		}
		var seen []int64
		for len(seen) == 0 || seen[len(seen)-1] != 99 {
			m := c.event(eventStats)
			if m.Session != id {
				t.Fatalf("%+v", m)
			}
			seen = append(seen, payload[playback.Stats](t, m).Frames.Upscaled)
		}
		if len(seen) > 3 {
			t.Errorf("it was sent %v", seen)
		}
	})
}

func TestSilentClientIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe = true })
		c := s.client()
		pings := 0
		c.SetPingHandler(func(string) error { pings++; return nil }) // and no pong
		began := time.Now()
		c.closed(4408)
		if took := time.Since(began); took != 40*time.Second || pings < 1 {
			t.Errorf("after %s and %d pings", took, pings)
		}
	})
}

func TestClientThatAnswersPingsStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := setUp(t, func(c *config) { c.pipe = true })
		c := s.client()
		go func() {
			<-time.After(time.Hour)
			c.send(`{"id":1,"type":"session.list"}`)
		}()
		if m := c.next(); !*m.OK {
			t.Errorf("%+v", m)
		}
	})
}

func TestRequestsUnderWayAreBounded(t *testing.T) {
	s := setUp(t)
	s.starter.hang = true
	c := s.client()
	for i := range maxRequests + 1 {
		c.send(fmt.Sprintf(`{"id":%d,"type":"session.create","payload":{"source":"films/a.mkv"}}`, i))
	}
	if m := c.next(); *m.OK || m.Error.Code != problem.TooManyRequests || string(m.ID) != fmt.Sprint(maxRequests) {
		t.Errorf("%+v", m)
	}
	// What is under way ends with the connection.
	_ = c.Close()
	for deadline := time.Now().Add(patience); s.server.Connections() > 0; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the connection is still there")
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := setUp(t, func(c *config) { c.Connections = 8 })
	refused := func(protocols ...string) {
		t.Helper()
		if _, a, err := s.handshake(nil, protocols...); err == nil || a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%v %v", a, err)
		}
	}
	s.stranger()
	admitted := s.stranger()
	refused(Protocol) // strangers may have a quarter
	admitted.ask("auth", `{"token":"`+secret+`"}`)
	s.stranger()
	var clients []*client
	for range 5 {
		clients = append(clients, s.client())
	}
	refused(Protocol, asToken(secret))
	_ = clients[0].Close()
	for deadline := time.Now().Add(patience); ; <-time.After(time.Millisecond) {
		if ws, _, err := s.handshake(nil, Protocol, asToken(secret)); err == nil {
			_ = ws.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no room was made")
		}
	}
}

// TestViewersLeaveRoom has viewers take all they can get: there is always room for
// those with the token, and for who has yet to say that he has it.
func TestViewersLeaveRoom(t *testing.T) {
	s := setUp(t, func(c *config) { c.Connections = 8 })
	admin := s.client()
	id := admin.create()
	capability, _ := s.signer.Sign(id)
	auth := `{"session":"` + id + `","capability":"` + capability + `"}`
	var viewers []*client
	for range 4 {
		viewers = append(viewers, s.stranger())
		viewers[len(viewers)-1].ask("auth", auth)
	}
	late := s.stranger()
	late.refused("too_many_connections", "auth", auth)
	s.stranger().ask("auth", `{"token":"`+secret+`"}`)
	s.client()
	_ = viewers[0].Close()
	for deadline := time.Now().Add(patience); s.server.Connections() == 8; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no room was made")
		}
	}
	if m := late.ask("auth", auth); !*m.OK {
		t.Errorf("%+v", m.Error)
	}
}

func TestDrain(t *testing.T) {
	s := setUp(t)
	c, stranger := s.client(), s.stranger()
	id := c.create()
	s.server.Announce(Notice{Code: NoticeShutdown, Message: "The server ends in 10 seconds.", Seconds: 10})
	if n := payload[Notice](t, c.event(eventNotice)); n.Code != NoticeShutdown || n.Seconds != 10 {
		t.Errorf("%+v", n)
	}
	late := s.client()
	if n := payload[Notice](t, late.event(eventNotice)); n.Seconds != 10 {
		t.Errorf("%+v", n)
	}
	s.stopSessions()
	for {
		if got := c.state(); got.ID == id && got.State == "ended" {
			if got.Cause != "shutdown" {
				t.Errorf("%+v", got)
			}
			break
		}
	}
	c.refused("shutting_down", "session.create", `{"source":"films/a.mkv"}`)
	s.stopControl()
	c.closed(websocket.CloseGoingAway)
	stranger.closed(websocket.CloseGoingAway)
	if n := late.closed(websocket.CloseGoingAway); n == 0 {
		t.Error("it was not told of the session's end")
	}
	if _, _, err := s.handshake(nil, Protocol); err == nil {
		t.Error("a connection was taken in")
	}
}

// TestDrainTellsEverything ends the server at once with the sessions: their ends
// are told all the same.
func TestDrainTellsEverything(t *testing.T) {
	s := setUp(t)
	c := s.client()
	ids := map[string]bool{}
	for range 5 {
		ids[c.create()] = true
	}
	s.stopSessions()
	for id := range ids {
		one, err := s.manager.Get(id)
		must(t, err)
		<-one.Ended()
	}
	s.stopControl()
	notices := 0
	for len(ids) > 0 || notices == 0 {
		switch m := c.next(); m.Type {
		case eventNotice:
			notices++
		case eventState:
			if payload[playback.Session](t, m).State == "ended" {
				delete(ids, m.Session)
			}
		}
	}
	c.closed(websocket.CloseGoingAway)
}

// TestConnectAndDisconnect leaves nothing: the stage looks at goroutines,
// descriptors and the server's counts.
func TestConnectAndDisconnect(t *testing.T) {
	s := setUp(t)
	s.client().create()
	var all sync.WaitGroup
	for worker := range 5 {
		all.Go(func() {
			for i := range 100 {
				d := websocket.Dialer{Subprotocols: []string{Protocol, asToken(secret)}}
				ctx, cancel := context.WithTimeout(context.Background(), patience)
				ws, response, err := d.DialContext(ctx, "ws://"+s.listen.Addr().String()+Route.Path, nil)
				cancel()
				if err != nil {
					t.Error(err)
					return
				}
				_ = response.Body.Close()
				switch (i + worker) % 4 {
				case 0: // gone at once
				case 1: // in the middle of a frame
					_, _ = ws.NetConn().Write([]byte{0x81})
				case 2:
					_ = ws.WriteMessage(websocket.TextMessage, []byte(`{"id":1,"type":"stats.subscribe"}`))
				case 3: // as it should be
					_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(patience))
					_, _, _ = ws.ReadMessage()
				}
				_ = ws.Close()
			}
		})
	}
	all.Wait()
	for deadline := time.Now().Add(patience); s.server.Connections() > 1; <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", s.server.Connections())
		}
	}
}
