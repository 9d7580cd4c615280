package fmp4

import (
	"fmt"
	"math"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// maxFragment bounds the media in a segment in bytes: offsets in it are signed and of 32 bits.
const maxFragment = 1 << 30

// Fragment returns a media segment: the packets of one stream in decoding order,
// beginning at base, which is the decoding time that the timeline gives to the
// segment. The first packet must be a key frame and at base exactly; every frame of
// AAC counts as one. A packet lasts until the next is decoded, and the last as long
// as it says. Sequence numbers count from 1 and ascend along the film.
//
// It copies the packets' data once, into the result. Errors wrap ErrMedia.
func Fragment(sequence uint32, base int64, packets []wire.Packet) ([]byte, error) {
	if len(packets) > 0 && !packets[0].Key {
		return nil, fmt.Errorf("%w: a segment at %d begins with no key frame", ErrMedia, base)
	}
	samples, err := samplesOf(base, packets)
	if err != nil {
		return nil, err
	}
	fragment, err := mp4.CreateFragment(sequence, trackID)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	traf := fragment.Moof.Traf
	traf.Tfdt.SetBaseMediaDecodeTime(uint64(base))
	traf.Tfdt.Version = 1 // of 64 bits also where 32 would do: one form for the whole film
	traf.Trun.Samples = samples
	compact(traf.Tfhd, traf.Trun)
	parts := make([][]byte, len(packets))
	for i := range packets {
		parts[i] = packets[i].Data
	}
	fragment.Mdat.DataParts = parts

	styp := mp4.NewStyp("msdh", 0, []string{"msdh"})
	w := bits.NewFixedSliceWriter(int(styp.Size() + fragment.Size()))
	if err := styp.EncodeSW(w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	if err := fragment.EncodeSW(w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	return w.Bytes(), nil
}

// samplesOf returns the packets' entries in a trun.
func samplesOf(base int64, packets []wire.Packet) ([]mp4.Sample, error) {
	if len(packets) == 0 || base < 0 {
		return nil, fmt.Errorf("%w: %d packets at %d", ErrMedia, len(packets), base)
	}
	if first := packets[0]; first.DTS != base {
		return nil, fmt.Errorf("%w: a segment at %d begins with a packet at %d", ErrMedia, base, first.DTS)
	}
	samples, size := make([]mp4.Sample, len(packets)), 0
	for i := range packets {
		p := &packets[i]
		lasts := p.Duration
		if i+1 < len(packets) {
			lasts = packets[i+1].DTS - p.DTS
		}
		offset := p.PTS - p.DTS
		size += len(p.Data)
		switch {
		case lasts < 1 || lasts > math.MaxInt32:
			return nil, fmt.Errorf("%w: packet %d at %d lasts %d ticks", ErrMedia, i, p.DTS, lasts)
		case offset < math.MinInt32 || offset > math.MaxInt32:
			return nil, fmt.Errorf("%w: packet %d at %d is shown at %d", ErrMedia, i, p.DTS, p.PTS)
		case len(p.Data) == 0 || size > maxFragment:
			return nil, fmt.Errorf("%w: packet %d of %d bytes, %d in all", ErrMedia, i, len(p.Data), size)
		}
		flags := mp4.SyncSampleFlags
		if !p.Key {
			flags = mp4.NonSyncSampleFlags | mp4.SampleDependsOn1
		}
		samples[i] = mp4.Sample{Flags: flags, Dur: uint32(lasts), Size: uint32(len(p.Data)), CompositionTimeOffset: int32(offset)}
	}
	return samples, nil
}

// compact writes once what all samples share: a duration, flags but for the first sample's, and no
// composition offsets where there are none. A second of film has some 30 samples, so this is the
// better part of a moof.
func compact(head *mp4.TfhdBox, run *mp4.TrunBox) {
	s := run.Samples
	last := s[len(s)-1]
	sameLength, sameFlags, offsets := true, true, false
	for i := range s {
		sameLength = sameLength && s[i].Dur == last.Dur
		sameFlags = sameFlags && (i == 0 || s[i].Flags == last.Flags)
		offsets = offsets || s[i].CompositionTimeOffset != 0
	}
	run.Version = 1 // offsets are signed
	run.Flags = mp4.TrunDataOffsetPresentFlag | mp4.TrunSampleSizePresentFlag
	if sameLength {
		head.Flags |= mp4.TfhdDefaultSampleDurationPresentFlag
		head.DefaultSampleDuration = last.Dur
	} else {
		run.Flags |= mp4.TrunSampleDurationPresentFlag
	}
	if offsets {
		run.Flags |= mp4.TrunSampleCompositionTimeOffsetPresentFlag
	}
	if !sameFlags {
		run.Flags |= mp4.TrunSampleFlagsPresentFlag
		return
	}
	head.Flags |= mp4.TfhdDefaultSampleFlagsPresentFlag
	head.DefaultSampleFlags = last.Flags
	if s[0].Flags != last.Flags {
		run.SetFirstSampleFlags(s[0].Flags)
	}
}
