package webrtc

import (
	"errors"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/wire"
)

var (
	// ErrOffer is wrapped where an offer cannot be read, or asks for what there is not.
	ErrOffer = errors.New("offer of no use")
	// ErrFull is returned when as many peers as may be are connected.
	ErrFull = errors.New("as many peers as allowed are connected")
	// ErrNotReady is returned while the server does not run.
	ErrNotReady = errors.New("WebRTC is not running")
	// ErrPorts is returned while there is nothing that a browser could connect to.
	ErrPorts = errors.New("no port is free, or the machine has no address")
	// ErrNotFound is returned for a peer that there is not, or no longer.
	ErrNotFound = errors.New("no such peer")
)

// What ends a peer.
var (
	errHungUp   = errors.New("hung up by the client")
	errLost     = errors.New("the peer does not answer any more")
	errClosed   = errors.New("the peer has closed the connection")
	errConnect  = errors.New("no connection came about in time")
	errNonsense = errors.New("what the peer sends cannot be read")
	errShutdown = errors.New("the server is ending")
)

// errNoPicture ends a peer whose page lets it wait.
var errNoPicture = &wire.Error{Code: string(problem.PictureMissing), Sentence: "The page is connected, and sends no picture that can be decoded."}
