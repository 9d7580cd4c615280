// Package hls turns what is known of a film into HTTP Live Streaming (RFC 8216):
// where its segments lie in time, its playlists, and its subtitles as WebVTT.
//
//	wire.Opened ─► Timeline ─► Playlist, TextPlaylist        video/index.m3u8, text/0/index.m3u8
//	                  └──────► Sound ─► Playlist             audio/0/index.m3u8
//	Master ─────────────────────────► Playlist               master.m3u8
//	[]wire.Cue ─────────────────────► WebVTT                 text/0/17.vtt
//	a request's path ◄──────────────► Resource
//
// All times are whole ticks of a stream's time scale until they are printed, so
// 24000/1001 pictures a second lie as exactly in the third hour as in the first.
//
// # Threads
//
// Everything here is a value or a function from data to bytes: no goroutines, no
// files, no clocks. Anything may be called from any goroutine.
package hls
