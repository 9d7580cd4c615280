package transcode

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// Order is what a client asks for.
type Order struct {
	Source  string         // "" for the request's body
	Picture playback.Order // how it is made; the source is not set
	Output  wire.Output
}

// Parameter is a key of the query.
type Parameter struct {
	Name string
	Doc  string
	Enum []string // all there may be, nil for what is no choice
	take func(o *Order, value string) error
}

// Parameters lists the keys of the query.
func Parameters() []Parameter { return slices.Clone(parameters) }

// The bounds of numbers.
const (
	maxHeight  = 4320
	maxTrack   = 999
	maxDevice  = 63
	maxSeconds = 1e6
)

var parameters = []Parameter{
	{
		"source", "The film, in place of a body: ROOT/path/below/it of a configured root, or a URL of a configured host.", nil,
		func(o *Order, v string) error { o.Source = v; return nil },
	},
	{
		"model", "Id of the model, one of /v1/models; models.default without.", nil,
		func(o *Order, v string) error { o.Picture.Model = v; return nil },
	},
	{
		"provider", "What runs the model; models.provider without.",
		[]string{"auto", "tensorrt", "cuda", "openvino", "webgpu", "cpu"},
		func(o *Order, v string) error { o.Picture.Provider = v; return nil },
	},
	{
		"device", "Number of the provider's device, 0 to 63; 0 without.", nil,
		func(o *Order, v string) error { return whole(&o.Picture.Device, v, 0, maxDevice) },
	},
	{
		"strength", "Share of the model in the picture, 0 to 1; 1 without.", nil,
		func(o *Order, v string) error {
			o.Picture.Strength = new(float64)
			return number(o.Picture.Strength, v, 0, 1)
		},
	},
	{
		"preset", "One of the presets of /v1/filters.", nil,
		func(o *Order, v string) error { o.Picture.Preset = v; return nil },
	},
	{
		"filters", "Values in place of the preset's, as in contrast:1.2,gamma:1.1,lut:warm. What is out of its range is moved to its end, and named in the header Upscaled-Clamped.", nil,
		func(o *Order, v string) (err error) { o.Picture.Filters, err = look(v); return err },
	},
	{
		"height", "Rows of the picture, to 4320; 0, or without: the source's times the model's scale.", nil,
		func(o *Order, v string) error { return whole(&o.Output.Height, v, 0, maxHeight) },
	},
	{
		"video_codec", "h264 without, or hevc where the source is HDR.",
		[]string{"h264", "hevc", "av1", "vp9"},
		func(o *Order, v string) error { o.Output.VideoCodec = v; return nil },
	},
	{
		"quality", "Constant quality in the codec's own scale, less is better: h264 and hevc 0 to 51, av1 and vp9 0 to 63; -1, or without: the usual.", nil,
		func(o *Order, v string) error { return whole(&o.Output.Quality, v, -1, 63) },
	},
	{
		"speed", "How long the encoder may look for a smaller file; balanced without.",
		[]string{"fast", "balanced", "best"},
		func(o *Order, v string) error { o.Output.Speed = v; return nil },
	},
	{
		"audio", "copy: as it is, or the request is refused; aac, opus: encoded; none. Without: as it is where the container takes it, else encoded.",
		[]string{"copy", "aac", "opus", "none"},
		func(o *Order, v string) error { o.Output.Audio = wire.AudioMode(v); return nil },
	},
	{
		"track", "Number of the one track of sound that is kept, from 0; all without.", nil,
		func(o *Order, v string) error { return whole(&o.Output.Track, v, 0, maxTrack) },
	},
	{
		"container", "mkv without.",
		[]string{"mkv", "mp4", "ts"},
		func(o *Order, v string) error { o.Output.Container = v; return nil },
	},
	{
		"start", "Where in the film to begin: seconds, as in 754.2, or 12m34s.", nil,
		func(o *Order, v string) error { return length(&o.Output.Start, v, 0) },
	},
	{
		"duration", "How much of the film to take, likewise; all without.", nil,
		func(o *Order, v string) error { return length(&o.Output.Duration, v, 1) },
	},
}

