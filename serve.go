package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// serverName is the server's executable, which lies beside this one.
const serverName = "upscaled-server"

// serveCommand runs the server. It is another executable: this one has loaded
// GStreamer's libraries before main runs, and the server must not.
type serveCommand struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"What upscaled-server takes; --help lists it."`
}

// Run becomes the server. It returns only when that cannot be.
func (c *serveCommand) Run() error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("serve: this program does not know where it lies: %w", err)
	}
	path := filepath.Join(filepath.Dir(self), serverName)
	err = syscall.Exec(path, append([]string{serverName}, c.Args...), os.Environ())
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("serve: there is no %s; make build makes both programs, and they must lie in one folder", path)
	}
	return fmt.Errorf("serve: %s: %w", path, err)
}
