// Package score measures how well a model restores pictures, beside bicubic and
// Lanczos. It runs no model itself: its caller hands one over as a function.
// It is pure Go and starts no goroutine.
//
//	folder ─► Pairs ─► decode ─┬► low ─► 8 bits ─► Model.Upscale ─► luma ─┐
//	                           ├► low ─► plain scalers ─────────────► luma ─┼► PSNR, SSIM ─► Report
//	                           └► high ─────────────────────────────► luma ─┘
//
// # Protocol
//
// All figures are of luma by the BT.601 figures of MATLAB's rgb2ycbcr (16 to
// 235), peak 255, without a border as wide as the scale. The luma of the
// high-resolution original is not rounded. PSNR and SSIM are those of package
// picture; the mean is that of the pictures' figures.
//
// A luma model gets the low-resolution luma rounded to 8 bits and its 8-bit
// output is compared, as in video. An RGB model gets the 8-bit picture, and
// the unrounded luma of its 8-bit output is compared. The plain scalers work on
// 8-bit R, G and B, across and then down, with an 8-bit picture between, and cut
// their kernels at the edges; luma is taken of their output, unrounded. So made,
// bicubic has 33.67 and 30.33 dB and Lanczos 34.31 and 30.78 dB on the sets Set5
// and Set14 at 2×.
package score
