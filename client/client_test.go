package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/client"
	"github.com/upscaled-media/upscaled/server"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/config"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

const (
	token    = "0123456789abcdef"
	patience = 20 * time.Second
)

func TestMain(m *testing.M) {
	if status, ok := workertest.Main(); ok {
		os.Exit(status)
	}
	os.Exit(m.Run())
}

// settings returns a configuration with a film, a.mkv, that is made in about a second.
func settings(t *testing.T) config.Config {
	t.Helper()
	c := config.Defaults()
	c.Listen, c.Cache.Path, c.Jobs.Path = "127.0.0.1:0", filepath.Join(t.TempDir(), "cache"), filepath.Join(t.TempDir(), "jobs")
	c.Media.Roots, c.Shutdown.Drain = []config.Root{{Name: "films", Path: t.TempDir()}}, 0
	c.WebRTC.Port = 0
	var err error
	c.Auth.Token, err = auth.ParseToken(token)
	must(t, err)
	self, err := filepath.Abs(os.Args[0])
	must(t, err)
	c.Workers.Command = filepath.Join(t.TempDir(), "upscaled")
	must(t, os.WriteFile(c.Workers.Command, fmt.Appendf(nil, "#!/bin/sh\nexport GORACE=atexit_sleep_ms=0 '%s'\nexec '%s'\n", workertest.Env(""), self), 0o700))
	film := workertest.Film{Duration: workertest.Length(10 * time.Second), Speed: 8}
	must(t, os.WriteFile(filepath.Join(c.Media.Roots[0].Path, "a.mkv"), film.Bytes(), 0o600))
	return c
}

// serve runs a server, and returns its address and what ends it.
func serve(t *testing.T, c config.Config) (address string, stop func()) {
	t.Helper()
	addr := make(chan net.Addr, 1)
	s, err := server.New(c, server.Options{Log: slog.New(slog.DiscardHandler), Listening: func(a net.Addr) { addr <- a }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { must(t, s.Run(ctx, nil)) })
	stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	t.Cleanup(stop)
	return (<-addr).String(), stop
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

// dial returns a client of a server.
func dial(t *testing.T, address, token string) *client.Client {
	t.Helper()
	c, err := client.New("http://"+address+"/", token)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

func TestJobs(t *testing.T) {
	address, _ := serve(t, settings(t))
	c := dial(t, address, token)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	added, err := c.AddJobs(ctx, jobs.Order{Source: "films/a.mkv", Paused: true})
	if err != nil || added.Count != 1 {
		t.Fatalf("%+v, %v", added, err)
	}
	id, no := added.Jobs[0].ID, false
	if list, err := c.Jobs(ctx, "", jobs.StatePaused); err != nil || len(list) != 1 || list[0].ID != id {
		t.Errorf("%+v, %v", list, err)
	}
	for order, n := range map[string]int{added.Order: 1, strings.Repeat("a", 26): 0} {
		if list, err := c.Jobs(ctx, order); err != nil || len(list) != n {
			t.Errorf("order %s: %+v, %v", order, list, err)
		}
	}
	if list, err := c.Jobs(ctx, "", jobs.StateDone, jobs.StateRunning); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	states, moved := []jobs.State{}, 0
	resumed := false
	must(t, c.Watch(ctx, []string{id}, func(j jobs.Job) bool {
		if len(states) == 0 || states[len(states)-1] != j.State {
			states = append(states, j.State)
		}
		if j.Progress != nil && j.State == jobs.StateRunning {
			moved++
		}
		if !resumed {
			resumed = true
			_, err := c.ChangeJob(ctx, id, jobs.Change{Paused: &no})
			must(t, err)
		}
		return !j.State.Over()
	}))
	if states[0] != jobs.StatePaused || states[len(states)-1] != jobs.StateDone || moved == 0 {
		t.Errorf("states %q, %d times progress", states, moved)
	}
	if job, err := c.CancelJob(ctx, id); err != nil || job.State != jobs.StateDone {
		t.Errorf("%s, %v", job.State, err)
	}
	var told *client.Error
	if _, err := c.Job(ctx, "nobody"); !errors.As(err, &told) || told.Code != problem.BadRequest {
		t.Error(err)
	}
	if err := c.Watch(ctx, []string{"aaaaaaaaaaaaaaaaaaaaaaaaaa"}, func(jobs.Job) bool { return true }); !errors.As(err, &told) || told.Code != problem.JobUnknown {
		t.Error(err)
	}
}

// TestWatchOutlivesTheServer watches a job while its server ends and another one takes
// its place.
func TestWatchOutlivesTheServer(t *testing.T) {
	c := settings(t)
	address, stop := serve(t, c)
	watcher := dial(t, address, token)
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	added, err := watcher.AddJobs(ctx, jobs.Order{Source: "films/a.mkv"})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var restarted sync.WaitGroup
	var last jobs.Job
	must(t, watcher.Watch(ctx, []string{added.Jobs[0].ID}, func(j jobs.Job) bool {
		last = j
		if j.Progress != nil && !j.State.Over() {
			once.Do(func() {
				restarted.Go(func() {
					stop()
					c.Listen = address
					serve(t, c)
				})
			})
		}
		return !j.State.Over()
	}))
	restarted.Wait()
	if last.State != jobs.StateDone || last.Attempts != 2 {
		t.Errorf("%s after %d attempts", last.State, last.Attempts)
	}
}

func TestTokenIsNeeded(t *testing.T) {
	address, _ := serve(t, settings(t))
	for _, token := range []string{"", "a-wrong-token-indeed"} {
		c := dial(t, address, token)
		var told *client.Error
		if _, err := c.Jobs(t.Context(), ""); !errors.As(err, &told) || told.Code != problem.Unauthorized {
			t.Errorf("%q: %v", token, err)
		}
		if token == "" {
			continue // it would have time to send one
		}
		if err := c.Watch(t.Context(), nil, func(jobs.Job) bool { return true }); !errors.As(err, &told) || told.Code != problem.Unauthorized {
			t.Errorf("%q: %v", token, err)
		}
	}
}

func TestNoServer(t *testing.T) {
	listen, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not wait
	must(t, err)
	nobody := listen.Addr().String()
	must(t, listen.Close())
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	for address, code := range map[string]problem.Code{nobody: client.CodeUnreachable, other.Listener.Addr().String(): client.CodeNoServer} {
		var told *client.Error
		if _, err := dial(t, address, "").Jobs(t.Context(), ""); !errors.As(err, &told) || told.Code != code {
			t.Errorf("%s: %v", code, err)
		}
		film := client.Film{Source: strings.NewReader("x"), Size: 1}
		if _, err := dial(t, address, "").Transcode(t.Context(), film); !errors.As(err, &told) || told.Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, server := range []string{
		"", "gpu.lan", "gpu.lan:7890", "127.0.0.1:7890", "ftp://gpu.lan", "http://", "http://gpu.lan/%zz", "http://a:password@b", "http://a?token=password",
		"http://a?", "http://a#password",
	} {
		if _, err := client.New(server, ""); err == nil || strings.Contains(err.Error(), "password") {
			t.Errorf("%q: %v", server, err)
		}
	}
}

// TestTokenStaysWithItsServer has a server send the client on to another one.
func TestTokenStaysWithItsServer(t *testing.T) {
	asked := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer other.Close()
	server := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	if _, err := dial(t, server.Listener.Addr().String(), token).Jobs(t.Context(), ""); err == nil || asked {
		t.Errorf("the other was asked: %t, %v", asked, err)
	}
}
