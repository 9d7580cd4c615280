package infer

// #include "native.h"
import "C"

// keepSignals runs load, which may load a provider's libraries, and then puts
// back the signal handlers of Go that they replaced. CUDA installs handlers
// without SA_ONSTACK when it starts and at the first inference; a signal
// that arrives on a goroutine's small stack would then end the process. Handlers
// changed by Go in between keep the flag and are left alone.
func keepSignals(load func() error) error {
	var saved C.struct_infer_signals
	C.infer_save_signals(&saved)
	defer C.infer_restore_signals(&saved)
	return load()
}
