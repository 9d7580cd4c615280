//go:build e2e

package e2e

import (
	"bytes"
	"fmt"
	"math"
	"net/http"
	"path"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"

	"github.com/upscaled-media/upscaled/server/hls/hlstest"
)

// part is a segment as a player gets it.
type part struct {
	scale   int64 // ticks a second
	begin   int64 // ticks (tfdt)
	ticks   int64
	samples int
	key     bool // the first sample is a key frame
	data    []byte
}

// presentation is a film's playlists and all its segments.
type presentation struct {
	master *hlstest.Master
	lists  map[string]*hlstest.Media // by their URI in the master playlist
	parts  map[string][]part         // likewise
	inits  map[string][]byte         // by their path
}

// list fetches a media playlist.
func (d *server) list(s session, uri string) *hlstest.Media {
	d.t.Helper()
	m, err := hlstest.ParseMedia(d.media(s, uri))
	must(d.t, err)
	return m
}

// fetchAll fetches every segment of every rendition with MP4, in the given order of
// their numbers (nil: ascending), and checks that there is none behind the last.
func (d *server) fetchAll(s session, order []int) presentation {
	d.t.Helper()
	master, err := hlstest.ParseMaster(d.media(s, "master.m3u8"))
	must(d.t, err)
	p := presentation{master, map[string]*hlstest.Media{}, map[string][]part{}, map[string][]byte{}}
	uris := []string{master.Variants[0].URI}
	for _, r := range master.Renditions {
		if r.Type == "AUDIO" {
			uris = append(uris, r.URI)
		}
	}
	for _, uri := range uris {
		list := d.list(s, uri)
		p.lists[uri], p.parts[uri] = list, make([]part, len(list.Segments))
		numbers := order
		if numbers == nil {
			for k := range list.Segments {
				numbers = append(numbers, k)
			}
		}
		for _, k := range numbers {
			p.parts[uri][k] = d.part(s, &p, path.Dir(uri), list.Segments[k])
		}
		last := list.Segments[len(list.Segments)-1].URI
		behind := path.Join(path.Dir(uri), path.Dir(last), fmt.Sprintf("%d.m4s", len(list.Segments)))
		if status, _ := d.fetch(s, behind); status != http.StatusNotFound {
			d.t.Errorf("%s, behind the last: status %d", behind, status)
		}
	}
	return p
}

// part fetches a segment, and its init segment if it is new.
func (d *server) part(s session, p *presentation, folder string, segment hlstest.Segment) part {
	d.t.Helper()
	at := path.Join(folder, segment.Init)
	if p.inits[at] == nil {
		p.inits[at] = d.media(s, at)
	}
	data := d.media(s, path.Join(folder, segment.URI))
	file, err := mp4.DecodeFile(bytes.NewReader(append(bytes.Clone(p.inits[at]), data...)))
	if err != nil || len(file.Segments) != 1 || len(file.Segments[0].Fragments) == 0 {
		d.t.Fatalf("%s: %v", segment.URI, err)
	}
	one := part{scale: int64(file.Moov.Trak.Mdia.Mdhd.Timescale), begin: int64(file.Segments[0].Fragments[0].Moof.Traf.Tfdt.BaseMediaDecodeTime()), data: data}
	for _, fragment := range file.Segments[0].Fragments {
		samples, err := fragment.GetFullSamples(file.Moov.Mvex.Trex)
		must(d.t, err)
		for i, sample := range samples {
			if one.samples == 0 && i == 0 {
				one.key = mp4.IsSyncSampleFlags(sample.Flags)
			}
			if at := int64(sample.DecodeTime); at != one.begin+one.ticks {
				d.t.Fatalf("%s: sample %d is at %d instead of %d", segment.URI, one.samples+i, at, one.begin+one.ticks)
			}
			one.ticks += int64(sample.Dur)
		}
		one.samples += len(samples)
	}
	return one
}

// continuous checks that segments follow each other without a gap, begin with key
// frames, and end where the playlist says.
func (p presentation) continuous(t testing.TB) {
	t.Helper()
	for uri, parts := range p.parts {
		at := parts[0].begin // sound may begin within its first frame
		for k, now := range parts {
			listed := p.lists[uri].Segments[k]
			if now.begin != at {
				t.Errorf("%s: segment %d begins at tick %d, the one before ends at %d of %d a second", uri, k, now.begin, at, now.scale)
			}
			at = now.begin + now.ticks
			if !now.key {
				t.Errorf("%s: segment %d begins without a key frame", uri, k)
			}
			end := float64(at) / float64(now.scale)
			if want := (listed.Begin + listed.Duration).Seconds(); math.Abs(end-want) > 2e-6 {
				t.Errorf("%s: segment %d ends at %.6f s, by the playlist at %.6f s", uri, k, end, want)
			}
		}
	}
}

// lasts checks that every rendition lasts as long as the film, within the rounding
// of its end and the last frame of sound.
func (p presentation) lasts(t testing.TB, film, rounding time.Duration) {
	t.Helper()
	const frame = 1024 * time.Second / 44100
	for uri, list := range p.lists {
		bound := rounding
		if uri != p.master.Variants[0].URI {
			bound += frame
		}
		if off := list.Duration() - film; off.Abs() > bound {
			t.Errorf("%s lasts %s, the film %s", uri, list.Duration(), film)
		}
	}
}
