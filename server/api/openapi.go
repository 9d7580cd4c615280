package api

import (
	"encoding/json"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/filters"
	"github.com/upscaled-media/upscaled/server/auth"
)

// Version is that of the interface: its first number is the one in paths.
const Version = "1.0.0"

// schemaPrefix is where OpenAPI keeps schemas.
const schemaPrefix = "#/components/schemas/"

// description begins the OpenAPI document.
func description() *huma.OpenAPI {
	return &huma.OpenAPI{
		OpenAPI: "3.1.0",
		Info: &huma.Info{
			Title: "upscaled", Version: Version,
			Description: "Playback sessions that upscale a film while it is watched. docs/api.md shows each request with its answer; " +
				"errors are problems of RFC 9457 with the codes of docs/errors.md.",
			License: &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"},
		},
		Components: &huma.Components{
			Schemas: huma.NewMapRegistry(schemaPrefix, schemaName),
			SecuritySchemes: map[string]*huma.SecurityScheme{"token": {
				Type: "apiKey", In: "header", Name: auth.TokenHeader,
				Description: "The token of the configuration. Without one the server answers on loopback names only, and asks for none.",
			}},
		},
		Security: []map[string][]string{{"token": {}}},
	}
}

// schemaName names the schema of a type. Those of filters, models and jobs begin with
// their package, since some are named like the session's.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	name := huma.DefaultSchemaNamer(t, hint)
	switch owner := path.Base(t.PkgPath()); owner {
	case "filters", "models", "jobs":
		prefix := strings.ToUpper(owner[:1]) + owner[1:len(owner)-1]
		if t.Name() != "" && !strings.HasPrefix(name, prefix) {
			return prefix + name
		}
	}
	return name
}

// describeOthers adds to the document what huma does not answer, and what tags do
// not say.
func (a *API) describeOthers() {
	document := a.huma.OpenAPI()
	binary := &huma.Schema{Type: huma.TypeString}
	media := op(http.MethodGet, "/v1/sessions/{id}/media/{capability}/{path}", "get-media", "Fetch playlists and segments",
		"What urls.master of a session names, and what playlists there name by relative URIs. The capability stands in place of the token. "+
			"A segment that is not made yet is waited for.", 403, 404, 410, 504)
	media.Security = []map[string][]string{{}}
	media.Parameters = []*huma.Param{
		parameter("id", "Id of the session."), parameter("capability", "As it was signed."),
		parameter("path", "master.m3u8, video/index.m3u8, video/0/17.m4s, …; it has slashes."),
	}
	a.describe(media, map[string]*huma.Schema{
		"application/vnd.apple.mpegurl": binary, "video/mp4": binary, "audio/mp4": binary, "text/vtt": binary,
	})
	a.describeStreams()
	a.describeTranscode()
	a.describe(op(http.MethodGet, "/metrics", "metrics", "Figures for Prometheus", "In its text format."),
		map[string]*huma.Schema{"text/plain": binary})
	a.describe(op(http.MethodGet, "/openapi.json", "openapi", "This document", ""),
		map[string]*huma.Schema{"application/json": {Type: huma.TypeObject}})
	if overrides := document.Components.Schemas.Map()["FilterOverrides"]; overrides != nil {
		for _, f := range filters.Table() {
			low, high := f.Min, f.Max
			overrides.Properties[f.ID].Description = "It " + f.Meaning + "."
			overrides.Properties[f.ID].Examples = []any{f.Neutral}
			overrides.Properties[f.ID].Extensions = map[string]any{"x-range": []float64{low, high}}
		}
		overrides.Properties["lut"].Description = `Name of a colour table; "" takes it away.`
	}
}

func parameter(name, doc string) *huma.Param {
	return &huma.Param{Name: name, In: "path", Required: true, Description: doc, Schema: &huma.Schema{Type: huma.TypeString}}
}

// describe adds an operation that huma does not answer.
func (a *API) describe(o huma.Operation, content map[string]*huma.Schema) {
	document := a.huma.OpenAPI()
	types := map[string]*huma.MediaType{}
	for name, schema := range content {
		types[name] = &huma.MediaType{Schema: schema}
	}
	o.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: types}}
	failed := &huma.MediaType{Schema: &huma.Schema{Ref: schemaPrefix + "Problem"}}
	for _, status := range o.Errors {
		o.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status), Content: map[string]*huma.MediaType{"application/problem+json": failed},
		}
	}
	document.AddOperation(&o)
}

// Document returns the OpenAPI document, indented.
func (a *API) Document() ([]byte, error) {
	return json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
}

func (a *API) openAPI(w http.ResponseWriter, r *http.Request) {
	text, err := a.Document()
	if err != nil {
		a.fail(r.Context(), w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // a client that has gone is told nothing
}
