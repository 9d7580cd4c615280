package live

import "errors"

// ErrClosed is returned by a subscription that was closed.
var ErrClosed = errors.New("subscription is closed")

// errEnded is returned by what is asked of a packager after its end.
var errEnded = errors.New("stream has ended")

// codeBehind is the code of the warning that the delay grows.
const codeBehind = "behind"

// codeFeed is the code of a session whose feed failed for a reason that it does not tell itself.
const codeFeed = "source_lost"
