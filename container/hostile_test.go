package container

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"testing"
	"time"
)

// segment builds a Matroska file out of elements; its size is unknown.
func segment(elements ...[]byte) []byte {
	file := appendElement(nil, idEBML, appendUint(nil, idDocTypeVersion, 2))
	file = append(appendID(file, idSegment), 0x01, 255, 255, 255, 255, 255, 255, 255)
	return append(file, bytes.Join(elements, nil)...)
}

func readBytes(t *testing.T, b []byte) Extras {
	t.Helper()
	extras, err := Read(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return extras
}

var nested = []Edition{
	{UID: 7, Hidden: true, Ordered: true, Chapters: []Chapter{{
		UID: 1, Start: time.Second, End: time.Minute, Hidden: true, SegmentUUID: bytes.Repeat([]byte{9}, 16),
		Titles: []Title{{"Kapitel", "ger", "de"}, {"Chapter", "eng", ""}},
		Chapters: []Chapter{
			{UID: 2, Start: time.Second, End: 2 * time.Second, Disabled: true, Titles: []Title{{"Teil", "ger", ""}}},
		},
	}}},
	{Default: true, Chapters: []Chapter{{UID: 3, Start: 5}}},
}

func TestChaptersAreFollowedBehindClusters(t *testing.T) {
	cluster := appendElement(nil, idCluster, make([]byte, 1000))
	chapters := appendChapters(nil, nested)
	attachments := appendElement(nil, idAttachments, appendElement(nil, idAttachedFile,
		append(appendText(nil, idFileName, "a.ttf"), appendText(nil, idFileData, "data")...)))
	targets := []seekTarget{{idChapters, 0}, {idAttachments, 0}, {idSeekHead, 0}}
	front := int64(len(appendSeekHead(nil, targets, 0)) + len(cluster))
	targets[0].position = front
	targets[1].position = front + int64(len(chapters))
	extras := readBytes(t, segment(appendSeekHead(nil, targets, 0), cluster, chapters, attachments))
	if len(extras.Editions) != 2 || len(extras.Attachments) != 1 {
		t.Fatalf("%+v", extras)
	}
	if got := appendChapters(nil, extras.Editions); !bytes.Equal(got, chapters) {
		t.Errorf("chapters read and written again differ: %+v", extras.Editions)
	}
}

func TestCut(t *testing.T) {
	chapters := []Chapter{
		{Start: 0, End: 10 * time.Second},
		{Start: 10 * time.Second},
		{Start: 20 * time.Second, End: 40 * time.Second, Chapters: []Chapter{{Start: 25 * time.Second, End: 40 * time.Second}}},
		{Start: 40 * time.Second},
	}
	got := Cut([]Edition{{Chapters: chapters}}, 15*time.Second, 30*time.Second)
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	checkChapters(t, got[0].Chapters, []Chapter{
		{Start: 0},
		{Start: 5 * time.Second, End: 15 * time.Second, Chapters: []Chapter{{Start: 10 * time.Second, End: 15 * time.Second}}},
	})
	if got := Cut([]Edition{{Chapters: chapters}}, time.Minute, 0); len(got) != 1 || len(got[0].Chapters) != 1 {
		t.Errorf("the last chapter has no end, so it covers what follows: %+v", got)
	}
}

// TestReadHostile gives files that claim more than they hold.
func TestReadHostile(t *testing.T) {
	huge := func(id uint32) []byte { return appendSize(appendID(nil, id), 1<<50, 8) }
	self := segment(appendSeekHead(nil, []seekTarget{{idSeekHead, 0}, {idSeekHead, 0}, {idChapters, 1 << 60}}, 0))
	deep := appendUint(nil, idChapterUID, 1)
	for range 10000 {
		deep = appendElement(nil, idChapterAtom, deep)
	}
	moov := func(content []byte) []byte {
		return append(appendBox(nil, "ftyp", []byte("isom")), appendBox(nil, "moov", content)...)
	}
	for name, file := range map[string][]byte{
		"empty":                {},
		"text":                 []byte("this is not a film at all"),
		"magic only":           {0x1A, 0x45, 0xDF, 0xA3},
		"huge EBML header":     huge(idEBML),
		"huge tracks":          segment(huge(idTracks)),
		"huge attachments":     segment(huge(idAttachments), huge(idAttachedFile), huge(idFileData)),
		"seek head of itself":  self,
		"deep chapters":        segment(appendElement(nil, idChapters, appendElement(nil, idEditionEntry, deep))),
		"many empty tags":      segment(appendElement(nil, idTags, bytes.Repeat([]byte{0x73, 0x73, 0x80}, 1<<20))),
		"tags in tags":         segment(appendSeekHead(nil, []seekTarget{{idTags, 60}, {idTags, 61}}, 0), huge(idTags)),
		"many empty elements":  segment(bytes.Repeat([]byte{idVoid, 0x80}, 1<<20)),
		"many empty files":     segment(appendElement(nil, idAttachments, bytes.Repeat(appendElement(nil, idAttachedFile, nil), 1<<19))),
		"many empty tracks":    segment(appendElement(nil, idTracks, bytes.Repeat([]byte{idTrackEntry, 0x80}, 1<<20))),
		"many empty boxes":     moov(bytes.Repeat(appendBox(nil, "free", nil), 1<<18)),
		"many empty traks":     moov(bytes.Repeat(appendBox(nil, "trak", nil), 1<<18)),
		"box beyond the end":   {0, 0, 0, 1, 'f', 't', 'y', 'p', 0x7F, 255, 255, 255, 255, 255, 255, 255},
		"box of negative size": {0, 0, 0, 1, 'f', 't', 'y', 'p', 255, 255, 255, 255, 255, 255, 255, 255},
		"endless boxes":        bytes.Repeat([]byte{0, 0, 0, 0, 'm', 'o', 'o', 'v'}, 1000),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			readBytes(t, file)
			runtime.ReadMemStats(&after)
			if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
				t.Errorf("took %d MiB for %d bytes", took>>20, len(file))
			}
		})
	}
}

