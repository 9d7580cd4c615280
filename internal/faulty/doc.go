// Package faulty has GStreamer decode H.264 as decoders do that fail, so that tests can
// see what becomes of a process whose decoder aborts or hangs. Only tests import it.
package faulty
