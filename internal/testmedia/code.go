package testmedia

import (
	"fmt"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/internal/picture"
)

// The code of a frame number: 8 × 3 cells at the top left of the picture,
// inside a margin of one cell. The rows are the number's high byte, its low
// byte and their CRC-8, most significant bit first; a cell is black for 0 and
// white for 1. A cell is large enough to survive scaling and lossy coding, and
// the checksum refuses what did not.
const (
	cell     = 16 // pixels
	codeBits = 8  // cells in a row
	codeRows = 3
)

type codeInks struct{ zero, one, margin ink }

// Code returns the rows of a number's code, for who draws it by other means: a
// white cell is a set bit, the leftmost the most significant. The cell of row r
// and bit b has its corner at 16·(b+1), 16·(r+1) pixels.
func Code(number uint16) [codeRows]byte {
	return [codeRows]byte{byte(number >> 8), byte(number), crc(number)}
}

func drawCode(v *canvas, inks codeInks, number uint16) {
	v.fill(0, 0, (codeBits+2)*cell, (codeRows+2)*cell, inks.margin)
	for r, bits := range Code(number) {
		for b := range codeBits {
			k := inks.zero
			if bits>>(codeBits-1-b)&1 == 1 {
				k = inks.one
			}
			v.fill((b+1)*cell, (r+1)*cell, (b+2)*cell, (r+2)*cell, k)
		}
	}
}

// ReadNumber returns the number of the frame of a Counted clip from a picture
// that was made of it, scale times as large (0.5 to 4). It returns ErrNumber
// when no number can be read for certain.
func ReadNumber(f frame.Frame, scale float64) (int, error) {
	if err := f.Check(); err != nil {
		return 0, err
	}
	if scale < 0.5 || scale > 4 || float64(f.Width) < (codeBits+2)*cell*scale || float64(f.Height) < (codeRows+2)*cell*scale {
		return 0, fmt.Errorf("%w: %d×%d at scale %g", ErrNumber, f.Width, f.Height, scale)
	}
	// Halfway between black and white, in limited range.
	middle := 125.5 / 255 * picture.Peak(f.Format)
	var rows [codeRows]byte
	for r := range codeRows {
		for b := range codeBits {
			level := mean(f, float64(b+1)*cell*scale, float64(r+1)*cell*scale, cell*scale)
			rows[r] <<= 1
			if level > middle {
				rows[r] |= 1
			}
		}
	}
	number := uint16(rows[0])<<8 | uint16(rows[1])
	if crc(number) != rows[2] {
		return 0, fmt.Errorf("%w: %#04x does not fit its checksum %#02x", ErrNumber, number, rows[2])
	}
	return int(number), nil
}

// mean returns the mean luma of the middle half of the square at x, y.
func mean(f frame.Frame, x, y, side float64) float64 {
	return picture.Mean(f, int(x+side/4), int(y+side/4), int(x+side*3/4), int(y+side*3/4))
}

// crc returns the CRC-8 of a number (polynomial x⁸ + x² + x + 1), begun and
// ended inverted so that an all-black and an all-white picture have a wrong one.
func crc(number uint16) byte {
	c := byte(0xff)
	for _, b := range []byte{byte(number >> 8), byte(number)} {
		c ^= b
		for range 8 {
			carry := c & 0x80
			c <<= 1
			if carry != 0 {
				c ^= 0x07
			}
		}
	}
	return ^c
}
