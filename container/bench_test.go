package container

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// bigFilm saves a small muxed file whose cluster was blown up to 8 GiB of nothing.
func bigFilm(b *testing.B) string {
	b.Helper()
	const added = 8 << 30
	small := muxed(500, true)
	cluster := bytes.Index(small, appendID(nil, idCluster))
	// The tags are gone, so what the seek head named so becomes cues, which Finish leaves alone.
	small = bytes.Replace(small, appendID(nil, idTags), appendID(nil, idCues), 1)
	file := appendSize(small[:cluster+4:cluster+4], added, 8)
	path := filepath.Join(b.TempDir(), "big.mkv")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		b.Fatal(err)
	}
	if err := os.Truncate(path, int64(len(file))+added); err != nil {
		b.Fatal(err)
	}
	return path
}

func BenchmarkFinish(b *testing.B) {
	b.ReportAllocs()
	changes := smallChanges
	changes.Attachments = nil // a second set is refused
	path := bigFilm(b)
	for b.Loop() {
		if err := Finish(path, changes); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	b.ReportAllocs()
	file, err := os.Open(bigFilm(b))
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if extras, err := Read(file, info.Size()); err != nil || len(extras.Tracks) != 2 {
			b.Fatalf("%+v, %v", extras, err)
		}
	}
}
