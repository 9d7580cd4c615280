package infer

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "native.h"
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// Runtime is the ONNX Runtime library of this process. There is at most one;
// it is loaded by the first Open and stays until the process ends, because
// its environment is global in the binding and sessions of any package may
// still use it.
type Runtime struct {
	path    string
	version string
}

// opened is the Runtime of the process.
var opened struct {
	mu sync.Mutex
	rt *Runtime // guarded by mu; nil until an Open has succeeded
}

// Open loads ONNX Runtime, or returns the one that is loaded. A failed Open
// may be tried again. The error wraps ErrRuntime and names the path, the
// version found and the one wanted.
func Open() (*Runtime, error) {
	opened.mu.Lock()
	defer opened.mu.Unlock()
	if opened.rt != nil {
		return opened.rt, nil
	}
	executable, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRuntime, err)
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRuntime, err)
	}
	path, err := findLibrary(os.Getenv(LibraryEnv), executable, dir)
	if err != nil {
		return nil, err
	}
	version, err := libraryVersion(path)
	if err != nil {
		return nil, err
	}
	if version != WantedVersion() {
		return nil, fmt.Errorf("%w: %s is version %s, and version %s is wanted", ErrRuntime, path, version, WantedVersion())
	}
	ort.SetSharedLibraryPath(path)
	// Failures come back as errors; what ONNX Runtime would print besides is
	// noise from probing models and providers that may well be unfit.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrRuntime, path, err)
	}
	opened.rt = &Runtime{path: path, version: version}
	return opened.rt, nil
}

// Version returns the version of the loaded library, such as "1.27.0".
func (r *Runtime) Version() string { return r.version }

// Path returns the file that the library was loaded from.
func (r *Runtime) Path() string { return r.path }

// libraryVersion loads the library at path far enough to ask its version. The
// binding asks only whether the library is new enough, and unloads an older one
// before it can be named.
func libraryVersion(path string) (string, error) {
	// dlerror's message belongs to the thread that called dlopen.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name)) // valid: made by CString, which allocates with malloc
	var problem *C.char
	version := C.infer_library_version(name, &problem)
	if version == nil {
		return "", fmt.Errorf("%w: %s: %s", ErrRuntime, path, C.GoString(problem))
	}
	return C.GoString(version), nil
}
