// Package config owns every key of the server's configuration: its default, its
// rule and the sentence that documents it.
//
//	Defaults ─► YAML file ─► environment ─► command line ─► decode ─► settle ─► check ─► Config
//	  struct      koanf        koanf          koanf         strictly  paths,    rules
//	                                                                  token
//
// koanf lays one source over the other. What it has then is decoded here and not
// by its own decoder, which takes 1.5 for the integer 1 and Hls for hls, and hides
// an unknown key behind the error of its neighbour. Every fault is collected, and
// told with key, rule and value; nothing is guessed and nothing ignored.
//
// A Config is decoded once and never changed after. docs/configuration.md and
// deploy/upscaled.yml are generated from the struct.
//
// The package is pure, starts no goroutine and holds no state. Load reads the
// configuration file and the token's file and looks at nothing else on the disk:
// whether a folder is there is seen by the one that opens it.
package config