// failing is a reader that breaks off at an offset.
type failing struct {
	io.ReaderAt
	at int64
}

var errDisk = errors.New("input/output error")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.at {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

func TestReadReportsTheReadersErrors(t *testing.T) {
	file := segment(appendElement(nil, idTracks, make([]byte, 500)), appendElement(nil, idChapters, make([]byte, 500)))
	for at := range int64(len(file) - 20) {
		if _, err := Read(failing{bytes.NewReader(file), at}, int64(len(file))); !errors.Is(err, errDisk) {
			t.Fatalf("failing at %d: %v", at, err)
		}
	}
}

// FuzzRead looks for panics, hangs and memory out of proportion, and reads what
// it found, which must lie inside the file.
func FuzzRead(f *testing.F) {
	f.Add(segment(appendChapters(nil, nested), appendElement(nil, idAttachments, appendElement(nil, idAttachedFile,
		append(appendText(nil, idFileName, "a.ttf"), appendText(nil, idFileData, "data")...)))))
	f.Add(segment(appendElement(nil, idTracks, appendElement(nil, idTrackEntry,
		append(appendLabel(nil, Label{Name: "n", Language: "ger", LanguageBCP47: "de", Flags: Flags{Forced: true}}),
			appendElement(nil, idVideo, appendElement(nil, idProjection, appendElement(nil, idProjectionPoseRoll, []byte{0x42, 0xB4, 0, 0})))...)))))
	f.Add(segment(appendSeekHead(nil, []seekTarget{{idChapters, 40}, {idSeekHead, 0}}, 0), appendElement(nil, idCluster, nil), appendChapters(nil, nested)))
	f.Add(segment(appendTags(nil, told)))
	f.Add(segment(claiming(1000, 8), clusterAt(0), clusterAt(5000)))
	f.Add(tinyMP4())
	f.Fuzz(func(t *testing.T, b []byte) {
		extras, err := Read(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range extras.Attachments {
			if n, err := io.Copy(io.Discard, a.Data); err != nil || n != a.Data.Size() {
				t.Fatalf("attachment of %d bytes gave %d: %v", a.Data.Size(), n, err)
			}
		}
		if o := extras.Mend; o.At < 0 || o.At+int64(len(o.Bytes)) > int64(len(b)) {
			t.Fatalf("%d bytes at %d of %d are to be read otherwise", len(o.Bytes), o.At, len(b))
		}
		appendChapters(nil, extras.Editions)
		appendTags(nil, extras.Tags)
		Cut(extras.Editions, time.Second, time.Minute)
	})
}

// FuzzFinish plans changes to files that are hardly as a muxer leaves them.
func FuzzFinish(f *testing.F) {
	f.Add(segment(appendElement(nil, idInfo, appendText(nil, idWritingApp, "app      ")),
		appendElement(nil, idTracks, appendElement(nil, idTrackEntry, appendUint(nil, idTrackType, 1))),
		appendVoid(nil, 500), appendElement(nil, idCluster, nil)))
	f.Add(tinyMP4())
	f.Fuzz(func(_ *testing.T, b []byte) {
		src := newSource(bytes.NewReader(b), int64(len(b)))
		changes := Changes{Editions: nested}
		_, _ = planMP4(src, changes) // that it returns is what is looked for
		_, _ = planMP4(src, Changes{Tracks: []TrackChange{{Type: Video}, {Type: ChapterText}}})
		changes.Title, changes.Tags = "title", told
		changes.Tracks = []TrackChange{{Type: Video, CodecID: "V_X"}}
		_, _ = planMatroska(src, changes)
	})
}

// tinyMP4 has a video track whose chapters are in a text track of two samples.
func tinyMP4() []byte {
	full := func(kind string, words ...uint32) []byte {
		var b []byte
		for _, w := range append([]uint32{0}, words...) {
			b = binary.BigEndian.AppendUint32(b, w)
		}
		return appendBox(nil, kind, b)
	}
	join := func(kind string, children ...[]byte) []byte { return appendBox(nil, kind, bytes.Join(children, nil)) }
	track := func(id, handler uint32, rest ...[]byte) []byte {
		return join("trak", full("tkhd", 0, 0, id), bytes.Join(rest, nil), join("mdia",
			full("mdhd", 0, 0, 1000, 5000, 0x55C40000), full("hdlr", 0, handler), join("minf", join("stbl",
				full("stts", 1, 2, 2000), full("stsc", 1, 1, 2, 1), full("stsz", 0, 2, 4, 4), full("stco", 1, 16)))))
	}
	chap := appendBox(nil, "chap", []byte{0, 0, 0, 2})
	return bytes.Join([][]byte{
		appendBox(nil, "ftyp", nil),
		appendBox(nil, "mdat", []byte("\x00\x02hi\x00\x02ho")),
		join("moov", full("mvhd", 0, 0, 1000, 5000), track(1, 0x76696465, join("tref", chap)), track(2, 0x74657874)),
	}, nil)
}

func TestReadTinyMP4(t *testing.T) {
	extras := readBytes(t, tinyMP4())
	if len(extras.Editions) != 1 || len(extras.Tracks) != 2 || extras.Tracks[1].Type != ChapterText {
		t.Fatalf("%+v", extras)
	}
	checkChapters(t, extras.Editions[0].Chapters, []Chapter{
		{Start: 0, End: 2 * time.Second, Titles: []Title{{Text: "hi", Language: "und"}}},
		{Start: 2 * time.Second, End: 5 * time.Second, Titles: []Title{{Text: "ho", Language: "und"}}},
	})
}
