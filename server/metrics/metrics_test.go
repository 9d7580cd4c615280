package metrics

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	yamlv3 "go.yaml.in/yaml/v3"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/transcode"
	"github.com/upscaled-media/upscaled/worker/pool"
)

var update = flag.Bool("update", false, "write the table of metrics in docs/operations.md anew")

// filled returns figures in which every series has been touched.
func filled(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	m := New("test")
	hooks := m.Hooks()
	hooks.Started()
	hooks.Ended(session.CauseFailed, "worker_lost")
	hooks.Ended(session.CauseEOS, "")
	hooks.Refused(session.ReasonCPU)
	hooks.FirstSegment(800 * time.Millisecond)
	hooks.Seek(300 * time.Millisecond)
	hooks.RealTime(1.5)
	m.inference.WithLabelValues("median").Observe(0.01)
	m.Watch(Sources{
		States:   func() map[session.State]int { return map[session.State]int{session.StatePlaying: 2} },
		Load:     func() (core, gpu float64) { return 1500, 250 },
		Capacity: session.Capacity{CoreMS: 3600},
		Cache: func() cache.Stats {
			return cache.Stats{Memory: 1, Disk: 2, Segments: 3, Hits: 4, Misses: 5, Evicted: 6, Lost: 7, WriteErrors: 8, ReadErrors: 9}
		},
		Connections: func() int { return 5 },
		Transcodes:  func() transcode.Stats { return transcode.Stats{Waiting: 1, Received: 2, Sent: 3, Spooled: 4, Spool: 5} },
		Jobs: func() jobs.Counts {
			return jobs.Counts{States: map[jobs.State]int{jobs.StateQueued: 7, jobs.StateRunning: 1}, Pending: 2, Film: 1500 * time.Millisecond}
		},
		Workers: func() pool.Counts {
			return pool.Counts{Spare: 1, Running: 2, Starting: 3, Started: 9, Lost: map[pool.Reason]int64{pool.ReasonHung: 4}}
		},
	})
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*dto.MetricFamily{}
	for _, f := range families {
		all[f.GetName()] = f
	}
	return all
}

// value returns a series of a family by its labels, as in state=playing.
func value(t *testing.T, all map[string]*dto.MetricFamily, name, labels string) float64 {
	t.Helper()
	for _, m := range all[name].GetMetric() {
		var got []string
		for _, l := range m.GetLabel() {
			got = append(got, l.GetName()+"="+l.GetValue())
		}
		if strings.Join(got, ",") != labels {
			continue
		}
		switch {
		case m.Gauge != nil:
			return m.GetGauge().GetValue()
		case m.Counter != nil:
			return m.GetCounter().GetValue()
		default:
			return m.GetHistogram().GetSampleSum()
		}
	}
	t.Fatalf("%s has no series {%s}", name, labels)
	return 0
}

func TestFiguresAreWhatTheirNamesSay(t *testing.T) {
	all := filled(t)
	for series, want := range map[string]float64{
		"upscaled_sessions state=playing":                  2,
		"upscaled_sessions state=ended":                    0,
		"upscaled_sessions_started_total ":                 1,
		"upscaled_sessions_ended_total cause=failed":       1,
		"upscaled_sessions_ended_total cause=eos":          1,
		"upscaled_sessions_ended_total cause=idle":         0,
		"upscaled_session_failures_total code=worker_lost": 1,
		"upscaled_admission_refusals_total reason=cpu":     1,
		"upscaled_admission_refusals_total reason=gpu":     0,
		"upscaled_first_segment_seconds ":                  0.8,
		"upscaled_seek_seconds ":                           0.3,
		"upscaled_real_time_factor ":                       1.5,
		"upscaled_inference_seconds of=median":             0.01,
		"upscaled_load_cores ":                             1.5,
		"upscaled_load_cores_limit ":                       3.6,
		"upscaled_load_gpu ":                               0.25,
		"upscaled_cache_bytes in=memory":                   1,
		"upscaled_cache_bytes in=disk":                     2,
		"upscaled_control_connections ":                    5,
		"upscaled_cache_segments ":                         3,
		"upscaled_cache_requests_total result=hit":         4,
		"upscaled_cache_requests_total result=miss":        5,
		"upscaled_cache_evicted_total ":                    6,
		"upscaled_cache_lost_total ":                       7,
		"upscaled_cache_errors_total operation=write":      8,
		"upscaled_cache_errors_total operation=read":       9,
		"upscaled_jobs state=queued":                       7,
		"upscaled_jobs state=running":                      1,
		"upscaled_jobs state=failed":                       0,
		"upscaled_jobs_film_seconds_total ":                1.5,
		"upscaled_jobs_webhooks_pending ":                  2,
		"upscaled_workers state=spare":                     1,
		"upscaled_workers state=running":                   2,
		"upscaled_workers state=starting":                  3,
		"upscaled_workers_started_total ":                  9,
		"upscaled_workers_lost_total reason=hung":          4,
		"upscaled_workers_lost_total reason=crashed":       0,
		"upscaled_build_info version=test":                 1,
	} {
		name, labels, _ := strings.Cut(series, " ")
		if got := value(t, all, name, labels); got != want {
			t.Errorf("%s is %g, want %g", series, got, want)
		}
	}
	for _, name := range []string{"go_goroutines", "process_resident_memory_bytes"} {
		if all[name] == nil {
			t.Errorf("no %s", name)
		}
	}
}

