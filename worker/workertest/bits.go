package workertest

import "math/bits"

// bitWriter writes bits, the most significant of a byte first.
type bitWriter struct {
	out  []byte
	free int // bits of the last byte that are not written
}

// u writes the lowest n bits of v.
func (w *bitWriter) u(n int, v uint32) {
	for n--; n >= 0; n-- {
		if w.free == 0 {
			w.out, w.free = append(w.out, 0), 8
		}
		w.free--
		w.out[len(w.out)-1] |= byte(v>>n&1) << w.free
	}
}

// ue writes an unsigned Exp-Golomb code (ITU-T H.264 §9.1).
func (w *bitWriter) ue(v uint32) {
	n := bits.Len32(v + 1)
	w.u(2*n-1, v+1)
}

// se writes a signed Exp-Golomb code (§9.1.1).
func (w *bitWriter) se(v int32) {
	if v > 0 {
		w.ue(uint32(2*v - 1))
		return
	}
	w.ue(uint32(-2 * v))
}

// trail ends a raw byte sequence payload: a one and zeros (§7.3.2.11).
func (w *bitWriter) trail() {
	w.u(1, 1)
	w.free = 0
}
