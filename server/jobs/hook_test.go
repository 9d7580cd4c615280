package jobs

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/source"
)

// postman is a transport that answers as the test says.
type postman struct {
	mu     sync.Mutex
	answer func(n int) (int, error)
	times  []time.Time // guarded by mu, as all that follows
	bodies []string
	heads  []http.Header
}

func (p *postman) RoundTrip(r *http.Request) (*http.Response, error) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times, p.bodies, p.heads = append(p.times, time.Now()), append(p.bodies, string(body)), append(p.heads, r.Header)
	status, err := p.answer(len(p.times))
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader("ignored")), Request: r}, nil
}

// attempts returns how often it was asked.
func (p *postman) attempts() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.times)
}

// withHook returns a bench whose messages go to a postman, and a job that is over.
func withHook(t *testing.T, answer func(n int) (int, error)) (*bench, *postman, string) {
	t.Helper()
	hosts, err := source.NewHosts([]string{"media.example"})
	must(t, err)
	secret, err := auth.ParseSecret("a secret of the server")
	must(t, err)
	b := newBench(t, func(o *Options) { o.Hosts, o.Secret = hosts, secret })
	p := &postman{answer: answer}
	b.transport = p
	id := b.add("a.mkv", func(o *Order) { o.Webhook = &OrderHook{URL: "https://media.example/hook?key=1"} })
	synctest.Wait()
	b.starter.last().finish(nil)
	synctest.Wait()
	return b, p, id
}

// TestMessageIsSigned checks the signature as a receiver does.
func TestMessageIsSigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, id := withHook(t, func(int) (int, error) { return 204, nil })
		defer b.stop()
		if len(p.times) != 1 || p.heads[0].Get(DeliveryHeader) != id {
			t.Fatalf("%d messages, %v", len(p.times), p.heads)
		}
		var m struct {
			Event string
			Job   Job
		}
		must(t, json.Unmarshal([]byte(p.bodies[0]), &m))
		if m.Event != "job.done" || m.Job.ID != id || m.Job.State != StateDone || m.Job.Ended == nil || strings.Contains(p.bodies[0], "secret") {
			t.Errorf("%s", p.bodies[0])
		}
		signature := p.heads[0].Get(SignatureHeader)
		stamp, sum, found := strings.Cut(strings.TrimPrefix(signature, "t="), ",v1=")
		mac := hmac.New(sha256.New, []byte("a secret of the server"))
		mac.Write([]byte(stamp + "." + p.bodies[0]))
		if !found || sum != hex.EncodeToString(mac.Sum(nil)) {
			t.Errorf("signature %q", signature)
		}
		job, _ := b.Get(id)
		if w := job.Webhook; w == nil || w.State != DeliveryDelivered || w.Attempts != 1 || w.Host != "media.example" {
			t.Errorf("%+v", w)
		}
	})
}

// TestReceiverThatFails is tried again, ever later, and given up.
func TestReceiverThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, id := withHook(t, func(n int) (int, error) {
			if n%2 == 0 {
				return 0, errors.New("connection refused by 10.0.0.7")
			}
			return 302, nil // which is not followed
		})
		defer b.stop()
		<-time.After(24 * time.Hour)
		synctest.Wait()
		if len(p.times) != hookAttempts {
			t.Fatalf("%d attempts", len(p.times))
		}
		for i := 1; i < len(p.times); i++ {
			if pause, want := p.times[i].Sub(p.times[i-1]), min(firstRetry<<(i-1), lastRetry); pause < want || pause > want+time.Second {
				t.Errorf("attempt %d came after %s, want %s", i+1, pause, want)
			}
		}
		job, _ := b.Get(id)
		if w := job.Webhook; w.State != DeliveryGivenUp || w.Attempts != hookAttempts || w.Last == "" || strings.Contains(w.Last, "10.0.0.7") {
			t.Errorf("%+v", w)
		}
		if b.Counts().Pending != 0 {
			t.Error("it still waits")
		}
	})
}

// TestMessageSurvivesARestart delivers what was not before the server ended.
func TestMessageSurvivesARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, id := withHook(t, func(n int) (int, error) {
			if n < 3 {
				return 500, nil
			}
			return 200, nil
		})
		b.stop()
		<-time.After(48 * time.Hour) // its time is long past
		q, err := New(b.o)
		if err != nil {
			t.Fatal(err)
		}
		q.transport = p
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { must(t, q.Run(ctx)) })
		defer func() {
			cancel()
			running.Wait()
		}()
		synctest.Wait()
		if n := p.attempts(); n != 2 {
			t.Errorf("%d attempts after the start", n)
		}
		<-time.After(time.Minute)
		synctest.Wait()
		if job, err := q.Get(id); err != nil || job.Webhook.State != DeliveryDelivered || job.Webhook.Attempts != 3 {
			t.Errorf("%+v, %v", job.Webhook, err)
		}
		if p.bodies[0] != p.bodies[2] {
			t.Error("the message is another one")
		}
	})
}

