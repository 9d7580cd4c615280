package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/upscaled-media/upscaled/server/jobs"
)

// TestWatchAllOfAnOrder orders a folder of a server that names the first hundred jobs,
// as servers do, and watches all of them: the last one fails.
func TestWatchAllOfAnOrder(t *testing.T) {
	order := strings.Repeat("o", 26)
	added := jobs.Added{Order: order, Count: 150}
	var all []jobs.Job
	for i := range added.Count {
		all = append(all, jobs.Job{ID: fmt.Sprintf("job%03d", i), Order: order, State: jobs.StateDone})
	}
	added.Jobs, all[149].State = all[:100], jobs.StateCancelled
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/v1/control":
			upgrader := websocket.Upgrader{Subprotocols: []string{"upscaled.v1"}}
			if ws, err := upgrader.Upgrade(w, r, nil); err == nil {
				_, _, _ = ws.ReadMessage() // until the client has what it wants
				_ = ws.Close()
			}
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusCreated)
			_ = json.NewEncoder(w).Encode(added)
		case r.URL.Path == "/v1/jobs" && (r.URL.Query().Get("order") == order || !r.URL.Query().Has("order")):
			_ = json.NewEncoder(w).Encode(jobs.List{Jobs: all})
		default:
			for _, j := range all {
				if r.URL.Path == "/v1/jobs/"+j.ID {
					_ = json.NewEncoder(w).Encode(j)
				}
			}
		}
	}))
	defer web.Close()
	stdout, stderr, status := upscaled(t, t.TempDir(), "jobs", "--server", web.URL, "add", "films", "--watch", "--json")
	if lines := strings.Count(stdout, `"state":`); status != 64 || lines != 100+150 {
		t.Errorf("status %d, %d jobs told\n%s", status, lines, stderr)
	}
}
