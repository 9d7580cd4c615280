package wire

import "time"

// Duration returns ticks, of which there are scale in a second, as time, rounded towards zero. scale must be
// positive. Whole seconds are taken off first, so that nothing overflows in a time of less than 292 years, for
// scales of up to 9 GHz.
func Duration(ticks, scale int64) time.Duration {
	return time.Duration(ticks/scale)*time.Second + time.Duration(ticks%scale*int64(time.Second)/scale)
}