// TestClockIsSetBack does not let a message wait for a time that is far off.
func TestClockIsSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, _ := withHook(t, func(n int) (int, error) {
			if n == 1 {
				return 500, nil
			}
			return 200, nil
		})
		b.stop()
		s, err := openStore(b.o.Path)
		must(t, err)
		all, err := s.load()
		must(t, err)
		all.messages[0].Next = time.Now().Add(1000 * time.Hour) // by a clock that was ahead
		must(t, errors.Join(s.write(change{messages: all.messages}), s.close()))
		q, err := New(b.o)
		if err != nil {
			t.Fatal(err)
		}
		q.transport = p
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { must(t, q.Run(ctx)) })
		<-time.After(lastRetry + time.Minute)
		synctest.Wait()
		if n := p.attempts(); n != 2 {
			t.Errorf("%d attempts", n)
		}
		cancel()
		running.Wait()
	})
}

// TestReceiverKnowsWhoCalls sends the name and password of a webhook's URL as a client
// does, and tells them to nobody else.
func TestReceiverKnowsWhoCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, _ := withHook(t, func(int) (int, error) { return 204, nil })
		defer b.stop()
		id := b.add("b.mkv", func(o *Order) { o.Webhook = &OrderHook{URL: "https://us%40er:pa%3Ass@media.example/hook"} })
		synctest.Wait()
		b.starter.last().finish(nil)
		synctest.Wait()
		sent := &http.Request{Header: p.heads[len(p.heads)-1]}
		if user, password, ok := sent.BasicAuth(); !ok || user != "us@er" || password != "pa:ss" {
			t.Errorf("%q, %q in %v", user, password, sent.Header)
		}
		if job, _ := b.Get(id); job.Webhook.Host != "media.example" || strings.Contains(p.bodies[len(p.bodies)-1], "us%40er") {
			t.Errorf("%+v\n%s", job.Webhook, p.bodies[len(p.bodies)-1])
		}
	})
}

// TestNothingIsSentUnsigned sends no message whose secret has left the configuration:
// anybody could sign with none.
func TestNothingIsSentUnsigned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, id := withHook(t, func(int) (int, error) { return 500, nil })
		defer func() { b.stop() }()
		b.o.Secret = auth.Secret{}
		b.restart(func(*Record) {})
		b.transport = p
		<-time.After(24 * time.Hour)
		synctest.Wait()
		if n := p.attempts(); n != 1 {
			t.Errorf("%d messages were sent", n)
		}
		if job, _ := b.Get(id); job.Webhook.State != DeliveryGivenUp || !strings.Contains(job.Webhook.Last, "jobs.webhook.secret") {
			t.Errorf("%+v", job.Webhook)
		}
	})
}

// TestStoreThatIsFull tells no state that is not on the disk, and waits with a whole
// output until there is room again.
func TestStoreThatIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		a := b.add("a.mkv")
		synctest.Wait()
		b.breaks(errors.New("no space left on device"))
		yes := true
		_, err := b.Change(a, Change{Paused: &yes})
		refused(t, err, problem.JobsUnwritable)
		b.are(map[string]State{a: StateRunning})
		b.starter.last().finish(nil)
		b.are(map[string]State{a: StateRunning})
		b.breaks(nil)
		<-time.After(lookEvery + time.Second)
		b.are(map[string]State{a: StateDone})
		clean(t, b.folder, "a.mkv", "a.upscaled.mkv")
		waits := b.add("b.mkv", func(o *Order) { o.Paused = true })
		b.breaks(errors.New("no space left on device"))
		_, err = b.Cancel(t.Context(), waits)
		refused(t, err, problem.JobsUnwritable)
		b.are(map[string]State{waits: StatePaused})
		b.breaks(nil)
	})
}

// TestBeginThatCannotBeStored begins a job once it can be.
func TestBeginThatCannotBeStored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		b.host.play(1)
		synctest.Wait()
		a := b.add("a.mkv")
		synctest.Wait()
		b.breaks(errors.New("input/output error"))
		b.host.play(0)
		b.are(map[string]State{a: StateQueued})
		clean(t, b.folder, "a.mkv")
		b.breaks(nil)
		<-time.After(lookEvery + time.Second)
		b.are(map[string]State{a: StateRunning})
	})
}

// TestDiskIsFull makes an output where there is no room for it.
func TestDiskIsFull(t *testing.T) {
	s := setUp(t)
	small := filepath.Join(s.other, "small")
	must(t, os.Mkdir(small, 0o755))
	full(t, small)
	job := s.order(Order{Source: s.film("a.mkv", short), Output: "made/small"})
	got := s.until(job.ID, func(j Job) bool { return j.State.Over() })
	if got.State != StateFailed || got.Failure.Code != "disk_full" {
		t.Errorf("%s, %+v", got.State, got.Failure)
	}
	clean(t, small)
}
