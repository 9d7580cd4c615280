package container

import (
	"encoding/binary"
	"errors"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// MP4 has two lists of chapters, which files often hold both: a text track that
// other tracks name as their chapters (QuickTime), and a chpl box (Nero).

// readMP4Chapters reads the first chapter track that has chapters, or else the
// chpl box, which cuts long titles and holds 255 at most.
func readMP4Chapters(src source, moov box, tracks []mp4Track) ([]Chapter, error) {
	var chapters []Chapter
	for _, track := range tracks {
		if track.Type != ChapterText || len(chapters) > 0 {
			continue
		}
		var err error
		if chapters, err = readChapterTrack(src, track); ignoreBroken(err) != nil {
			return nil, err
		}
	}
	if len(chapters) == 0 {
		f, err := src.load(maxChpl, moov, "udta", "chpl")
		if ignoreBroken(err) != nil {
			return nil, err
		}
		chapters = readChpl(f)
	}
	f, err := src.load(maxText, moov, "mvhd")
	if err != nil {
		return chapters, err
	}
	duration := uint64(f.u32(16))
	if f.u8(0) == 1 {
		duration = f.u64(24)
	}
	setEnds(chapters, ticks(duration, f.u32(f.wide(12, 20))))
	return chapters, nil
}

// setEnds ends each chapter where the next begins, and the last with the film.
func setEnds(chapters []Chapter, film time.Duration) {
	for i := range chapters {
		end := film
		if i+1 < len(chapters) {
			end = chapters[i+1].Start
		}
		if end > chapters[i].Start {
			chapters[i].End = end
		}
	}
}

// chplTick is the unit of a chpl box's times.
const chplTick = 100 * time.Nanosecond

// MaxMP4Chapters is how many chapters Finish writes into an MP4 file.
const MaxMP4Chapters = 255

const (
	maxChplTitle = 255                                 // bytes
	maxChpl      = 9 + MaxMP4Chapters*(9+maxChplTitle) // bytes of the whole content
)

// readChpl reads the content of a chpl box: version and flags, four more bytes
// in version 1, a count, and for each chapter its start and its counted title.
func readChpl(f fields) []Chapter {
	off := f.wide(4, 8)
	count := int(f.u8(off))
	f = f.from(off + 1)
	var chapters []Chapter
	for range count {
		if len(f) < 9 || len(f)-9 < int(f[8]) {
			break
		}
		end := 9 + int(f[8])
		chapters = append(chapters, Chapter{
			Start:  ticks(f.u64(0), uint32(time.Second/chplTick)),
			Titles: []Title{{Text: textOf(f[9:end]), Language: "und"}},
		})
		f = f[end:]
	}
	return chapters
}

// appendChpl writes a chpl box of the first 255 chapters, or nothing for none.
func appendChpl(b []byte, chapters []Chapter) []byte {
	chapters = chapters[:min(len(chapters), MaxMP4Chapters)]
	if len(chapters) == 0 {
		return b
	}
	content := []byte{1, 0, 0, 0, 0, 0, 0, 0, byte(len(chapters))}
	for _, c := range chapters {
		title := ""
		if len(c.Titles) > 0 {
			title = cutText(c.Titles[0].Text, maxChplTitle)
		}
		content = binary.BigEndian.AppendUint64(content, uint64(max(c.Start, 0)/chplTick))
		content = append(append(content, byte(len(title))), title...)
	}
	return appendBox(b, "chpl", content)
}

// cutText cuts text to at most n bytes, at the start of a character.
func cutText(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// readChapterTrack reads the samples of a chapter track: each is a title that
// holds from the sample's time on.
func readChapterTrack(src source, track mp4Track) ([]Chapter, error) {
	samples, err := readSamples(src, track.trak)
	if err != nil {
		return nil, err
	}
	var chapters []Chapter
	for _, sample := range samples {
		f, err := src.bytes(sample.at, min(int64(sample.size), 2+maxText))
		if err != nil {
			return chapters, err
		}
		chapters = append(chapters, Chapter{
			Start:  ticks(sample.time, track.timescale),
			Titles: []Title{{Text: sampleText(f), Language: track.Language, LanguageBCP47: track.LanguageBCP47}},
		})
	}
	return chapters, nil
}

// sampleText reads a text sample: a 16-bit count of bytes, then UTF-8, or UTF-16
// behind a byte order mark.
func sampleText(f fields) string {
	text := f.from(2)
	text = text[:min(len(text), int(f.u16(0)))]
	var order binary.ByteOrder
	switch text.u16(0) {
	case 0xFEFF:
		order = binary.BigEndian
	case 0xFFFE:
		order = binary.LittleEndian
	default:
		return textOf(text)
	}
	var units []uint16
	for off := 2; off+2 <= len(text); off += 2 {
		units = append(units, order.Uint16(text[off:]))
	}
	return strings.TrimRight(string(utf16.Decode(units)), "\x00")
}

// sample is where a sample lies and when it starts.
type sample struct {
	at   int64 // bytes from the start of the file
	size uint32
	time uint64 // in the track's ticks
}

// readSamples puts a track's sample tables together, for at most maxChapters samples.
func readSamples(src source, trak box) ([]sample, error) {
	table := func(kind string, entry int64) (fields, error) {
		return src.load(12+maxChapters*entry, trak, "mdia", "minf", "stbl", kind)
	}
	sizes, err := table("stsz", 4)
	if err != nil {
		return nil, err
	}
	times, err := table("stts", 8)
	if err != nil {
		return nil, err
	}
	runs, err := table("stsc", 12)
	if err != nil {
		return nil, err
	}
	width := 4
	offsets, err := table("stco", 4)
	if errors.Is(err, errBroken) {
		width = 8
		offsets, err = table("co64", 8)
	}
	if err != nil {
		return nil, err
	}

	samples := readSizes(sizes)
	setTimes(samples, times)
	return placeSamples(samples, runs, offsets, width), nil
}

// readSizes makes a sample for each entry of a stsz box.
func readSizes(stsz fields) []sample {
	all := stsz.u32(4) // the size of every sample, or 0 and a table
	samples := make([]sample, min(stsz.u32(8), maxChapters))
	for i := range samples {
		if samples[i].size = all; all != 0 {
			continue
		}
		if 12+4*i+4 > len(stsz) {
			return samples[:i]
		}
		samples[i].size = stsz.u32(12 + 4*i)
	}
	return samples
}

// setTimes sums up the durations of a stts box: pairs of a count and a duration.
func setTimes(samples []sample, stts fields) {
	next, now := 0, uint64(0)
	for f := stts.from(8); len(f) >= 8 && next < len(samples); f = f[8:] {
		for range f.u32(0) {
			if next == len(samples) {
				break
			}
			samples[next].time = now
			now += uint64(f.u32(4))
			next++
		}
	}
}

// placeSamples lays the samples into chunks: runs, of a stsc box, say from which
// chunk on how many samples a chunk has; offsets say where chunks start.
func placeSamples(samples []sample, runs, offsets fields, width int) []sample {
	runs = runs.from(8)
	offsets = offsets.from(8)
	next := 0
	for chunk := 0; next < len(samples) && (chunk+1)*width <= len(offsets) && len(runs) >= 12; chunk++ {
		if len(runs) >= 24 && uint32(chunk+1) >= runs.u32(12) {
			runs = runs[12:]
		}
		at := int64(offsets.u32(chunk * width))
		if width == 8 {
			at = int64(offsets.u64(chunk * width)) // a negative one is outside of any file
		}
		for range min(runs.u32(4), uint32(len(samples)-next)) {
			samples[next].at = at
			at += int64(samples[next].size)
			next++
		}
	}
	return samples[:next]
}
