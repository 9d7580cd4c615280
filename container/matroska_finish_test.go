package container

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

// muxed builds a small file as matroskamux leaves one: sizes eight bytes wide, a
// writing application with room behind it, tags after the clusters. With unknown
// set, the segment has no size, as after a muxer that could not seek back.
func muxed(room int, unknown bool) []byte {
	wide := func(id uint32, data ...[]byte) []byte {
		content := bytes.Join(data, nil)
		return append(appendSize(appendID(nil, id), int64(len(content)), 8), content...)
	}
	info := wide(idInfo, appendText(nil, idWritingApp, "app"+strings.Repeat(" ", room)))
	track := func(kind uint64, codec string) []byte {
		return wide(idTrackEntry, appendUint(nil, idTrackType, kind), appendText(nil, idName, "Name"), appendText(nil, idLanguage, "und"),
			appendText(nil, idCodecID, codec), appendText(nil, idCodecPrivate, "private"))
	}
	tracks := wide(idTracks, track(1, "V_TEST"), track(17, "S_VOBSUB"))
	cluster := wide(idCluster, appendVoid(nil, 100))
	tags := wide(idTags, wide(idTag, wide(idSimpleTag, appendText(nil, idTagString, `"A\ b"`))))
	targets := []seekTarget{{idTags, 0}}
	before := len(appendSeekHead(nil, targets, 0)) + len(info) + len(tracks)
	targets[0].position = int64(before + len(cluster))
	content := bytes.Join([][]byte{appendSeekHead(nil, targets, 0), info, tracks, cluster, tags}, nil)
	file := appendElement(nil, idEBML, appendUint(nil, idDocTypeVersion, 2))
	size := int64(len(content))
	if unknown {
		size = 1<<56 - 1
	}
	return append(appendSize(appendID(file, idSegment), size, 8), content...)
}

func save(t *testing.T, content []byte) string {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, "out.mkv", string(content))
	return filepath.Join(dir, "out.mkv")
}

func font(name, content string) Attachment {
	return Attachment{Name: name, MIME: "font/ttf", Data: io.NewSectionReader(strings.NewReader(content), 0, int64(len(content)))}
}

var smallChanges = Changes{
	Title:       "Title",
	Attachments: []Attachment{font("a.ttf", "first"), font("a.ttf", "second")},
	Editions:    nested,
	Tags:        told,
	Tracks: []TrackChange{
		{Type: Video, UID: 5, Label: Label{Language: "eng"}},
		{Type: Subtitle, UID: 1 << 63, CodecID: "S_HDMV/PGS", Private: []byte("palette"), Label: Label{Name: "Forced", LanguageBCP47: "de", Flags: Flags{Forced: true, Disabled: true}}},
	},
}

func TestFinishAnyRoom(t *testing.T) {
	enough := len(WritingApp("", smallChanges))
	inFront := 0
	for room := range enough + 1 {
		for _, unknown := range []bool{false, true} {
			before := muxed(room, unknown)
			path := save(t, before)
			switch err := Finish(path, smallChanges); {
			case errors.Is(err, ErrNoRoom) && room < enough:
				if !bytes.Equal(contents(t, path), before) {
					t.Fatalf("room %d: refused, but changed", room)
				}
				continue
			case err != nil:
				t.Fatalf("room %d: %v", room, err)
			}
			inFront += checkSmall(t, before, contents(t, path))
		}
	}
	if inFront == 0 {
		t.Error("chapters were never put in front")
	}
}

