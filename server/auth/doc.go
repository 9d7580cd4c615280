// Package auth decides who may do what. It owns the token, the signed URLs of
// media, the list of origins, the roles, and the Guard that every request passes.
//
//	request ─► Guard.Wrap ─► origin ─► route of the table ─► who is it? ─► may they? ─► handler
//	              │           403       404, 405              401, 429      403            │
//	              └ answers preflights                                               auth.Of(ctx)
//
// The Guard is closed by default: it lets through what its table of routes lists,
// and answers everything else itself, so that a handler without a line there
// cannot be reached. A further role is a constant and a line in role.go, and a
// rule in Guard.identify.
//
// Two ways lead in. The token (header X-Api-Token or Authorization: Bearer, or the WebSocket subprotocol
// token.<base64url>) makes an Admin. A capability, which stands in the path of a
// media URL so that the relative URLs in a playlist carry it on, makes a Viewer of
// its one session; that of a ticket makes a Sender, who may have its picture upscaled
// and nothing else. Neither is taken for the other. Without a configured token everybody is Admin who speaks to a
// loopback address by a loopback name: a page in the user's own browser that had
// its name resolved to 127.0.0.1 does not.
//
// The package is pure and starts no goroutine. Guard and Signer may be used from
// any goroutine.
package auth
