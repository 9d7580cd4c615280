package server

import (
	"errors"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/upscaled-media/upscaled/server/api"
	"github.com/upscaled-media/upscaled/worker/pool"
)

// providers are what a session may ask for, in the order of /v1/hardware.
var providers = []string{"auto", "tensorrt", "cuda", "openvino", "webgpu", "cpu"}

// hardware tells what the server runs on.
func (s *Server) hardware() api.Hardware {
	core, gpu := s.sessions.Load()
	counts := s.workers.Counts()
	h := api.Hardware{
		Cores: runtime.GOMAXPROCS(0), Providers: providers, Software: api.Software{Server: s.version},
		Load:    api.Load{CoreMS: core, CoreMSLimit: s.capacity.CoreMS, GPUMS: gpu, GPUMSLimit: s.capacity.GPUMS},
		Workers: api.Workers{Spare: counts.Spare, Running: counts.Running, Starting: counts.Starting},
		Costs:   []api.ModelCost{},
	}
	for _, known := range s.tariff.Known() {
		h.Costs = append(h.Costs, api.ModelCost(known))
	}
	h.Sessions.Running, h.Sessions.Max = s.live(), s.capacity.Sessions
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil { // it cannot fail with a valid address
		h.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	if hello, ok := s.workers.Hello(); ok {
		h.Software.GStreamer, h.Software.ONNXRuntime = hello.GStreamer, hello.ONNXRuntime
	}
	return h
}

var errEnding = errors.New("the server is ending")

// ready returns nil when a session can be taken, otherwise why not.
func (s *Server) ready() error {
	if s.sessions.Draining() {
		return errEnding
	}
	switch err := s.workers.Ready(); {
	case errors.Is(err, pool.ErrStarting):
		return err
	case err != nil: // which the pool has logged
		return errors.New("no worker is there and none can be started; the server's log says why")
	}
	if s.cache.Failing() {
		return errors.New("the cache's disk cannot be written to")
	}
	return nil
}
