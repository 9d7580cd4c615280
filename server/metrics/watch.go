package metrics

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/worker/pool"
)

// Sources are asked at each scrape; all must be quick.
type Sources struct {
	States   func() map[session.State]int
	Load     func() (core, gpu float64) // ms of each second
	Capacity session.Capacity
	Cache    func() cache.Stats
	Workers  func() pool.Counts
	// Connections counts those of the control protocol.
	Connections func() int
	Jobs        func() jobs.Counts
}

// Watch adds what is asked at each scrape. It may be called once.
func (m *Metrics) Watch(s Sources) { m.registry.MustRegister(watch(s)) }

// watch is a prometheus.Collector.
type watch Sources

// figure describes a figure that is asked for.
func figure(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(namespace+"_"+name, help, labels, nil)
}

var (
	sessions       = figure("sessions", "Sessions by state; those that ended a short time ago among them.", "state")
	load           = figure("load_cores", "Processor cores that the sessions need, by prediction at first and by measurement then.")
	loadLimit      = figure("load_cores_limit", "Processor cores that all sessions together may need.")
	gpuLoad        = figure("load_gpu", "Share of a GPU's time that the sessions need.")
	cacheBytes     = figure("cache_bytes", "Bytes of segments that are kept, by where.", "in")
	cacheSegments  = figure("cache_segments", "Segments that are kept.")
	cacheRequests  = figure("cache_requests_total", "Segments that were looked for, by whether they were there.", "result")
	cacheEvicted   = figure("cache_evicted_total", "Segments that were removed from the disk for room.")
	cacheLost      = figure("cache_lost_total", "Segments that left memory before they could be written.")
	cacheErrors    = figure("cache_errors_total", "Errors of the cache's disk.", "operation")
	connections    = figure("control_connections", "Open connections of the control protocol.")
	workers        = figure("workers", "Worker processes: spare, running (with a session), starting.", "state")
	workersStarted = figure("workers_started_total", "Worker processes that were started.")
	jobsByState    = figure("jobs", "Jobs by state; those that are over as long as they are remembered.", "state")
	jobsFilm       = figure("jobs_film_seconds_total", "Seconds of film that jobs have made, those that did not end well too.")
	jobsHooks      = figure("jobs_webhooks_pending", "Messages of jobs' ends that wait to be delivered.")
	workersLost    = figure("workers_lost_total", "Worker processes that ended without being told to, by reason; a spare is started again.", "reason")
)

// Describe implements prometheus.Collector.
func (w watch) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		sessions, load, loadLimit, gpuLoad, cacheBytes, cacheSegments, cacheRequests, cacheEvicted, cacheLost, cacheErrors,
		connections, workers, workersStarted, workersLost, jobsByState, jobsFilm, jobsHooks,
	} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (w watch) Collect(to chan<- prometheus.Metric) {
	states := w.States()
	for _, state := range session.States() {
		to <- gauge(sessions, float64(states[state]), string(state))
	}
	core, gpu := w.Load()
	to <- gauge(load, core/1000)
	to <- gauge(loadLimit, w.Capacity.CoreMS/1000)
	to <- gauge(gpuLoad, gpu/1000)
	w.collectCache(to)
	w.collectJobs(to)
	to <- gauge(connections, float64(w.Connections()))
	counts := w.Workers()
	to <- gauge(workers, float64(counts.Spare), "spare")
	to <- gauge(workers, float64(counts.Running), "running")
	to <- gauge(workers, float64(counts.Starting), "starting")
	to <- counter(workersStarted, counts.Started)
	for _, reason := range pool.Reasons() {
		to <- counter(workersLost, counts.Lost[reason], string(reason))
	}
}

func (w watch) collectJobs(to chan<- prometheus.Metric) {
	c := w.Jobs()
	for _, state := range jobs.States() {
		to <- gauge(jobsByState, float64(c.States[state]), string(state))
	}
	to <- prometheus.MustNewConstMetric(jobsFilm, prometheus.CounterValue, c.Film.Seconds())
	to <- gauge(jobsHooks, float64(c.Pending))
}

func (w watch) collectCache(to chan<- prometheus.Metric) {
	c := w.Cache()
	to <- gauge(cacheBytes, float64(c.Memory), "memory")
	to <- gauge(cacheBytes, float64(c.Disk), "disk")
	to <- gauge(cacheSegments, float64(c.Segments))
	to <- counter(cacheRequests, c.Hits, "hit")
	to <- counter(cacheRequests, c.Misses, "miss")
	to <- counter(cacheEvicted, c.Evicted)
	to <- counter(cacheLost, c.Lost)
	to <- counter(cacheErrors, c.ReadErrors, "read")
	to <- counter(cacheErrors, c.WriteErrors, "write")
}

func gauge(d *prometheus.Desc, value float64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
}

func counter(d *prometheus.Desc, value int64, labels ...string) prometheus.Metric {
	return prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
}
