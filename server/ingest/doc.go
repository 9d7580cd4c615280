// Package ingest takes live sources in and writes each as one feed of Matroska for a worker, which so opens nothing.
//
//	http(s) MPEG-TS ── mediacommon ─┐
//	http(s) HLS ────── gohlslib ────┼─► line ─► clock ─► queue ─► matroska.Writer ─► worker
//	rtsp(s) ────────── gortsplib ───┘   codecs   times    bounded
//	        ▲ every connection by source.Outside
//
// Pictures are H.264 or H.265, sound is AAC, Opus, MPEG audio of layer II or III, AC-3 or E-AC-3: what comes is carried as it is. Of several tracks of sound the
// first that can be carried is taken; where none can, or none comes with the first pictures, there is a warning.
//
// # Breaks
//
// A connection that breaks off, or brings no picture for Options.Stall, is made anew after a wait that grows and is
// spread at random, until Options.Reconnect is over. In the feed nothing shows of it but a key picture: its clock
// places what comes after a break, or after a jump of the source's own clock, right behind what came before.
//
// # Bounds
//
// The queue holds at most 5 s and 32 MiB. When a worker does not take its feed, whole groups of pictures go, the
// oldest first, and are counted; the feed goes on at a key picture. A connection may bring at most 32 MiB for one
// picture, one of HLS 128 MiB ahead of its pictures, which the library has to hold.
//
// # Threads
//
// Run owns every goroutine: one writes the feed, one waits for connections and their ends; the libraries' own end
// with their connection. All else may be called by any goroutine.
package ingest
