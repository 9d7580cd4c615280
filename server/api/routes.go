package api

import (
	"net/http"

	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/playout"
)

// mediaPath is where players fetch, with a capability in place of the token: the
// relative URIs of playlists carry it on.
const mediaPath = "/v1/sessions/{id}/media/{capability}/{path...}"

// transcodePath is where films go in and what is made of them comes out.
const transcodePath = "/v1/transcode"

// Routes is the table of what the server answers, and who may ask for it. Whatever
// is added to the API needs a line here to be reached.
func Routes() []auth.Route {
	return []auth.Route{
		{Method: http.MethodGet, Path: "/health", Needs: auth.Public},
		{Method: http.MethodGet, Path: "/ready", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/metrics", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/openapi.json", Needs: auth.Admin},

		{Method: http.MethodGet, Path: "/v1/models", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/v1/filters", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/v1/hardware", Needs: auth.Admin},

		{Method: http.MethodPost, Path: "/v1/sessions", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/v1/sessions", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/v1/sessions/{id}", Needs: auth.Admin},
		{Method: http.MethodPatch, Path: "/v1/sessions/{id}", Needs: auth.Admin},
		{Method: http.MethodDelete, Path: "/v1/sessions/{id}", Needs: auth.Admin},
		{Method: http.MethodPost, Path: "/v1/sessions/{id}/seek", Needs: auth.Admin},
		{Method: http.MethodPost, Path: "/v1/sessions/{id}/pause", Needs: auth.Admin},
		{Method: http.MethodPost, Path: "/v1/sessions/{id}/resume", Needs: auth.Admin},
		{Method: http.MethodPost, Path: "/v1/sessions/{id}/ping", Needs: auth.Admin},
		{Method: http.MethodPost, Path: "/v1/sessions/{id}/urls", Needs: auth.Admin},
		{Method: http.MethodGet, Path: mediaPath, Needs: auth.Viewer},
		{Method: http.MethodGet, Path: streamPath(playout.MP4), Needs: auth.Admin},
		{Method: http.MethodGet, Path: streamPath(playout.TS), Needs: auth.Admin},
		{Method: http.MethodGet, Path: streamPath(playout.Matroska), Needs: auth.Admin},

		{Method: http.MethodPost, Path: whepPath, Needs: auth.Admin},
		{Method: http.MethodPost, Path: whepSignedPath, Needs: auth.Viewer},
		{Method: http.MethodDelete, Path: whepPath + "/{peer}", Needs: auth.Admin},
		{Method: http.MethodDelete, Path: whepSignedPath + "/{peer}", Needs: auth.Viewer},
		{Method: http.MethodPost, Path: whipPath, Needs: auth.Admin},
		{Method: http.MethodPost, Path: whipPath + "/urls", Needs: auth.Admin},
		{Method: http.MethodPost, Path: whipSignedPath, Needs: auth.Sender},

		{Method: http.MethodPost, Path: transcodePath, Needs: auth.Admin},
		{Method: http.MethodPut, Path: transcodePath, Needs: auth.Admin},

		{Method: http.MethodPost, Path: "/v1/jobs", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/v1/jobs", Needs: auth.Admin},
		{Method: http.MethodGet, Path: "/v1/jobs/{id}", Needs: auth.Admin},
		{Method: http.MethodPatch, Path: "/v1/jobs/{id}", Needs: auth.Admin},
		{Method: http.MethodDelete, Path: "/v1/jobs/{id}", Needs: auth.Admin},

		{Method: http.MethodGet, Path: "/v1/control", Needs: auth.Handshake},
	}
}
