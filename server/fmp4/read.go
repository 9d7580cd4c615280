package fmp4

import (
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Packets returns what a segment that Fragment wrote holds. Their data is that of the
// segment, not copied. It is for segments of our own: of another's it may refuse what
// would be right. Errors wrap ErrMedia.
func Packets(segment []byte) ([]wire.Packet, error) {
	file, err := mp4.DecodeFileSR(bits.NewFixedSliceReader(segment))
	if err != nil {
		return nil, fmt.Errorf("%w: segment: %w", ErrMedia, err)
	}
	if len(file.Segments) != 1 || len(file.Segments[0].Fragments) != 1 {
		return nil, fmt.Errorf("%w: not one fragment", ErrMedia)
	}
	moof := file.Segments[0].Fragments[0].Moof
	if moof == nil || len(moof.Trafs) != 1 {
		return nil, fmt.Errorf("%w: not a fragment of one track", ErrMedia)
	}
	traf := moof.Traf
	if traf.Tfhd == nil || traf.Tfdt == nil || len(traf.Truns) != 1 || traf.Tfdt.BaseMediaDecodeTime() > math.MaxInt64/2 {
		return nil, fmt.Errorf("%w: not a fragment of one run", ErrMedia)
	}
	traf.Trun.AddSampleDefaultValues(traf.Tfhd, nil)
	offset := int64(moof.StartPos) + int64(traf.Trun.DataOffset)
	first, has := traf.Trun.FirstSampleFlags()
	at, packets := int64(traf.Tfdt.BaseMediaDecodeTime()), make([]wire.Packet, len(traf.Trun.Samples))
	for i, s := range traf.Trun.Samples {
		end := offset + int64(s.Size)
		if offset < 0 || end > int64(len(segment)) {
			return nil, fmt.Errorf("%w: sample %d lies outside of its segment", ErrMedia, i)
		}
		if i == 0 && has {
			s.Flags = first
		}
		packets[i] = wire.Packet{
			Key: mp4.IsSyncSampleFlags(s.Flags), DTS: at, PTS: at + int64(s.CompositionTimeOffset), Duration: int64(s.Dur),
			Data: segment[offset:end:end],
		}
		at, offset = at+int64(s.Dur), end
	}
	return packets, nil
}
