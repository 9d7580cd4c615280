// Package metrics measures the server for Prometheus.
//
//	session.Hooks ──► counters, histograms ─┐
//	worker's Stats ─► inference, frames ────┼─► registry of its own ─► Handler
//	Watch: sessions, pool, cache ─► asked at each scrape ┘
//
// Each figure is taken where its name says: a hook's by the session at that moment,
// a gauge's when it is asked for. docs/operations.md lists them, the dashboard and
// the alert rules in deploy/ use them, and tests hold all three together.
//
// # Threads
//
// Run owns the one goroutine, which takes the events of sessions. All else may be
// called by any.
package metrics
