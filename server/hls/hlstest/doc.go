// Package hlstest reads playlists and WebVTT as strictly as RFC 8216 lets a client
// read them, for tests of a server: what a player would forgive is an error here.
//
//	ParseMaster ─► Master     ParseMedia ─► Media.Check, Align     ParseVTT ─► VTT
//
// It knows what upscaled serves and no more: an unknown tag or attribute is an
// error, too. It is written apart from package hls and shares no code with it.
package hlstest
