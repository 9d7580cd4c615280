package infer

// GStreamer brings libunwind along, which has functions of the same names as
// libgcc's. ONNX Runtime reports its errors by C++ exceptions inside; thrown by
// one library and resumed by the other they abort the process. What the
// executable itself needs is searched first, so it must need libgcc.

// #cgo LDFLAGS: -Wl,--no-as-needed -lgcc_s -Wl,--as-needed
import "C"
