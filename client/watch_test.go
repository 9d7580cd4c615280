package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/client"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/problem"
)

// crowd is a server with many jobs, of which nothing becomes anything.
type crowd struct {
	jobs  []jobs.Job
	asked atomic.Int32
}

func (s *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/v1/control" {
		upgrader := websocket.Upgrader{Subprotocols: []string{"upscaled.v1"}}
		if ws, err := upgrader.Upgrade(w, r, nil); err == nil {
			_, _, _ = ws.ReadMessage() // until the client has what it wants
			_ = ws.Close()
		}
		return
	}
	s.asked.Add(1)
	if id, one := strings.CutPrefix(r.URL.Path, "/v1/jobs/"); one {
		problem.Write(w, r, problem.New(problem.JobUnknown, "there is no %s", id))
		return
	}
	list, from := jobs.List{}, r.URL.Query().Get("after")
	for _, j := range s.jobs {
		if j.ID > from && len(list.Jobs) < 1000 {
			list.Jobs = append(list.Jobs, j)
		}
	}
	list.More = len(list.Jobs) == 1000
	_ = json.NewEncoder(w).Encode(list)
}

// TestWatchManyJobs asks for many jobs a thousand at a time: its connection waits
// unread meanwhile, and the server ends one that stays so.
func TestWatchManyJobs(t *testing.T) {
	s := &crowd{}
	var ids []string
	for i := range 2500 {
		s.jobs = append(s.jobs, jobs.Job{ID: fmt.Sprintf("job%04d", i), State: jobs.StateDone})
		if i%2 == 0 {
			ids = append(ids, s.jobs[i].ID)
		}
	}
	web := httptest.NewServer(s)
	defer web.Close()
	c := dial(t, web.Listener.Addr().String(), token)
	var seen []string
	must(t, c.Watch(t.Context(), ids, func(j jobs.Job) bool {
		seen = append(seen, j.ID)
		return len(seen) < len(ids)
	}))
	if strings.Join(seen, " ") != strings.Join(ids, " ") {
		t.Errorf("%d jobs are seen, or in another order", len(seen))
	}
	if n := s.asked.Load(); n > 3 {
		t.Errorf("%d requests", n)
	}
	var told *client.Error
	err := c.Watch(t.Context(), append(ids, "nobody"), func(jobs.Job) bool { return true })
	if !errors.As(err, &told) || told.Code != problem.JobUnknown {
		t.Error(err)
	}
}
