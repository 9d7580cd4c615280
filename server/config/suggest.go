package config

import (
	"maps"
	"slices"
)

// unknown says that there is no such key, and which one may be meant.
func (l *loader) unknown(name string) string {
	best, closest := "", 2+len(name)/4
	for _, other := range slices.Sorted(maps.Keys(l.keys)) {
		if d := edits(name, other); d < closest && d < len(name)+1 {
			best, closest = other, d
		}
	}
	if best == "" {
		return "there is no such key"
	}
	return "there is no such key; " + best + " may be meant"
}

// edits returns Levenshtein's distance between two texts.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
