package auth

import (
	"context"
	"slices"
)

// Role is what somebody may do, and what a route asks for.
type Role string

// The roles.
const (
	// Public asks for nothing.
	Public Role = "public"
	// Handshake asks for nothing when the request comes, and has the handler ask
	// for a token on the connection that it opens. A wrong token is refused at once.
	Handshake Role = "handshake"
	// Viewer asks for a capability of the session that the path names.
	Viewer Role = "viewer"
	// Sender asks for a capability of the ticket that the path names.
	Sender Role = "sender"
	// Admin asks for the token.
	Admin Role = "admin"
)

// suffices lists who may do what a role is asked for.
var suffices = map[Role][]Role{
	Public:    {Public, Viewer, Sender, Admin},
	Handshake: {Public, Viewer, Sender, Admin},
	Viewer:    {Viewer, Admin},
	Sender:    {Sender, Admin},
	Admin:     {Admin},
}

// Principal is who sent a request. The zero Principal may do nothing.
type Principal struct {
	Role    Role   // Public, Viewer, Sender or Admin
	Session string // that a Viewer may watch
}

// May tells whether the principal may do what needs a role, on a session; session
// is "" where it is about none.
func (p Principal) May(need Role, session string) bool {
	if p.Role == Viewer && need == Viewer && (session == "" || p.Session != session) {
		return false
	}
	return slices.Contains(suffices[need], p.Role)
}

type principalKey struct{}

// Of returns who sent the request of a context that came through a Guard, and
// otherwise the zero Principal.
func Of(ctx context.Context) Principal {
	p, _ := ctx.Value(principalKey{}).(Principal)
	return p
}
