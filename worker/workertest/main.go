package workertest

import (
	"fmt"
	"os"
	"syscall"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Variable is the variable of the environment that makes a test binary a worker.
const Variable = "UPSCALED_WORKERTEST"

// exitStatus is that of a worker that fails.
const exitStatus = 3

// Env returns the setting of Variable for a worker that is well, "", or has a
// trouble at its start.
func Env(start Kind) string { return Variable + "=film " + string(start) }

// Main runs this process as a worker if Variable says so, and returns the exit
// status then. A TestMain calls it first:
//
//	if status, ok := workertest.Main(); ok {
//		os.Exit(status)
//	}
func Main() (status int, ok bool) {
	value, ok := os.LookupEnv(Variable)
	if !ok {
		return 0, false
	}
	var start Kind
	_, _ = fmt.Sscanf(value, "film %s", &start) // nothing behind it: no trouble
	frames, descriptors, err := wire.Inherited()
	if err == nil {
		err = serve(wire.Ends{Frames: frames, Descriptors: descriptors}, start, die)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake worker:", err)
		return exitStatus, true
	}
	return 0, true
}

// die ends the process by a signal, or with exitStatus for none.
func die(s syscall.Signal) {
	if s == 0 {
		os.Exit(exitStatus) // in the middle of its work, as is wanted
	}
	_ = syscall.Kill(os.Getpid(), s) // of oneself
	select {}
}
