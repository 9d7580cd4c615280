package jobs

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/source"
)

// sends sends a message to a URL over a real connection, with a list of hosts.
func sends(t *testing.T, listed []string, url string) error {
	t.Helper()
	hosts, err := source.NewHosts(listed)
	must(t, err)
	q := &Queue{o: Options{Hosts: hosts}, transport: hosts.Transport(patience, nil)}
	return q.send(t.Context(), message{ID: "a", Hook: Hook{URL: url, Secret: "0123456789abcdef"}, Body: []byte("{}")})
}

// TestHostIsCheckedWhenItIsCalled sends nothing to one that is no longer listed, nor
// to a listed name that leads to this machine.
func TestHostIsCheckedWhenItIsCalled(t *testing.T) {
	before := net.DefaultResolver
	defer func() { net.DefaultResolver = before }()
	net.DefaultResolver = nameServer([4]byte{127, 0, 0, 1})
	got := newReceiver(t)
	_, port, _ := strings.Cut(got.host, ":")
	for name, c := range map[string]struct{ listed, url string }{
		"not listed": {"other.example", "http://" + got.host + "/hook"},
		"loopback":   {"hook.test:" + port, "http://hook.test:" + port + "/hook"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := sends(t, []string{c.listed}, c.url); err == nil || err.Error() != "the host, or its address, is not in jobs.webhook.hosts" {
				t.Error(err)
			}
		})
	}
	if err := sends(t, []string{"hook.test:" + port, got.host}, "http://hook.test:"+port+"/hook"); err == nil || !strings.Contains(err.Error(), "status 400") {
		t.Errorf("where the address is listed, too: %v", err) // it is no job's message
	}
	if len(got.take()) != 0 {
		t.Error("it came")
	}
}

// TestRedirectIsNotFollowed has a receiver send the message on to another host that is
// listed, too: what was signed for the one is not for the other.
func TestRedirectIsNotFollowed(t *testing.T) {
	other := newReceiver(t)
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		first := httptest.NewServer(http.RedirectHandler("http://"+other.host+"/hook", status))
		host := strings.TrimPrefix(first.URL, "http://")
		err := sends(t, []string{host, other.host}, first.URL+"/hook")
		if err == nil || !strings.HasSuffix(err.Error(), fmt.Sprintf("HTTP status %d", status)) {
			t.Errorf("%d: %v", status, err)
		}
		first.Close()
	}
	other.mu.Lock()
	defer other.mu.Unlock()
	if other.calls != 0 {
		t.Errorf("the other was called %d times", other.calls)
	}
}

// nameServer returns a resolver that knows one address for all names (RFC 1035 §4).
func nameServer(addr [4]byte) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			for {
				var length uint16
				if binary.Read(theirs, binary.BigEndian, &length) != nil {
					return
				}
				question := make([]byte, length)
				if _, err := io.ReadFull(theirs, question); err != nil {
					return
				}
				end := 12
				for question[end] != 0 {
					end += 1 + int(question[end])
				}
				end += 5 // the root's label, type and class
				answer := append([]byte{}, question[:end]...)
				copy(answer[2:12], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
				if question[end-3] == 1 { // it asks for such an address
					answer[7] = 1
					answer = append(append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4), addr[:]...)
				}
				if binary.Write(theirs, binary.BigEndian, uint16(len(answer))) != nil {
					return
				}
				if _, err := theirs.Write(answer); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}}
}

// deaf is a transport to receivers of which one takes what it is sent and says nothing.
type deaf struct {
	mu    sync.Mutex
	under int            // guarded by mu, as all that follows: calls of the one that is deaf
	most  int            // of them at once
	calls map[string]int // by job
}

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	d.count(r, 1)
	defer d.count(r, -1)
	if r.URL.Hostname() == "deaf.example" {
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
}

func (d *deaf) count(r *http.Request, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.calls[r.Header.Get(DeliveryHeader)] += max(n, 0)
	if r.URL.Hostname() == "deaf.example" {
		d.under += n
		d.most = max(d.most, d.under)
	}
}

// TestDeafReceiver has more messages for one that says nothing than are sent at once:
// others get theirs, and each of those has its turns.
func TestDeafReceiver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts, err := source.NewHosts([]string{"deaf.example", "media.example"})
		must(t, err)
		b := newBench(t, func(o *Options) { o.Hosts, o.Keep = hosts, 100 })
		defer b.stop()
		d := &deaf{calls: map[string]int{}}
		b.transport = d
		var ids []string
		for i := range 2 * atOnce {
			ids = append(ids, b.add(fmt.Sprintf("%d.mkv", i), func(o *Order) {
				o.Webhook = &OrderHook{URL: "https://deaf.example/hook", Secret: "0123456789abcdef"}
			}))
			synctest.Wait()
			b.starter.last().finish(nil)
			synctest.Wait()
		}
		other := b.add("other.mkv", func(o *Order) { o.Webhook = &OrderHook{URL: "https://media.example/hook", Secret: "0123456789abcdef"} })
		synctest.Wait()
		b.starter.last().finish(nil)
		synctest.Wait()
		if job, _ := b.Get(other); job.Webhook.State != DeliveryDelivered {
			t.Errorf("%+v", job.Webhook)
		}
		<-time.After(2 * atOnce * 3 * hookWait)
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, id := range ids {
			if d.calls[id] == 0 {
				t.Error("a message was not sent once in the time of all")
			}
		}
		if d.most != 1 {
			t.Errorf("%d at once", d.most)
		}
	})
}
