// Package cache keeps the segments that sessions have made, so that a player that
// goes back, or a second player, does not have them made again. Nothing depends
// on a segment being there: one that was let go is made anew.
//
//	Put ──► memory ── coldest, past half of its bound ──► Run ──► files, one a segment
//	         │ past its bound: the coldest are lost         │ past their cap: the coldest are removed
//	Get ◄────┴───────────────────────────────────────────────┘
//
// # The folder
//
// A cache owns one folder, which holds a marker of its own; a folder with other
// things in it and no marker is refused. The marker is locked while the cache is
// open, so that two servers cannot share a folder, and the lock ends with the
// process. What a server that was killed left behind is removed by the next New,
// by the form of its name and only in a marked folder. A file is written under a
// temporary name and then renamed. After Close the folder is empty.
//
// # A disk that fails
//
// An error of writing is counted and the disk left alone for a while; memory goes
// on within its bound. A file that cannot be read whole counts as not there.
//
// # Threads
//
// All methods may be called by any goroutine, and none but Get waits for the disk.
// Run owns the only goroutine that writes and removes.
package cache
