package pipeline

// #include "priority.h"
import "C"

import (
	"unsafe"

	"github.com/go-gst/go-gst/gst"
)

// withPriorities lets the queues that are told to giveWay do so: their threads
// get a core when the upscaler's leave one free. The upscaler's threads work on
// one frame together; where one of them is held up by an encoder's, the others
// wait for it with nothing to do. See docs/decisions/0009-speed.md.
func withPriorities(pipe *gst.Pipeline) {
	C.pipeline_with_priorities(unsafe.Pointer(pipe.Instance())) // valid: borrowed for the call
}

func giveWay(queue *gst.Element) {
	C.queue_give_way(unsafe.Pointer(queue.Instance())) // valid: borrowed for the call
}
