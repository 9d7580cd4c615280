// Package source opens what a client names as its film, and is all that decides
// what a client may name.
//
//	"movies/a/b.mkv" ─► parse ─► os.Root ─► regular file ──────────── 'f' ─► worker
//	"https://h/f.mkv" ► parse ─► Hosts ─► probe ─► remote ─ ranges ── 'r' ─► worker
//
// # Files
//
// A file lies under a root: a folder that has a name in the configuration. It is
// opened by os.Root, so that neither ".." nor a link leads out of it; a link
// inside must be relative and stay inside. Only a regular file with something in
// it is taken, and neither a FIFO nor a device is opened on the way.
//
// # HTTP
//
// The host and port of a URL, and of every redirect, must be in the list of
// hosts, and the address that is really dialled must be one that the entry
// permits (address.go), whatever a name resolves to then. Redirects are followed
// anew for each request, since where they lead may be signed and expire. Proxies
// of the environment are not used: what lies behind one could not be checked. The
// server must answer ranges; validators of the first answer must not change.
//
//	Serve ─► ReadAtContext ─► blocks of 256 KiB, 32 MiB of them, for all readers
//	                            ▲ one by one
//	                          fetchers, each with a response that it reads on
//
// A read wants a block. One that is not there is given to the fetcher that will
// come to it soon, else to an idle one, which asks the server for all from there
// on and reads no further than is wanted; readers that go on get ever more read
// ahead for them, up to 4 MiB. A connection that drops is taken up where it
// dropped, a bounded number of times for a block.
//
// # Threads
//
// Source.Run owns the fetchers and the worker's connection. All else may be
// called by any goroutine. Memory of a remote source: the blocks, one more for
// each fetcher, and what package ranges holds.
package source
