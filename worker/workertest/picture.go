package workertest

import (
	"encoding/binary"
	"fmt"

	"github.com/upscaled-media/upscaled/internal/testmedia"
)

// macroblock is the side of a macroblock, and of a cell of the code of a frame's
// number.
const macroblock = 16

// The luma of a code's cells and of what lies around them.
const (
	black = 16
	white = 235
)

// frameNumBits is the width of frame_num: no segment has more pictures.
const frameNumBits = 16

// encoder writes H.264, Constrained Baseline (ITU-T H.264), of grey pictures
// whose macroblocks are flat each. So little is enough for pictures that any
// decoder shows, that depend on those before them, and in which the frame's
// number can be read.
type encoder struct {
	width, height int    // pixels
	columns, rows int    // macroblocks
	shown         []byte // luma of each macroblock as a decoder has it
	frameNum      uint32 // pictures since the last IDR picture
	idr           uint32 // IDR pictures so far
}

func newEncoder(width, height int) *encoder {
	columns, rows := (width+macroblock-1)/macroblock, (height+macroblock-1)/macroblock
	return &encoder{width: width, height: height, columns: columns, rows: rows, shown: make([]byte, columns*rows)}
}

// codec returns the name of RFC 6381 and the avcC (ISO/IEC 14496-15 §5.3.3.1).
func (e *encoder) codec() (string, []byte) {
	sps, pps := e.sps(), pps()
	c := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1} // lengths of 4 bytes, one SPS
	c = append(binary.BigEndian.AppendUint16(c, uint16(len(sps))), sps...)
	c = append(binary.BigEndian.AppendUint16(append(c, 1), uint16(len(pps))), pps...)
	return fmt.Sprintf("avc1.%02x%02x%02x", sps[1], sps[2], sps[3]), c
}

// sps writes the sequence parameter set (§7.3.2.1.1, and §E.1.1 for the VUI).
func (e *encoder) sps() []byte {
	var w bitWriter
	w.u(8, 66)   // Baseline
	w.u(8, 0xc0) // and Main: constrained
	w.u(8, 40)   // level 4
	w.ue(0)
	w.ue(frameNumBits - 4)
	w.ue(2)   // pictures are shown as they are decoded
	w.ue(1)   // reference picture
	w.u(1, 0) // no gaps in frame_num
	w.ue(uint32(e.columns - 1))
	w.ue(uint32(e.rows - 1))
	w.u(2, 0b11) // frames only, direct 8×8 inference
	right, bottom := e.columns*macroblock-e.width, e.rows*macroblock-e.height
	w.u(1, 1) // cropping, in units of two pixels
	w.ue(0)
	w.ue(uint32(right / 2))
	w.ue(0)
	w.ue(uint32(bottom / 2))
	w.u(1, 1)         // VUI
	w.u(9, 1<<8|1)    // square pixels
	w.u(1, 0)         // nothing on overscan
	w.u(5, 0b1_101_0) // video signal type: unspecified format, limited range
	w.u(1, 1)         // colours of BT.709
	for range 3 {
		w.u(8, 1)
	}
	w.u(5, 0)                                        // no chroma location, timing, HRD of either kind, pic_struct
	w.u(2, 0b11)                                     // bitstream restriction; vectors may cross the border
	for _, v := range []uint32{0, 0, 15, 15, 0, 1} { // no reordering, one picture held
		w.ue(v)
	}
	w.trail()
	return nal(0x67, w.out)
}

// pps writes the picture parameter set (§7.3.2.2).
func pps() []byte {
	var w bitWriter
	w.ue(0)
	w.ue(0)
	w.u(2, 0) // CAVLC
	for range 3 {
		w.ue(0) // one slice group, one reference picture in each list
	}
	w.u(3, 0) // no weights
	w.se(sliceQP - 26)
	w.se(0)
	w.se(0)
	w.u(3, 0b100) // deblocking is told of in slices
	w.trail()
	return nal(0x68, w.out)
}

