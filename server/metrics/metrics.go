package metrics

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
)

// namespace begins the names of all figures that are ours.
const namespace = "upscaled"

// Metrics are the figures of one server.
type Metrics struct {
	registry *prometheus.Registry

	started      prometheus.Counter
	ended        *prometheus.CounterVec
	failures     *prometheus.CounterVec
	refusals     *prometheus.CounterVec
	firstSegment prometheus.Histogram
	seek         prometheus.Histogram
	realTime     prometheus.Histogram
	inference    *prometheus.HistogramVec
	frames       *prometheus.CounterVec
}

// waits are the buckets of what a player waits for, in seconds.
var waits = []float64{0.1, 0.2, 0.35, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20}

// New returns figures that are all zero. Version is the server's.
func New(version string) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		started:  prometheus.NewCounter(opts("sessions_started_total", "Sessions whose film was opened.")),
		ended:    vec("sessions_ended_total", "Sessions that ended, by cause.", "cause"),
		failures: vec("session_failures_total", "Sessions that ended by a failure, by the code of the problem.", "code"),
		refusals: vec("admission_refusals_total", "Sessions that were refused for want of room, by what was short.", "reason"),
		firstSegment: histogram("first_segment_seconds",
			"From the request for a session until its first segment of the picture was made.", waits),
		seek: histogram("seek_seconds",
			"From a seek, or a request elsewhere in the film, until that segment of the picture was handed to the player.", waits),
		realTime: histogram("real_time_factor",
			"Seconds of film made in a second, one observation for each session and second that was worked through.",
			[]float64{0.25, 0.5, 0.75, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10}),
		inference: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "inference_seconds",
			Help:    "Time of the model on a picture: for each session and second, the median and the 95th percentile of its last pictures.",
			Buckets: []float64{0.002, 0.005, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2, 0.5},
		}, []string{"of"}),
		frames: vec("frames_total", "Pictures of sessions: upscaled by a model, plain (by none), dropped, repeated, encoded.", "kind"),
	}
	m.begin()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: namespace, Name: "build_info", Help: "1, with the server's version.", ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	m.registry.MustRegister(
		m.started, m.ended, m.failures, m.refusals, m.firstSegment, m.seek, m.realTime, m.inference, m.frames, build,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// begin makes the series whose labels are known, so that their rise from nothing
// can be seen.
func (m *Metrics) begin() {
	for _, cause := range session.Causes() {
		m.ended.WithLabelValues(string(cause))
	}
	for _, reason := range session.Reasons() {
		m.refusals.WithLabelValues(string(reason))
	}
	for _, kind := range frameKinds {
		m.frames.WithLabelValues(kind)
	}
}

func opts(name, help string) prometheus.CounterOpts {
	return prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}
}

func vec(name, help, label string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(opts(name, help), []string{label})
}

func histogram(name, help string, buckets []float64) prometheus.Histogram {
	return prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
}

// Hooks are what sessions tell.
func (m *Metrics) Hooks() session.Hooks {
	return session.Hooks{
		Started: m.started.Inc,
		Ended: func(cause session.Cause, code string) {
			m.ended.WithLabelValues(string(cause)).Inc()
			if cause == session.CauseFailed {
				kind, _ := problem.KindOf(problem.Code(code)) // a worker's own are no labels: there is no end to them
				m.failures.WithLabelValues(string(kind.Code)).Inc()
			}
		},
		Refused:      func(r session.Reason) { m.refusals.WithLabelValues(string(r)).Inc() },
		FirstSegment: func(d time.Duration) { m.firstSegment.Observe(d.Seconds()) },
		Seek:         func(d time.Duration) { m.seek.Observe(d.Seconds()) },
		RealTime:     m.realTime.Observe,
	}
}

// Handler answers scrapes.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Run takes the workers' figures from the sessions' events until ctx ends.
func (m *Metrics) Run(ctx context.Context, sessions *session.Manager) error {
	for {
		events := sessions.Subscribe(func(e session.Event) bool {
			return e.Stats != nil || e.State != nil && e.State.State == session.StateEnded
		})
		err := m.follow(ctx, events)
		events.Close()
		if !errors.Is(err, session.ErrSlow) { // then some are lost, and counted with the next
			return nil
		}
	}
}

// follow counts from events until they end.
func (m *Metrics) follow(ctx context.Context, events *session.Subscription) error {
	before := map[string]counts{}
	for {
		e, err := events.Next(ctx)
		if err != nil {
			return err
		}
		stats := e.Stats
		if e.State != nil {
			stats = e.State.Stats // the last
		}
		if stats != nil {
			now := countsOf(stats)
			m.count(before[e.Session], now)
			before[e.Session] = now
		}
		if e.State != nil {
			delete(before, e.Session)
		} else if stats.Median > 0 {
			m.inference.WithLabelValues("median").Observe(stats.Median / 1000)
			m.inference.WithLabelValues("p95").Observe(stats.P95 / 1000)
		}
	}
}

// counts are pictures, as frameKinds has them.
type counts [5]int64

var frameKinds = [5]string{"upscaled", "plain", "dropped", "repeated", "encoded"}

func countsOf(s *session.Stats) counts {
	return counts{s.Upscaled, s.Plain, s.Dropped, s.Repeated, s.Encoded}
}

func (m *Metrics) count(before, now counts) {
	for i, kind := range frameKinds {
		m.frames.WithLabelValues(kind).Add(float64(max(0, now[i]-before[i])))
	}
}
