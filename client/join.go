package client

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/upscaled-media/upscaled/server/matroska"
)

// tolerance is by how many ticks the times of the same block may differ: the muxer
// rounds them twice, from the Cluster's begin.
const tolerance = 1

// join makes one result of two: of the one in the file up to a cut, and of one that is
// made anew from there on.
//
// The file is not touched before it is proved that the two are the same behind the cut,
// as far as the first one had come: the tracks have the same form; the pictures have the
// same times, none is missing and there is no other; the packets of sound are equal byte
// for byte, from the first on that both have. From then on, and wherever it breaks off,
// the file holds each picture once, those in front of the cut as they were and all others
// anew; and each packet of sound once, where the one that follows the last of the first
// result is the one that followed it there.
type join struct {
	*cut
	stream *matroska.Reader

	came    int     // pictures
	enough  int     // pictures within which all that was there has to come
	missing []int64 // ticks; of the pictures behind the cut that have not come yet
	last    int64   // ticks; of the latest of them
	sound   map[uint64]*splice
	known   []matroska.Block // subtitles of the first result
	made    []matroska.Block // that is kept until the proof
	held    int              // bytes of memory that made takes
}

// splice is the way of a track of sound from the first result into the second.
type splice struct {
	tail []matroska.Block // behind the cut, of the first
	came bool             // something has, of the second
	met  bool             // the second has come to a packet of tail
	lead int              // packets of tail in front of that one
	next int              // packet of tail that comes next
}

// newJoin checks that a result may go on in a stream.
func newJoin(c *cut, stream *matroska.Reader) (*join, error) {
	head := stream.Head()
	if head.Tick != c.head.Tick || !slices.Equal(head.Tracks, c.head.Tracks) {
		return nil, c.misfit("its tracks are encoded otherwise")
	}
	j := &join{cut: c, stream: stream, sound: map[uint64]*splice{}, known: slices.Clone(c.cues)}
	for _, track := range head.Tracks {
		if track.Kind == matroska.Sound {
			j.sound[track.Number] = &splice{}
		}
	}
	for _, b := range c.tail {
		if s := j.sound[b.Track]; s != nil {
			s.tail = append(s.tail, b)
		} else if b.Track == c.picture {
			j.missing = append(j.missing, b.At)
		}
	}
	j.last, j.enough = slices.Max(j.missing), len(j.missing)+window
	return j, nil
}

// misfit returns the error of a join, with a reason.
func (c *cut) misfit(format string, args ...any) error {
	return &MisfitError{At: c.length(c.start), Reason: fmt.Sprintf(format, args...)}
}

// prove reads the stream until it has proved to be the same as the first result. Errors
// are MisfitErrors, and those of the stream.
func (j *join) prove() error {
	for !j.proved() {
		b, wanted, err := j.next()
		if errors.Is(err, io.EOF) {
			return j.misfit("it ends before what was there already")
		}
		if err != nil {
			return err
		}
		if wanted {
			j.made = append(j.made, b)
			j.held += weight(b)
		}
		if j.came > j.enough || j.held > maxHeld {
			return j.misfit("not all that was there comes again")
		}
	}
	return nil
}

func (j *join) proved() bool {
	for _, s := range j.sound {
		if s.next < len(s.tail) {
			return false
		}
	}
	return len(j.missing) == 0
}

// write cuts the file and writes what was made anew behind it, to the end of the stream.
// The trail goes along. Errors are those of prove, and of the file.
func (j *join) write(to *sink) error {
	t := j.back()
	if err := to.cut(j.offset); err != nil {
		return err
	}
	file := matroska.NewAppender(to, j.offset)
	put := func(b matroska.Block) error {
		b, err := file.Write(b)
		if err == nil {
			t.add(b)
		}
		return err
	}
	for _, b := range append(j.leading(), j.made...) {
		if err := put(b); err != nil {
			return err
		}
	}
	j.made = nil
	for {
		b, wanted, err := j.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil && wanted {
			err = put(b)
		}
		if err != nil {
			return err
		}
	}
}

// leading returns the blocks of the first result behind the cut that stay: sound in front
// of that of the second, and subtitles.
func (j *join) leading() (blocks []matroska.Block) {
	seen := map[uint64]int{}
	for _, b := range j.tail {
		s := j.sound[b.Track]
		if b.Track != j.picture && (s == nil || seen[b.Track] < s.lead) {
			blocks = append(blocks, b)
		}
		seen[b.Track]++
	}
	return blocks
}

// next returns the next block of the stream, at its time in the result, and whether the
// result does not have it yet.
func (j *join) next() (b matroska.Block, wanted bool, err error) {
	b, err = j.stream.Next()
	if errors.Is(err, matroska.ErrForm) {
		return b, false, j.misfit("%s", err)
	}
	if err != nil {
		return b, false, err
	}
	cutOff := b.At <= tolerance // its begin lies, or may lie, in front of the start
	b.At += j.start
	s := j.sound[b.Track]
	switch {
	case b.Track == j.picture:
		return j.shown(b, cutOff)
	case s != nil:
		wanted, err = s.heard(b, cutOff, j)
	default:
		wanted = !slices.ContainsFunc(j.known, func(k matroska.Block) bool {
			return k.Track == b.Track && bytes.Equal(k.Data, b.Data) && (near(k, b.At) || cutOff && k.At < j.start)
		})
	}
	return b, wanted, err
}

func near(b matroska.Block, at int64) bool { return max(b.At-at, at-b.At) <= tolerance }

// shown checks a picture. The first one begins at the start of what is made anew, since
// it was cut off there, and gets its time back.
func (j *join) shown(b matroska.Block, cutOff bool) (matroska.Block, bool, error) {
	if j.came == 0 {
		if !b.Key || !cutOff {
			return b, false, j.misfit("it does not begin with the picture that is shown there")
		}
		b.At = j.first
	}
	j.came++
	i := slices.IndexFunc(j.missing, func(at int64) bool { return max(at-b.At, b.At-at) <= tolerance })
	switch {
	case i >= 0:
		j.missing = slices.Delete(j.missing, i, i+1)
	case b.At < j.sure:
		return b, false, j.misfit("it has a picture at %s that was not there", j.length(b.At))
	}
	return b, true, nil
}

// heard reports whether a packet of the second result is to be written.
func (s *splice) heard(b matroska.Block, cutOff bool, j *join) (bool, error) {
	first := !s.came
	s.came = true
	same := func(of matroska.Block) bool { return near(of, b.At) && bytes.Equal(of.Data, b.Data) }
	switch {
	case s.met && s.next == len(s.tail), len(s.tail) == 0 && b.At > j.last:
		return true, nil
	case s.met && same(s.tail[s.next]):
		s.next++
		return true, nil
	case !s.met && slices.ContainsFunc(s.tail, same):
		s.met, s.lead = true, slices.IndexFunc(s.tail, same)
		s.next = s.lead + 1
		return true, nil
	case !s.met && len(s.tail) > 0 && (b.At < s.tail[0].At-tolerance || first && cutOff):
		return false, nil // the first result has it, perhaps with a begin
	}
	return false, j.misfit("its sound at %s is not what was there, as it is where sound is encoded", j.length(b.At))
}
