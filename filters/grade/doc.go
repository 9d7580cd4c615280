// Package grade is what the colour filters do to one pixel, in exact arithmetic:
// brightness, contrast, saturation, gamma, temperature, tints and a LUT. It is
// pure; elements/adjust makes tables of it, and tests hold those to it.
//
//	Y' ─► contrast, brightness, gamma ─┐
//	                                   ├─► R'G'B' ─► white balance ─► Y'CbCr ─► tints ─► R'G'B' ─► LUT ─► Y'CbCr
//	CbCr ─► saturation ────────────────┘
//
// Y' is 0 for black and 1 for white, Cb and Cr are −0.5 to 0.5, as ITU-R BT.709
// and H.273 write them before quantisation. Nothing is clipped on the way.
package grade