// Parse reads a query. Every key is known, and comes once. Errors are problems that
// name the key.
func Parse(query string) (Order, error) {
	o := Order{Output: wire.Output{Container: "mkv", Speed: "balanced", Quality: -1, Track: -1, Stream: true}}
	values, err := url.ParseQuery(query)
	if err != nil {
		return o, playback.Faulty(problem.Fault{Where: "query", What: "cannot be read: percent signs and semicolons must be written as %25 and %3B"})
	}
	var faults []problem.Fault
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if err := o.take(name, values[name]); err != nil {
			faults = append(faults, problem.Fault{Where: "query." + name, What: err.Error()})
		}
	}
	if o.Output.Quality > 51 && !slices.Contains([]string{"av1", "vp9"}, o.Output.VideoCodec) {
		faults = append(faults, problem.Fault{Where: "query.quality", What: "must be from -1 to 51 for h264 and hevc"})
	}
	if len(faults) > 0 {
		return o, playback.Faulty(faults[:min(len(faults), maxFaults)]...)
	}
	o.Picture.Output.Height = &o.Output.Height
	return o, nil
}

// maxFaults bounds how many faults of a request are told.
const maxFaults = 16

func (o *Order) take(name string, values []string) error {
	i := slices.IndexFunc(parameters, func(p Parameter) bool { return p.Name == name })
	switch {
	case i < 0:
		return errors.New("there is no such key")
	case len(values) > 1:
		return errors.New("must be given once")
	case values[0] == "":
		return errors.New("must not be empty")
	}
	p := parameters[i]
	if p.Enum != nil && !slices.Contains(p.Enum, values[0]) {
		return errors.New("must be one of " + strings.Join(p.Enum, ", "))
	}
	return p.take(o, values[0])
}

func whole(to *int, value string, least, most int) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < least || n > most {
		return fmt.Errorf("must be a whole number from %d to %d", least, most)
	}
	*to = n
	return nil
}

func number(to *float64, value string, least, most float64) error {
	f, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(f) || f < least || f > most {
		return fmt.Errorf("must be a number from %g to %g", least, most)
	}
	*to = f
	return nil
}

// length reads a time as seconds or as Go writes durations.
func length(to *time.Duration, value string, least time.Duration) error {
	d, err := time.ParseDuration(value)
	if f, bad := strconv.ParseFloat(value, 64); bad == nil && math.Abs(f) <= maxSeconds { // NaN is not
		d, err = time.Duration(f*float64(time.Second)), nil
	}
	if err != nil || d < least || d > maxSeconds*time.Second {
		return errors.New("must be seconds, as in 754.2, or a time as in 12m34s, to 1000000 seconds")
	}
	*to = d
	return nil
}

// look reads the values of filters.
func look(value string) (*filters.Overrides, error) {
	own, seen := &filters.Overrides{}, map[string]bool{}
	for pair := range strings.SplitSeq(value, ",") {
		name, value, found := strings.Cut(pair, ":")
		switch {
		case !found || value == "":
			return nil, errors.New("must be pairs as in contrast:1.2,gamma:1.1")
		case seen[name]:
			return nil, fmt.Errorf("has %.40q twice", name)
		}
		seen[name] = true
		if name == "lut" {
			own.LUT = &value
			continue
		}
		f, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("must have a number for %.40q", name)
		}
		if !own.Set(name, f) {
			return nil, fmt.Errorf("has no filter %.40q; /v1/filters lists them", name)
		}
	}
	return own, nil
}

// types are the media types of the containers.
var types = map[string]string{"mkv": "video/x-matroska", "mp4": "video/mp4", "ts": "video/mp2t"}

// fileName returns what the result may be saved as.
func (o *Order) fileName() string {
	name := "upscaled"
	if o.Source != "" {
		base := o.Source
		if u, err := url.Parse(o.Source); err == nil && u.Scheme != "" {
			base = u.Path // the rest may be a secret
		}
		if base = path.Base(base); base != "." && base != "/" {
			name = strings.TrimSuffix(base, path.Ext(base)) + ".upscaled"
		}
	}
	return name + "." + o.Output.Container
}
