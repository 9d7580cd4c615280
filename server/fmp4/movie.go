package fmp4

import (
	"fmt"
	"time"

	"github.com/Eyevinn/mp4ff/bits"
	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/worker/wire"
)

// Movie is a film in one file that is read while it is made: its head, then fragments
// of all its tracks.
type Movie struct {
	Video     wire.Init
	TimeScale int64      // ticks a second of the picture's packets
	Audio     *wire.Init // nil: no sound
	Sound     wire.AudioInfo
	Duration  time.Duration // of the film, until its end; 0: nobody knows
}

// Head returns ftyp and moov. The picture's sample entry is avc3, whose parameter sets
// may change within the stream (ISO/IEC 14496-15 §5.4.2.1): they lie in front of each
// key frame, and after another size those of the head are no longer true. Errors wrap
// ErrMedia.
func (m Movie) Head() ([]byte, error) {
	file := newFile()
	if m.Duration > 0 {
		scale := int64(file.Moov.Mvhd.Timescale)
		seconds, rest := int64(m.Duration/time.Second), int64(m.Duration%time.Second)
		file.Moov.Mvex.AddChild(&mp4.MehdBox{Version: 1, FragmentDuration: seconds*scale + rest*scale/int64(time.Second)})
	}
	if err := addVideo(file, "avc3", m.Video, m.TimeScale); err != nil {
		return nil, err
	}
	if m.Audio != nil {
		if err := addAudio(file, *m.Audio, m.Sound, m.Sound.Language); err != nil {
			return nil, err
		}
	}
	return encode(file)
}

// MovieFragment returns a fragment of a Movie: the packets of each of its tracks, in the
// order of its head, each as those of Fragment, beginning where the first says, be it a key
// frame or not. A track that has none there is left out; one must have some. Errors wrap
// ErrMedia.
func MovieFragment(sequence uint32, tracks ...[]wire.Packet) ([]byte, error) {
	var ids []uint32
	for i, packets := range tracks {
		if len(packets) > 0 {
			ids = append(ids, uint32(i)+1)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%w: a fragment of nothing", ErrMedia)
	}
	fragment, err := mp4.CreateMultiTrackFragment(sequence, ids)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	for n, id := range ids {
		packets, traf := tracks[id-1], fragment.Moof.Trafs[n]
		samples, err := samplesOf(packets[0].DTS, packets)
		if err != nil {
			return nil, err
		}
		traf.Tfdt.SetBaseMediaDecodeTime(uint64(packets[0].DTS))
		traf.Tfdt.Version = 1 // as in Fragment
		run := mp4.CreateTrun(uint32(n) + 1)
		run.Samples = samples
		compact(traf.Tfhd, run)
		if err := traf.AddChild(run); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMedia, err)
		}
		for i := range packets {
			fragment.Mdat.DataParts = append(fragment.Mdat.DataParts, packets[i].Data)
		}
	}
	if size := fragment.Mdat.DataLength(); size > maxFragment {
		return nil, fmt.Errorf("%w: %d bytes in a fragment", ErrMedia, size)
	}
	w := bits.NewFixedSliceWriter(int(fragment.Size()))
	if err := fragment.EncodeSW(w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMedia, err)
	}
	return w.Bytes(), nil
}
