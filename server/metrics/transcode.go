package metrics

import "github.com/prometheus/client_golang/prometheus"

var (
	waiting  = figure("transcodes_waiting", "Transcodes of /v1/transcode that wait for room.")
	received = figure("transcode_body_bytes_total", "Bytes that came as bodies of /v1/transcode.")
	sent     = figure("transcode_result_bytes_total", "Bytes that went out as results of /v1/transcode.")
	spooled  = figure("transcode_spooled_total", "Bodies that were kept whole, since they cannot be read as streams.")
	spool    = figure("transcode_spool_bytes", "Bytes of bodies that are kept.")
)

func (w watch) collectTranscodes(to chan<- prometheus.Metric) {
	t := w.Transcodes()
	to <- gauge(waiting, float64(t.Waiting))
	to <- counter(received, t.Received)
	to <- counter(sent, t.Sent)
	to <- counter(spooled, t.Spooled)
	to <- gauge(spool, float64(t.Spool))
}
