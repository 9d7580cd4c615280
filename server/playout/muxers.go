package playout

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"golang.org/x/text/language"

	"github.com/upscaled-media/upscaled/server/fmp4"
	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/server/mpegts"
	"github.com/upscaled-media/upscaled/worker/wire"
)

// movie writes MP4, a fragment of what was made together.
type movie struct {
	out      io.Writer
	audio    []byte // codec data
	sequence uint32
	tracks   [2][]wire.Packet // of the fragment so far: picture, sound
}

func newMovie(from Source, out io.Writer) (*movie, error) {
	picture := from.Picture()
	head := fmp4.Movie{Video: picture.Init, TimeScale: picture.Scale, Duration: from.Film().Duration}
	m := &movie{out: out}
	if sound, ok := from.Sound(); ok {
		head.Audio, head.Sound, m.audio = &sound.Init, sound.Info, sound.Init.CodecData
		head.Sound.Language = iso639(sound.Info.Language)
	}
	data, err := head.Head()
	if err != nil {
		return nil, err
	}
	_, err = out.Write(data)
	return m, err
}

// write implements muxer. Another generation of the picture goes on in the same track, whose key frames
// have their parameter sets with them; see fmp4.Movie.
func (m *movie) write(s Sample) error {
	track := 0
	if s.Kind == wire.StreamAudio {
		track = 1
		if err := steady(s, m.audio); err != nil {
			return err
		}
	}
	m.tracks[track] = append(m.tracks[track], s.Packet)
	if !s.Last {
		return nil
	}
	return m.end()
}

// end implements muxer.
func (m *movie) end() error {
	if len(m.tracks[0])+len(m.tracks[1]) == 0 {
		return nil
	}
	m.sequence++
	data, err := fmp4.MovieFragment(m.sequence, m.tracks[:]...)
	if err != nil {
		return err
	}
	m.tracks[0], m.tracks[1] = m.tracks[0][:0], m.tracks[1][:0]
	_, err = m.out.Write(data)
	return err
}

// steady returns an error where sound is not decoded as before: no container says so in its middle.
func steady(s Sample, config []byte) error {
	if s.Init != nil && !bytes.Equal(s.Init.CodecData, config) {
		return fmt.Errorf("%w: sound at %s is %s of another kind", ErrChanged, s.Shown(), s.Init.Codec)
	}
	return nil
}

// iso639 returns a language by the three letters of ISO 639-2, which both MP4 and Matroska have room for; "" for
// what is no language.
func iso639(s string) string {
	tag, err := language.Parse(s)
	if err != nil {
		return ""
	}
	base, _ := tag.Base()
	return base.ISO3()
}

// transport writes MPEG-TS.
type transport struct {
	*mpegts.Writer
	audio []byte // codec data
}

func newTransport(from Source, out io.Writer) (*transport, error) {
	m := &transport{}
	if sound, ok := from.Sound(); ok {
		m.audio = sound.Init.CodecData
	}
	var err error
	m.Writer, err = mpegts.NewWriter(out, from.Picture().Init.CodecData, m.audio)
	return m, err
}

// write implements muxer.
func (m *transport) write(s Sample) error {
	if s.Kind == wire.StreamAudio {
		if err := steady(s, m.audio); err != nil {
			return err
		}
		return m.Audio(s.Shown(), s.Packet.Data)
	}
	if s.Init != nil {
		if err := m.Change(s.Init.CodecData); err != nil {
			return err
		}
	}
	return m.Video(s.Shown(), s.Decoded(), s.Packet.Key, s.Packet.Data)
}

// end implements muxer.
func (m *transport) end() error { return nil }

// blocks writes Matroska.
type blocks struct {
	*matroska.Writer
	audio []byte // codec data
	text  int    // number of the subtitles' track
}

func newMatroska(from Source, out io.Writer) (*blocks, error) {
	picture := from.Picture()
	tracks := []matroska.Track{{
		Codec: matroska.AVC, CodecPrivate: picture.Init.CodecData, Default: true,
		Width: picture.Init.Width, Height: picture.Init.Height, Aspect: picture.Init.Aspect,
	}}
	if rate := from.Film().Video.Rate; rate[0] > 0 {
		tracks[0].Frame = time.Second * time.Duration(rate[1]) / time.Duration(rate[0])
	}
	m := &blocks{}
	if sound, ok := from.Sound(); ok {
		m.audio = sound.Init.CodecData
		codec := matroska.AAC
		if sound.Init.Codec == fmp4.CodecOpus {
			codec = matroska.Opus
		}
		tracks = append(tracks, matroska.Track{
			Codec: codec, CodecPrivate: m.audio, Default: true,
			Rate: sound.Info.Rate, Channels: sound.Info.Channels, Language: iso639(sound.Info.Language), Name: sound.Info.Title,
		})
	}
	if text, is := from.Text(); is {
		m.text = len(tracks)
		tracks = append(tracks, matroska.Track{
			Codec: matroska.Text, Language: iso639(text.Language), Name: text.Title, Default: text.Default, Forced: text.Forced,
		})
	}
	var err error
	m.Writer, err = matroska.NewFilm(out, tracks, from.Film().Duration)
	return m, err
}

// write implements muxer. As in MP4, another generation goes on with its own parameter sets.
func (m *blocks) write(s Sample) error {
	if s.Kind == wire.StreamText {
		return m.WriteText(m.text, s.Shown(), wire.Duration(s.Packet.Duration, s.Scale), string(s.Packet.Data))
	}
	track := 0
	if s.Kind == wire.StreamAudio {
		track = 1
		if err := steady(s, m.audio); err != nil {
			return err
		}
	}
	return m.Write(track, s.Shown(), s.Packet.Key, s.Packet.Data)
}

// end implements muxer.
func (m *blocks) end() error { return m.Close() }
