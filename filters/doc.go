// Package filters is the one definition of the picture filters that a user can
// move while a film plays: their names, ranges and neutral values, the presets
// made of them, and the .cube files that hold looks of others. It is pure and
// starts no goroutine; a Settings and a Cube never change once made.
//
//	preset, Overrides ─► Resolve ─► Settings ─► Clamp ─► elements/adjust
//	.cube file        ─► Parse   ─► Cube     ───────────┘
//
// What the colour filters do to one pixel is in the package grade below; what is
// done to pictures is in elements/adjust. docs/filters.md is made from here.
package filters
