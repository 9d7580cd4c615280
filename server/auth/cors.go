package auth

import (
	"net/http"

	"github.com/upscaled-media/upscaled/server/problem"
)

// What pages of listed origins may do. Access-Control-Allow-Credentials is never
// sent and there are no cookies: a page must hold the token or a signed URL.
const (
	corsMethods = "GET, HEAD, POST, PUT, PATCH, DELETE"
	corsHeaders = "X-Api-Token, Authorization, Content-Type, Range"
	corsExposed = "Content-Length, Content-Range, Accept-Ranges, ETag, Location, Retry-After, Upscaled-Session, Upscaled-Warning"
	corsMaxAge  = "600" // seconds
)

// allowPage lets a page of a listed origin read the answer.
func allowPage(h http.Header, origin Origin) {
	h.Set("Access-Control-Allow-Origin", string(origin))
	h.Set("Access-Control-Expose-Headers", corsExposed)
}

// isPreflight tells whether a browser asks before it sends a request (Fetch,
// CORS-preflight request).
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

// answerPreflight answers it; whether the request itself is allowed is seen when
// it comes.
func answerPreflight(w http.ResponseWriter) {
	problem.Bound(w)
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", corsMethods)
	h.Set("Access-Control-Allow-Headers", corsHeaders)
	h.Set("Access-Control-Max-Age", corsMaxAge)
	w.WriteHeader(http.StatusNoContent)
}
