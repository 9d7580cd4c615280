package cache

import "errors"

var (
	// ErrLocked is returned for a folder that another server uses.
	ErrLocked = errors.New("cache folder is in use by another server")
	// ErrForeign is returned for a folder that holds something else than a cache.
	ErrForeign = errors.New("folder is not empty and is not a cache")
)
