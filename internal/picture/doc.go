// Package picture measures how alike two pictures are and scales pictures by
// the plain filters that a model is compared with. It is the reference, so it
// works in float64 on code values, mirrors at the edges as MATLAB's imresize
// does, and rounds only where it says so. It is pure Go and starts no
// goroutine.
//
//	frame.Frame ─► Channel, Luma ─► Plane ─► Scaler ─► Plane ─► Store ─► frame.Frame
//	image.Image ─► RGB, Studio   ─┘                        └─► PSNR, SSIM
package picture
