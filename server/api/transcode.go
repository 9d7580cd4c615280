package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/server/transcode"
)

// describeTranscode adds the endpoint that takes and gives films.
func (a *API) describeTranscode() {
	binary := &huma.Schema{Type: huma.TypeString}
	for method, id := range map[string]string{http.MethodPost: "post-transcode", http.MethodPut: "put-transcode"} {
		o := op(method, transcodePath, id, "Transcode a film",
			"The film is the body, of any container that can be read as a stream, or what source names. The result comes while the body does, "+
				"no faster than it is read, and is whole only where the message is: after an error the connection or the stream is broken off. "+
				"See docs/remote.md.", 403, 404, 408, 413, 422, 500, 502, 503, 504, 507)
		for _, p := range transcode.Parameters() {
			schema := &huma.Schema{Type: huma.TypeString}
			for _, choice := range p.Enum {
				schema.Enum = append(schema.Enum, choice)
			}
			o.Parameters = append(o.Parameters, &huma.Param{Name: p.Name, In: "query", Description: p.Doc, Schema: schema})
		}
		o.RequestBody = &huma.RequestBody{
			Description: "The film; none where source is given.", Content: map[string]*huma.MediaType{"application/octet-stream": {Schema: binary}},
		}
		a.describe(o, map[string]*huma.Schema{"video/x-matroska": binary, "video/mp4": binary, "video/mp2t": binary})
	}
}
