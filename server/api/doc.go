// Package api is what the server answers over HTTP: the REST interface, and the
// media that players fetch.
//
//	request ─► Guard (routes.go) ─► bounds ─┬─ huma ─► playback.Desk ─► session.Manager
//	             401, 403, 404, 405   413   ├─ media ─► Session.Get, as hls.ParsePath reads the path
//	                                        └─ control, metrics: handlers that are given
//
// Routes is the one table of what there is and who may use it; what is not in it
// cannot be reached. huma reads requests strictly, by the tags of their structs, and
// makes the OpenAPI document of the same tags, so that neither can be forgotten. It
// was taken because the alternative was a generator of our own. Its errors, like all
// others, become problems of package problem.
//
// # Bounds
//
// A body is read whole before anything looks at it, within a size and a time; an
// answer must be taken within a time from its first byte on. A request that waits for
// a segment ends when its client goes.
//
// The package starts no goroutine and holds no state.
package api