// picture writes the access unit of a frame: its number as testmedia.ReadNumber
// reads it, on a ground of some luma. One that is not key holds only what differs
// from the picture before; one that is has the parameter sets in front.
func (e *encoder) picture(number int, ground byte, key bool) []byte {
	want := e.draw(uint16(number), ground)
	var w bitWriter
	head := byte(0x41)
	if key {
		e.frameNum, head = 0, 0x65
	}
	e.sliceHeader(&w, key)
	skipped := uint32(0)
	for i, level := range want {
		if !key && level == e.shown[i] {
			skipped++
			continue
		}
		mbType := uint32(3) // Intra 16×16, predicted by the mean, no AC, no chroma
		if !key {
			w.ue(skipped)
			mbType += 5
		}
		skipped = 0
		w.ue(mbType)
		w.ue(0) // chroma predicted by the mean
		w.se(0) // no other QP
		e.shown[i] = e.residual(&w, e.predicted(i), level)
	}
	if skipped > 0 {
		w.ue(skipped)
	}
	w.trail()
	e.frameNum = (e.frameNum + 1) % (1 << frameNumBits)
	if key {
		e.idr++
	}
	if key {
		return lengths(e.sps(), pps(), nal(head, w.out))
	}
	return lengths(nal(head, w.out))
}

// lengths writes NAL units with their lengths in front, as MP4 has them.
func lengths(units ...[]byte) (out []byte) {
	for _, unit := range units {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(unit))), unit...)
	}
	return out
}

// draw returns the luma of each macroblock of a frame.
func (e *encoder) draw(number uint16, ground byte) []byte {
	levels := make([]byte, len(e.shown))
	for i := range levels {
		levels[i] = ground
	}
	for r, bits := range testmedia.Code(number) {
		for b := range 8 {
			level := byte(black)
			if bits<<b&0x80 != 0 {
				level = white
			}
			levels[(r+1)*e.columns+b+1] = level
		}
	}
	return levels
}

// sliceHeader writes the header of the one slice of a picture (§7.3.3).
func (e *encoder) sliceHeader(w *bitWriter, key bool) {
	w.ue(0)
	if key {
		w.ue(7) // I, like every slice of the picture
	} else {
		w.ue(5) // P
	}
	w.ue(0)
	w.u(frameNumBits, e.frameNum)
	if key {
		w.ue(e.idr % 2) // differs between neighbours
		w.u(2, 0)
	} else {
		w.u(3, 0) // the reference lists as they are, sliding window
	}
	w.se(0)
	w.ue(1) // no deblocking
}

// predicted returns what the mean of the neighbours predicts for a macroblock
// (§8.3.3.3).
func (e *encoder) predicted(i int) int {
	left, above := i%e.columns > 0, i >= e.columns
	switch {
	case left && above:
		return (int(e.shown[i-1]) + int(e.shown[i-e.columns]) + 1) / 2
	case left:
		return int(e.shown[i-1])
	case above:
		return int(e.shown[i-e.columns])
	}
	return 128
}

// sliceQP makes a DC level worth 0.625 of a level of luma, so that each is met.
const sliceQP = 24

// residual writes the Intra16x16DCLevel of a macroblock (§7.3.5.3.2, §9.2): one
// coefficient at most. It returns the luma that a decoder reconstructs (§8.5.10).
func (e *encoder) residual(w *bitWriter, predicted int, want byte) byte {
	difference := int(want) - predicted
	level := (difference*8 + sign(difference)*2) / 5
	got := predicted + (level*40+32)>>6
	switch level * sign(level) {
	case 0:
		w.u(1, 1) // coeff_token: none
		return byte(got)
	case 1:
		w.u(2, 0b01) // a trailing one, and its sign
		w.u(1, uint32(1-level)/2)
	default:
		w.u(6, 0b000101)
		levelCode(w, level)
	}
	w.u(1, 1) // total_zeros: none
	return byte(got)
}

// levelCode writes the only level of a block, which is no trailing one (§9.2.2.1).
func levelCode(w *bitWriter, level int) {
	code := 2*level - 4
	if level < 0 {
		code = -2*level - 3
	}
	switch {
	case code < 14:
		w.u(code+1, 1)
	case code < 30:
		w.u(15, 1)
		w.u(4, uint32(code-14))
	default:
		w.u(16, 1)
		w.u(12, uint32(code-30))
	}
}

func sign(v int) int {
	if v < 0 {
		return -1
	}
	return 1
}

// nal makes a NAL unit: its head, and the payload with a 3 after two zeros where
// a start code could be read (§7.4.1).
func nal(head byte, payload []byte) []byte {
	out, zeros := append(make([]byte, 0, len(payload)+8), head), 0
	for _, b := range payload {
		if zeros == 2 && b <= 3 {
			out, zeros = append(out, 3), 0
		}
		out = append(out, b)
		if zeros++; b != 0 {
			zeros = 0
		}
	}
	return out
}
