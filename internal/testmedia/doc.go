// Package testmedia draws the clips that the demo shows and the tests play:
// raw frames and raw sound, made by arithmetic alone, the same on every run.
// Encoding them into files is the pipeline's part. It is pure Go, starts no
// goroutine and reads no file.
//
//	Detail   a landscape full of fine structure, for eyes and for PSNR
//	Counted  numbered frames with a flash and a beep at each second, read
//	         back with ReadNumber, Lit, Flashes and Beeps
//
//	scene ─► canvas (4:4:4, finer than 10 bits) ─► Clip.Draw ─► frame.Frame
//	scene ─► float64 samples ─► Clip.Sound ─► S16LE, stereo, 48 kHz
//
// PGS draws subtitles as discs hold them. Shrink makes the low-resolution source of a drawn frame.
package testmedia
