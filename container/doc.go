// Package container carries what GStreamer drops between one media file and
// the next. GStreamer 1.22's muxers and demuxers hand on streams, tags and
// timing; they lose attachments, track flags, BCP 47 languages, the language
// and nesting of chapters, and the chapters of MP4 altogether.
//
//	source.mkv ── Read ──► Extras ──► (pipeline plans) ──► Changes
//	                                                         │
//	temporary.mkv, as matroskamux or mp4mux left it ── Finish ─► the same file, whole
//
// Read takes hostile files: it seeks instead of loading, its memory is bounded
// by the limits in extras.go whatever the file claims, and a broken part is
// left out. Finish takes files that our own muxers wrote: it refuses what it
// does not know, and when it fails the file is as it was before.
//
// The package is pure Go, holds no state and starts no goroutine. Formats:
// RFC 8794 (EBML), RFC 9559 (Matroska), ISO/IEC 14496-12 (MP4) and Apple's
// QuickTime File Format (chapter tracks). docs/decisions/0006-container-extras.md
// says why it reads EBML and boxes itself.
package container
