package pipeline

// OpusFrame is the length of a packet of Opus that is encoded here, in samples of
// OpusRate: 20 ms.
const OpusFrame = 960

// OpusRate is what times of Opus are counted in: RFC 7845 §4.
const OpusRate = 48000

// opusSamples returns how long a packet lasts in samples of OpusRate: RFC 6716 §3.1
// and §3.2.5. It is 0 for what is no packet: more than 120 ms, or without what it
// needs to tell.
func opusSamples(packet []byte) int64 {
	if len(packet) == 0 {
		return 0
	}
	config, frames := packet[0]>>3, int64(2)
	switch packet[0] & 3 {
	case 0:
		frames = 1
	case 3:
		if len(packet) < 2 {
			return 0
		}
		frames = int64(packet[1] & 63)
	}
	var each int64
	switch {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		each = []int64{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		each = []int64{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		each = 120 << (config & 3)
	}
	if total := each * frames; total <= 120*OpusRate/1000 {
		return total
	}
	return 0
}
