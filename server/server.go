package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"time"

	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/api"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/cache"
	"github.com/upscaled-media/upscaled/server/config"
	"github.com/upscaled-media/upscaled/server/control"
	"github.com/upscaled-media/upscaled/server/ingest"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/live"
	"github.com/upscaled-media/upscaled/server/metrics"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/session"
	"github.com/upscaled-media/upscaled/server/source"
	"github.com/upscaled-media/upscaled/server/transcode"
	"github.com/upscaled-media/upscaled/server/webrtc"
	"github.com/upscaled-media/upscaled/worker/pool"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// memoryOfCache is how much of the cache is kept in memory: what players ask for
// within a moment of its being made never touches the disk.
const memoryOfCache = 32 << 20

// maxStreams bounds the requests under way on one connection of HTTP/2.
const maxStreams = 64

// idleConnection is after how long a connection without a request is closed.
const idleConnection = 2 * time.Minute

// Options are what a Server is given besides its configuration.
type Options struct {
	Version   string
	Log       *slog.Logger
	Listening func(net.Addr) // is told when requests can come; may be nil
}

// Server is the daemon. Make it with New and Run it.
type Server struct {
	config   config.Config
	log      *slog.Logger
	told     func(net.Addr)
	version  string
	capacity session.Capacity
	listen   *net.TCPAddr // what a name stands for is asked for once, for all that listens

	cache       *cache.Cache
	workers     *pool.Pool
	tariff      *session.Tariff
	films       session.Films
	metrics     *metrics.Metrics
	sessions    *session.Manager
	studio      *live.Studio
	peers       *webrtc.Server
	jobs        *jobs.Queue
	control     *control.Server
	transcode   *transcode.Endpoint
	http        *http.Server
	certificate *certificate // nil: HTTP
}

