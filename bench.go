package main

import "context"

// benchCommand measures.
type benchCommand struct{}

// Run measures.
func (c *benchCommand) Run(_ context.Context, _ *app) error { return nil }