// checkSmall checks a finished small file and returns 1 if its chapters are
// before the cluster.
func checkSmall(t *testing.T, before, after []byte) int {
	t.Helper()
	extras := readBytes(t, after)
	if extras.Title != "Title" || len(extras.Attachments) != 2 || len(extras.Tracks) != 2 ||
		!bytes.Equal(appendChapters(nil, extras.Editions), appendChapters(nil, nested)) || !reflect.DeepEqual(extras.Tags, told) {
		t.Fatalf("%+v", extras)
	}
	if a, b := extras.Attachments[0].UID, extras.Attachments[1].UID; a == 0 || b == 0 || a == b {
		t.Fatalf("attachment UIDs %d and %d", a, b)
	}
	video, subtitle := extras.Tracks[0], extras.Tracks[1]
	if video.Label != (Label{Language: "eng"}) || video.CodecID != "V_TEST" {
		t.Fatalf("video %+v", video)
	}
	want := smallChanges.Tracks[1].Label
	want.Language = "und" // the muxer's
	if subtitle.Label != want || subtitle.CodecID != "S_HDMV/PGS" || string(subtitle.Private) != "palette" ||
		bytes.Count(after, []byte("private")) != 1 || video.UID != 5 || subtitle.UID != 1<<63 {
		t.Fatalf("subtitle %+v", subtitle)
	}
	cluster := appendID(nil, idCluster)
	at := bytes.Index(before, cluster)
	if bytes.Index(after, cluster) != at || bytes.Contains(after, []byte(`A\ b`)) || bytes.Contains(after, []byte("app ")) {
		t.Fatal("cluster moved, the muxer's tags are left or the application's name is not plain")
	}
	checkElements(t, after)
	if bytes.Index(after, appendID(nil, idChapters)) < at && bytes.LastIndex(after, appendID(nil, idChapters)) < at {
		return 1
	}
	return 0
}

// checkElements walks a file: the elements fill it, and each but the padding and
// the clusters is named in the seek head, in its place.
func checkElements(t *testing.T, file []byte) {
	t.Helper()
	src := newSource(bytes.NewReader(file), int64(len(file)))
	ebml, err := src.element(0)
	if err != nil {
		t.Fatal(err)
	}
	seg, err := src.element(ebml.end(0))
	if err != nil || seg.end(0) != src.size {
		t.Fatalf("segment %+v, %v", seg, err)
	}
	named := map[int64]uint32{}
	for p, err := range src.elements(seg.data(), src.size) {
		if err != nil || p.end(src.size) > src.size {
			t.Fatalf("element %+v: %v", p, err)
		}
		switch p.id {
		case idVoid, idCluster:
			continue
		case idSeekHead:
			content, err := src.content(p, maxSeekHead)
			if err != nil {
				t.Fatal(err)
			}
			for id, position := range seekEntries(content) {
				named[seg.data()+int64(position)] = id
			}
			continue
		}
		if named[p.start] != p.id {
			t.Fatalf("element %x at %d is not in the seek head", p.id, p.start)
		}
		delete(named, p.start)
	}
	if len(named) != 0 {
		t.Fatalf("the seek head names nothing: %v", named)
	}
}

