package api

import (
	"context"
	"net/http"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/models"
	"github.com/upscaled-media/upscaled/server/problem"
)

// Hardware is what the server runs on, and how much of it is taken.
type Hardware struct {
	Cores     int         `json:"cores" doc:"Processor cores that the server and its workers may use."`
	Memory    int64       `json:"memory" doc:"Bytes of the machine."`
	Providers []string    `json:"providers" doc:"What may be asked for as a provider. One that does not run here is refused with provider_unavailable."`
	Software  Software    `json:"software"`
	Load      Load        `json:"load" doc:"What the sessions take, in milliseconds a second."`
	Workers   Workers     `json:"workers"`
	Costs     []ModelCost `json:"costs" doc:"What a million pixels take, as measured; empty until that is done."`
	Sessions  struct {
		Running int `json:"running"`
		Max     int `json:"max" doc:"sessions.max"`
	} `json:"sessions"`
}

// Software is what runs, with versions; those of libraries are what a worker told.
type Software struct {
	Server      string `json:"server"`
	GStreamer   string `json:"gstreamer,omitempty" doc:"Absent until a worker has started."`
	ONNXRuntime string `json:"onnxruntime,omitempty" doc:"Absent until a worker has started."`
}

// Load is what sessions take of the machine, by prediction at first and by
// measurement then.
type Load struct {
	CoreMS      float64 `json:"core_ms" doc:"Of the processor's cores."`
	CoreMSLimit float64 `json:"core_ms_limit" doc:"That all sessions together may take: cores × 1000 × admission.share."`
	GPUMS       float64 `json:"gpu_ms"`
	GPUMSLimit  float64 `json:"gpu_ms_limit"`
}

// ModelCost is what a model takes of this machine, in milliseconds of the processor's
// cores for a million pixels.
type ModelCost struct {
	Model    string  `json:"model"`
	Provider string  `json:"provider" doc:"That ran it."`
	Decode   float64 `json:"decode_ms"`
	Upscale  float64 `json:"upscale_ms" doc:"Of the source's pixels."`
	Encode   float64 `json:"encode_ms" doc:"Of the pixels that are encoded."`
	GPU      float64 `json:"gpu_ms" doc:"Of the GPU, for the source's pixels; 0 where none works."`
}

// Workers counts the worker processes.
type Workers struct {
	Spare    int `json:"spare" doc:"Ready, with the default model loaded."`
	Running  int `json:"running" doc:"With a session."`
	Starting int `json:"starting"`
}

type modelsOutput struct {
	Body struct {
		Default string            `json:"default" doc:"Id of the one that is used where a request names none."`
		Models  []models.Manifest `json:"models"`
	}
}

type filtersOutput struct {
	Body struct {
		Filters []filters.Filter `json:"filters" doc:"In the order in which a menu shows them."`
		Presets []filters.Preset `json:"presets" doc:"Likewise."`
		LUTs    []string         `json:"luts" doc:"Colour tables that the filter lut may name."`
	}
}

type hardwareOutput struct {
	Body Hardware
}

type statusOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

// registerFacts adds what tells of the server.
func (a *API) registerFacts() {
	health := op(http.MethodGet, "/health", "health", "Whether the server answers", "Needs no token.")
	health.Security = []map[string][]string{{}}
	register(a, health, func(context.Context, *struct{}) (*statusOutput, error) { return well(), nil })
	register(a, op(http.MethodGet, "/ready", "ready", "Whether the server can take a session",
		"A worker is there or can be started, segments can be kept, and the server is not ending; 503 with the reason otherwise.", 503),
		func(context.Context, *struct{}) (*statusOutput, error) {
			if err := a.o.Ready(); err != nil {
				return nil, problem.New(problem.NotReady, "%s", err)
			}
			return well(), nil
		})
	register(a, op(http.MethodGet, "/v1/models", "list-models", "List the models", "With their manifests."), a.models)
	register(a, op(http.MethodGet, "/v1/filters", "list-filters", "List the filters, presets and colour tables",
		"What a menu needs to show: ids, ranges, neutral values."), a.filters)
	register(a, op(http.MethodGet, "/v1/hardware", "get-hardware", "What the server runs on", "And how much of it is taken."),
		func(context.Context, *struct{}) (*hardwareOutput, error) { return &hardwareOutput{a.o.Hardware()}, nil })
}

func well() *statusOutput {
	out := &statusOutput{}
	out.Body.Status = "ok"
	return out
}

func (a *API) models(context.Context, *struct{}) (*modelsOutput, error) {
	out := &modelsOutput{}
	out.Body.Default, out.Body.Models = a.o.Defaults.Model, a.o.Models.List()
	return out, nil
}

func (a *API) filters(context.Context, *struct{}) (*filtersOutput, error) {
	out := &filtersOutput{}
	var err error
	out.Body.Filters, out.Body.Presets = filters.Table(), filters.Presets()
	out.Body.LUTs, err = a.o.LUTs.Names()
	return out, err
}
