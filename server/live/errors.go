package live

import "errors"

// ErrClosed is returned by a subscription that was closed.
var ErrClosed = errors.New("subscription is closed")

// codeFeed is the code of a session whose feed failed for a reason that it does not tell itself.
const codeFeed = "source_lost"