// New wires a server; it starts nothing. It takes hold of the cache's folder,
// which Run lets go of.
func New(c config.Config, o Options) (_ *Server, err error) {
	cores := runtime.GOMAXPROCS(0)
	s := &Server{
		config: c, log: o.Log, told: o.Listening, version: o.Version,
		capacity: session.Capacity{
			Sessions: c.Sessions.Max, CoreMS: float64(cores) * 1000 * c.Admission.Share, GPUMS: 1000 * c.Admission.Share,
		},
	}
	s.cache, err = cache.New(cache.Options{Folder: c.Cache.Path, Disk: int64(c.Cache.MaxBytes), Memory: memoryOfCache, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("cache.path: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.cache.Close())
		}
	}()
	return s, s.wire()
}

// wire makes the parts, each of those that it works with.
func (s *Server) wire() (err error) {
	c := s.config
	if s.listen, err = net.ResolveTCPAddr("tcp", c.Listen); err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	if s.certificate, err = newCertificate(c.TLS, s.log); err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	known, faults, err := models.NewCatalogue(c.Models.Path)
	if err != nil {
		return fmt.Errorf("models.path: %w", err)
	}
	for _, fault := range faults {
		s.log.Warn("model left out", "error", fault)
	}
	if _, err := playback.Scale(known, c.Models.Default); err != nil {
		return fmt.Errorf("models.default: %w", err)
	}
	luts, err := playback.NewLUTs(c.LUTs.Path)
	if err != nil {
		return err
	}
	sources, err := source.New(sourceOptions(c, s.log))
	if err != nil {
		return fmt.Errorf("media.%w", err)
	}
	s.workers, err = pool.New(pool.Options{
		Command: []string{c.Workers.Command, "worker"}, Spare: c.Workers.Spare, Open: c.Sessions.StartTimeout, Heartbeat: c.Sessions.Stall, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.tariff = &session.Tariff{Log: s.log, Scale: func(model string) (int, bool) {
		m, known := known.Find(model)
		return m.Scale, known
	}}
	s.films = session.Films{Sources: sources, Workers: s.workers, Models: known, Tariff: s.tariff}
	s.metrics = metrics.New(s.version)
	s.sessions, err = session.New(session.Options{
		Starter: s.films, Cache: s.cache,
		Scale: func(model string) (int, error) { return playback.Scale(known, model) }, Cost: s.tariff.Cost, Capacity: s.capacity,
		Segment: c.HLS.Segment, ReadAhead: c.Sessions.ReadAhead, Idle: c.Sessions.Idle, Wait: c.Sessions.StartTimeout, Memory: int64(c.Workers.Memory),
		Hooks: s.metrics.Hooks(), Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := s.wireLive(known, sources); err != nil {
		return err
	}
	if err := s.wirePeers(); err != nil {
		return err
	}
	s.metrics.Watch(metrics.Sources{
		States: s.sessions.States, Load: s.sessions.Load, Capacity: s.capacity, Cache: s.cache.Stats, Workers: s.workers.Counts,
		Connections: func() int { return s.control.Connections() }, Jobs: func() jobs.Counts { return s.jobs.Counts() },
		Transcodes: func() transcode.Stats { return s.transcode.Stats() },
	})
	signer := auth.NewSigner(c.Auth.CapabilityTTL)
	defaults := playback.Defaults{Model: c.Models.Default, Provider: c.Models.Provider}
	desk := &playback.Desk{Options: playback.Options{
		Sessions: s.sessions, Models: known, LUTs: luts, Signer: signer, Defaults: defaults,
		Live: func(ctx context.Context, r session.Request) (session.Entry, error) { return s.studio.Take(ctx, r) },
	}}
	s.transcode, err = transcode.New(transcode.Options{
		Desk: desk, Sessions: s.sessions, Workers: s.films, Sources: sources,
		Queue: c.Transcode.Queue, QueueWait: c.Transcode.QueueWait, BodyIdle: c.Transcode.BodyIdle, ReadIdle: c.Transcode.ReaderIdle,
		Spool: cmp.Or(c.Transcode.Spool, c.Cache.Path), SpoolMax: int64(c.Transcode.SpoolMax), Log: s.log,
	})
	if err != nil {
		return err
	}
	if err := s.queue(desk, sources); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.jobs.Close())
		}
	}()
	guard := auth.New(auth.Config{
		Token: c.Auth.Token, Origins: c.Auth.Origins, Proxies: c.Auth.Proxies, Capabilities: signer, Routes: api.Routes(), Log: s.log,
	})
	s.control, err = control.New(control.Options{
		Desk: desk, Jobs: s.jobs, Gate: guard, Version: s.version, Connections: c.Control.Max, MaxMessage: int64(c.Control.MaxMessage),
		Queue: c.Control.Queue, AuthTimeout: c.Control.AuthTimeout, Ping: c.Control.Ping, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.http = s.httpServer(guard.Wrap(api.New(api.Options{
		Desk: desk, Sessions: s.sessions, Jobs: s.jobs, Models: known, LUTs: luts, Defaults: defaults,
		Hardware: s.hardware, Ready: s.ready, Metrics: s.metrics.Handler(), Peers: s.peers, Control: s.control, Transcode: s.transcode,
		MaxBody: int64(c.Limits.Body), BodyTimeout: c.Limits.HeaderTimeout, Log: s.log,
	})))
	return nil
}

// wireLive makes what has live sessions.
func (s *Server) wireLive(known *models.Catalogue, sources *source.Opener) (err error) {
	c := s.config
	s.studio, err = live.New(live.Options{
		Sessions: s.sessions,
		Relay: func(ctx context.Context, id string, settings session.Settings, m wire.Relay, stream *os.File, h session.Handler) (live.Worker, wire.Opened, error) {
			return s.films.Relay(ctx, id, settings, m, stream, h)
		},
		Scale: func(model string) (int, error) { return playback.Scale(known, model) },
		Ingest: ingest.Options{
			Outside: sources.Outside(), Connect: c.Live.Connect, Reconnect: c.Live.Reconnect, Stall: c.Live.Stall,
			Transport: ingest.Transport(c.Live.RTSP), Log: s.log,
		},
		Open: c.Sessions.StartTimeout, Window: c.Live.Window, Part: c.Live.Part, Idle: c.Sessions.Idle,
	})
	return err
}

// wirePeers makes what connects browsers. They reach the machine where HTTP does.
func (s *Server) wirePeers() (err error) {
	c := s.config.WebRTC
	at := netip.IPv6Unspecified()
	if addr, ok := netip.AddrFromSlice(s.listen.IP); ok {
		at = addr.Unmap().WithZone(s.listen.Zone)
	}
	s.peers, err = webrtc.New(webrtc.Options{
		Listen: netip.AddrPortFrom(at, uint16(c.Port)), Ports: webrtc.Ports{First: c.Ports[0], Last: c.Ports[1]},
		Addresses: c.Addresses, Peers: c.Peers, Connect: c.Connect, Disconnected: c.Silence / 2, Failed: c.Silence / 2,
		Sessions: s.sessions, Studio: s.studio, Log: s.log,
	})
	return err
}

// queue makes the jobs, of what sessions are made of.
func (s *Server) queue(desk *playback.Desk, sources *source.Opener) error {
	c := s.config.Jobs
	hosts, err := source.NewHosts(c.Webhook.Hosts)
	if err != nil {
		return fmt.Errorf("jobs.webhook.%w", err)
	}
	s.jobs, err = jobs.New(jobs.Options{
		Path: c.Path, Sources: sources, Desk: desk, Starter: s.films, Host: jobs.Sessions{Manager: s.sessions},
		Concurrency: c.Concurrency, Yield: c.Yield, Booking: wire.Cost{CoreMS: c.Share * s.capacity.CoreMS, GPUMS: c.Share * s.capacity.GPUMS},
		Retries: c.Retries, Max: c.Max, Keep: c.Keep, Roots: c.Roots, Hosts: hosts, Secret: c.Webhook.Secret, Log: s.log,
	})
	if err != nil {
		return fmt.Errorf("jobs.path: %w", err)
	}
	return nil
}

// httpServer returns the server of HTTP. How long an answer may take is the API's
// to say, since some wait for a segment.
func (s *Server) httpServer(handler http.Handler) *http.Server {
	server := &http.Server{
		Handler: handler, Protocols: protocols(), ConnContext: transcode.ConnContext, ReadHeaderTimeout: s.config.Limits.HeaderTimeout, IdleTimeout: idleConnection,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		MaxHeaderBytes: int(s.config.Limits.Header), ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if s.certificate != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.certificate.get}
	}
	return server
}

func sourceOptions(c config.Config, log *slog.Logger) source.Options {
	limits := source.DefaultLimits()
	limits.Size = int64(c.Media.HTTP.MaxBytes)
	limits.Header, limits.Idle = c.Media.HTTP.Timeout, c.Media.HTTP.Timeout
	limits.Block = max(limits.Block, 3*c.Media.HTTP.Timeout)
	roots := map[string]string{}
	for _, root := range c.Media.Roots {
		roots[root.Name] = root.Path
	}
	return source.Options{Roots: roots, Hosts: c.Media.HTTP.Hosts, Limits: limits, Log: log}
}

// OpenAPI returns the document of the HTTP interface, which is the same for every
// configuration.
func OpenAPI() ([]byte, error) {
	return api.New(api.Options{Metrics: http.NotFoundHandler()}).Document()
}
