package main

import (
	"os"
	"testing"
)

// TestSoak soaks the server for as long as a test may take; make soak does it for
// longer.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute and longer")
	}
	cmd := command(t, t.TempDir(), "soak", "--for", "30s", "--players", "4")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
}