func TestFinishLeavesTheFileWhenItFails(t *testing.T) {
	lost := font("lost.ttf", strings.Repeat("x", 1<<20))
	lost.Data = io.NewSectionReader(failing{lost.Data, 1 << 19}, 0, lost.Data.Size())
	short := font("short.ttf", "x")
	short.Data = io.NewSectionReader(strings.NewReader("x"), 0, 100)
	behind := muxed(500, false)
	for _, test := range []struct {
		name    string
		file    []byte
		changes Changes
		want    error
	}{
		{"attachment breaks off", muxed(500, false), Changes{Attachments: []Attachment{font("a", "a"), lost}}, errDisk},
		{"attachment ends early", muxed(500, false), Changes{Attachments: []Attachment{short}}, io.EOF},
		{"too few tracks", muxed(500, false), Changes{Tracks: []TrackChange{{Type: Video}}}, ErrTracks},
		{"too many tracks", muxed(500, false), Changes{Tracks: make([]TrackChange, 3)}, ErrTracks},
		{"tracks in another order", muxed(500, false), Changes{Tracks: []TrackChange{{Type: Subtitle}, {Type: Video}}}, ErrTracks},
		{"bytes behind the segment", append(muxed(500, false), 0), Changes{}, ErrLayout},
		{"cut off", behind[:len(behind)-1], Changes{}, ErrLayout},
		{"no cluster", segment(), Changes{}, ErrLayout},
		{"neither format", []byte("neither of the formats"), Changes{}, ErrLayout},
		{"empty", nil, Changes{}, ErrLayout},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := save(t, test.file)
			if err := Finish(path, test.changes); !errors.Is(err, test.want) {
				t.Errorf("got %v", err)
			}
			if !bytes.Equal(contents(t, path), test.file) {
				t.Error("the file changed")
			}
		})
	}
	if err := Finish(filepath.Join(t.TempDir(), "none.mkv"), Changes{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestFinishRefusesASecondSetOfAttachments(t *testing.T) {
	path := save(t, muxed(500, false))
	changes := Changes{Attachments: []Attachment{font("a", "a")}}
	if err := Finish(path, changes); err != nil {
		t.Fatal(err)
	}
	if err := Finish(path, changes); !errors.Is(err, ErrLayout) {
		t.Errorf("got %v", err)
	}
}

// fullDisk is a file that takes no byte behind a place.
type fullDisk struct {
	*os.File
	end int64
}

func (f fullDisk) WriteAt(p []byte, off int64) (int, error) {
	fits := min(max(f.end-off, 0), int64(len(p)))
	if n, err := f.File.WriteAt(p[:fits], off); err != nil || fits == int64(len(p)) {
		return n, err
	}
	return int(fits), syscall.ENOSPC
}

func TestFinishOnAFullDisk(t *testing.T) {
	before := muxed(500, false)
	size := int64(len(before))
	for _, free := range []int64{0, 1, 100, 300000} {
		path := save(t, before)
		file, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = file.Close() }()
		plan, err := planMatroska(newSource(file, size), Changes{
			Attachments: []Attachment{font("a", strings.Repeat("font", 1<<17))},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := plan.apply(fullDisk{file, size + free}, size); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%d bytes free: %v", free, err)
		}
		if !bytes.Equal(contents(t, path), before) {
			t.Errorf("%d bytes free: the file changed", free)
		}
	}
}

// TestPatchUndoesOverwrites lets the second of two overwrites fail.
func TestPatchUndoesOverwrites(t *testing.T) {
	path := save(t, []byte("0123456789"))
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	plan := patch{over: []overwrite{{0, []byte("abc")}, {6, []byte("def")}}}
	if err := plan.apply(fullDisk{file, 7}, 10); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v", err)
	}
	if got := string(contents(t, path)); got != "0123456789" {
		t.Errorf("left %q", got)
	}
}

func TestFinishOfAFilmWithoutExtras(t *testing.T) {
	before := muxed(100, false)
	path := save(t, before)
	if err := Finish(path, Changes{}); err != nil {
		t.Fatal(err)
	}
	after := contents(t, path)
	checkElements(t, after)
	if len(after) != len(before) {
		t.Errorf("the file grew by %d bytes", len(after)-len(before))
	}
	if got := readBytes(t, after).Tags; len(got) != 1 || got[0].Values[0].Text != "A b" {
		t.Errorf("the muxer's tags are %+v", got)
	}
}

func TestFinishGivesNoTwoTracksOneUID(t *testing.T) {
	path := save(t, muxed(500, false))
	if err := Finish(path, Changes{Tracks: []TrackChange{{Type: Video, UID: 5}, {Type: Subtitle, UID: 5}}}); err != nil {
		t.Fatal(err)
	}
	if got := readBytes(t, contents(t, path)).Tracks; got[0].UID != 5 || got[1].UID == 5 {
		t.Errorf("tracks %+v", got)
	}
}

func TestWritingAppKeepsRoomForChapters(t *testing.T) {
	long := []Edition{{Chapters: make([]Chapter, 5000)}}
	for i := range long[0].Chapters {
		long[0].Chapters[i] = Chapter{Start: time.Duration(i) * time.Second, Titles: []Title{{Text: "chapter"}}}
	}
	if room := len(WritingApp("", Changes{Editions: long})); room > 1000 {
		t.Errorf("%d bytes of room for chapters that go behind the media", room)
	}
	path := save(t, muxed(100, false))
	if err := Finish(path, Changes{Editions: long}); err != nil {
		t.Fatal(err)
	}
	after := contents(t, path)
	checkElements(t, after)
	if got := readBytes(t, after); len(got.Editions) != 1 || len(got.Editions[0].Chapters) != 5000 {
		t.Errorf("%d editions", len(got.Editions))
	}
}
