// Package webrtc sends browsers what sessions make, and takes in what a page plays.
//
//	offer ─► Watch ─► peer ─► arrange, answer          Stream.Next ─► outlet ─► RTP ─► browser
//	                   └──► life, in Run: connect ─► play ──┘  ▲               sender reports
//	                                                 listen ───┴─ KeyFrame ◄── RTCP ◄── browser
//
// A peer is one connection to one browser, made of one offer and never negotiated anew. Its port is shared by all
// peers, or its own of a range. The server is a lite agent of ICE: it tells its addresses and waits for the browser to
// come; no other server is asked for anything, and nothing is sent to addresses that an offer names.
//
// # Time
//
// A Stream gives each packet a time on one line, which picture and sound share. RTP timestamps are that time, exactly,
// and sender reports tell the browser how the timestamps of both go together, so that it can show and sound them
// together whatever the network does to them.
//
// # Bounds
//
// There are at most Options.Peers peers. Nothing is queued for one: what it is sent is sent, or lost and asked for
// again. One that cannot be connected within Options.Connect is given up, as is one that is silent for
// Options.Disconnected and Options.Failed; one that closes its connection is gone at once. A page must send a picture
// within Options.Connect of its connection; of what it sends, pictures are bounded in bytes and what waits of them too,
// and where there is more the newest counts.
//
// # Threads
//
// Run owns one goroutine for each peer, which sends, and one for each kind of media that listens to what the browser
// says of it. Where one of them panics its peer ends. Below them pion has its own, which end with the connection.
package webrtc
