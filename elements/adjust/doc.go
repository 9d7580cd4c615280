// Package adjust is the GStreamer element `adjust`: a video filter that does to
// every frame, in place, what filters.Settings say. docs/filters.md describes the
// filters for their users, docs/decisions/0011-filters.md why they are one element.
//
//	Element.Set ──► plan.go, tables.go ──► AdjustPlan ──► element.c ──► plan.c ──► stencil.c  denoise, sharpness
//	any goroutine   tables of the settings  taken between  streaming              colour.c   colours
//	                for the caps            two frames     thread                 light.c    vignette, grain
//
// Everything that needs thought is computed once, when settings or caps change,
// and put in the tables of a plan, on the goroutine that changes them. A frame
// meets the plan that is there when it comes and runs in C, in integers, without
// a call into Go. Without anything to do there is no plan, and frames are handed
// on as they are.
//
// A plan is C memory with a count of references: the element holds one, and the
// streaming thread another while a frame is in work.
package adjust
