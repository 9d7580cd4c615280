// Package mpegts writes MPEG transport streams (ISO/IEC 13818-1) of pictures in
// H.264 and sound in AAC or Opus, over mediacommon.
//
//	avcC, codec data of sound ─► NewWriter ─► PAT, PMT
//	packets ─► Video, Audio ─► PES, in one Write each
//
// What is kept in MP4 and Matroska is written as transport streams have it: pictures
// in Annex B of H.264 with parameter sets at each key frame, AAC in ADTS. Times
// lie Lead after those that are given, so that the clock, which runs before the
// pictures, does not begin below zero.
//
// # Threads
//
// A Writer belongs to one goroutine at a time. The package starts none.
package mpegts