// TestFramesAreCounted follows two sessions, one of which ends.
func TestFramesAreCounted(t *testing.T) {
	m := New("test")
	before := counts{}
	for _, now := range []counts{{10, 1, 0, 0, 11}, {10, 1, 0, 0, 11}, {25, 1, 2, 0, 26}} {
		m.count(before, now)
		before = now
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "upscaled_frames_total" {
			continue
		}
		all := map[string]*dto.MetricFamily{f.GetName(): f}
		for kind, want := range map[string]float64{"upscaled": 25, "plain": 1, "dropped": 2, "repeated": 0, "encoded": 26} {
			if got := value(t, all, f.GetName(), "kind="+kind); got != want {
				t.Errorf("%s: %g, want %g", kind, got, want)
			}
		}
		return
	}
	t.Error("no upscaled_frames_total")
}

var ours = regexp.MustCompile(`\bupscaled_[a-z_]+\b`)

// names returns the families that a text names, without a histogram's endings.
func names(text string, all map[string]*dto.MetricFamily) []string {
	found := map[string]bool{}
	for _, name := range ours.FindAllString(text, -1) {
		if all[name] == nil {
			name = strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_count"), "_sum")
		}
		found[name] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// TestDocsDashboardAndAlertsNameWhatThereIs holds what deploy/ shows to what is
// measured, both ways: each figure of ours is shown.
func TestDocsDashboardAndAlertsNameWhatThereIs(t *testing.T) {
	all := filled(t)
	shown := map[string]bool{}
	for _, file := range []string{"grafana-dashboard.json", "alerts.yml"} {
		text, err := os.ReadFile(filepath.Join("..", "..", "deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names(string(text), all) {
			shown[name] = true
			if all[name] == nil {
				t.Errorf("%s names %s, which is not measured", file, name)
			}
		}
	}
	for name := range all {
		if strings.HasPrefix(name, namespace) && !shown[name] {
			t.Errorf("%s is shown nowhere", name)
		}
	}
}

// TestDocsAlertsAreComplete reads both files as Grafana and Prometheus do.
func TestDocsAlertsAreComplete(t *testing.T) {
	var rules struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For    string
				Labels, Annotations map[string]string
			}
		}
	}
	read(t, "alerts.yml", func(data []byte) error { return yamlv3.Unmarshal(data, &rules) })
	count := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			count++
			if r.Alert == "" || r.Expr == "" || r.Labels["severity"] == "" || r.Annotations["summary"] == "" || !strings.HasSuffix(r.Annotations["description"], ".") {
				t.Errorf("%+v", r)
			}
		}
	}
	var board struct {
		Title  string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	read(t, "grafana-dashboard.json", func(data []byte) error { return json.Unmarshal(data, &board) })
	seen := map[int]bool{}
	for _, p := range board.Panels {
		if seen[p.ID] || p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("%+v", p)
		}
		seen[p.ID] = true
	}
	if count < 5 || len(board.Panels) < 10 {
		t.Errorf("%d rules, %d panels", count, len(board.Panels))
	}
}

func read(t *testing.T, file string, into func([]byte) error) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "deploy", file))
	if err == nil {
		err = into(data)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestDocsTableOfMetrics holds docs/operations.md to what there is.
func TestDocsTableOfMetrics(t *testing.T) {
	const from, to = "<!-- metrics: go test ./server/metrics -run TestDocs -update -->\n", "<!-- end of metrics -->\n"
	file := filepath.Join("..", "..", "docs", "operations.md")
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), from)
	_, tail, ended := strings.Cut(rest, to)
	if !found || !ended {
		t.Fatal("docs/operations.md has no place for the table of metrics")
	}
	want := head + from + table(filled(t)) + to + tail
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want != string(data) {
		t.Error("the table of metrics in docs/operations.md is stale; run go test ./server/metrics -run TestDocs -update")
	}
}

func table(all map[string]*dto.MetricFamily) string {
	text := "| metric | kind | labels | meaning |\n|---|---|---|---|\n"
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasPrefix(name, namespace) {
			continue
		}
		f := all[name]
		var labels []string
		for _, l := range f.GetMetric()[0].GetLabel() {
			labels = append(labels, "`"+l.GetName()+"`")
		}
		text += fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, strings.ToLower(f.GetType().String()), strings.Join(labels, ", "), f.GetHelp())
	}
	return text
}

// TestRunEnds subscribes and ends with its context.
func TestRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New("test").Run(ctx, &session.Manager{}); err != nil {
		t.Error(err)
	}
}

// TestCodesThatAWorkerMadeUp are one label in all.
func TestCodesThatAWorkerMadeUp(t *testing.T) {
	m := New("test")
	for _, code := range []string{"made_up", "made_up_too", "worker_hung"} {
		m.Hooks().Ended(session.CauseFailed, code)
	}
	got := make(chan prometheus.Metric, 10)
	m.failures.Collect(got)
	if len(got) != 2 {
		t.Errorf("there are %d series", len(got))
	}
}
