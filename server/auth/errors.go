package auth

import "errors"

var (
	// ErrToken is wrapped by errors of text that cannot be a token.
	ErrToken = errors.New("not a token")
	// ErrOrigin is wrapped by errors of text that is not an origin.
	ErrOrigin = errors.New("not an origin")
	// ErrCapability is returned for a capability that was not made by this process
	// for this session.
	ErrCapability = errors.New("capability not valid")
	// ErrExpired is returned for a capability that was valid once.
	ErrExpired = errors.New("capability expired")
)
