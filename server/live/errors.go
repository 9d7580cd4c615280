package live

import (
	"errors"

	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// ErrClosed is returned by a subscription that was closed.
var ErrClosed = errors.New("subscription is closed")

// ErrFault is what a session fails with where code of ours that serves it panics.
var ErrFault = &wire.Error{Code: string(problem.Internal), Sentence: "Something went wrong in the server."}

// errEnded is returned by what is asked of a packager after its end.
var errEnded = errors.New("stream has ended")

// codeBehind is the code of the warning that the delay grows.
const codeBehind = "behind"

// codeFeed is the code of a session whose feed failed for a reason that it does not tell itself.
const codeFeed = "source_lost"
