package score

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Pair is one picture in two sizes.
type Pair struct {
	Name string // without what tells the sizes apart
	Low  string // path of the low-resolution file
	High string // path of the original
}

// Pairs finds the pictures in the root of a folder that a model of a scale can
// be scored with, sorted by name. A folder is of one of these forms, the first
// that it has anything of:
//
//	NAME_SRF_<scale>_LR.png and NAME_SRF_<scale>_HR.png
//	NAME_LR.png             and NAME_HR.png
//	LR/NAME.png             and HR/NAME.png
//
// The error wraps ErrNoPairs, ErrAlone or what the file system said.
func Pairs(folder fs.FS, scale int) ([]Pair, error) {
	files, err := names(folder, ".")
	if err != nil {
		return nil, err
	}
	marked := func(size string) (low, high string) {
		return size + "_LR.png", size + "_HR.png"
	}
	srf := fmt.Sprintf("_SRF_%d", scale)
	low, high := marked(srf)
	pairs, err := match(files, files, low, high)
	if pairs != nil || err != nil {
		return pairs, err
	}
	low, high = marked("")
	// Other scales of the first form are not pairs of the second.
	plain := slices.DeleteFunc(slices.Clone(files), func(s string) bool { return strings.Contains(s, "_SRF_") })
	pairs, err = match(plain, plain, low, high)
	if pairs != nil || err != nil {
		return pairs, err
	}
	pairs, err = folders(folder)
	if err == nil && pairs == nil {
		err = fmt.Errorf("%w for a scale of %d: expected NAME%s_LR.png with NAME%s_HR.png, NAME_LR.png with NAME_HR.png, or LR/NAME.png with HR/NAME.png",
			ErrNoPairs, scale, srf, srf)
	}
	return pairs, err
}

// folders finds the pairs of the form with two folders.
func folders(folder fs.FS) ([]Pair, error) {
	var files [2][]string
	for i, dir := range []string{"LR", "HR"} {
		if !isFolder(folder, dir) {
			return nil, nil // not of this form
		}
		var err error
		if files[i], err = names(folder, dir); err != nil {
			return nil, err
		}
	}
	pairs, err := match(files[0], files[1], ".png", ".png")
	if err != nil {
		return nil, fmt.Errorf("LR and HR: %w", err)
	}
	for i := range pairs {
		pairs[i].Low, pairs[i].High = path.Join("LR", pairs[i].Low), path.Join("HR", pairs[i].High)
	}
	return pairs, nil
}

func isFolder(folder fs.FS, name string) bool {
	info, err := fs.Stat(folder, name)
	return err == nil && info.IsDir()
}

// match pairs the files that end in low with those that end in high. It returns
// ErrAlone when one has no other half, and nothing when none ends so.
func match(lows, highs []string, low, high string) ([]Pair, error) {
	var pairs []Pair
	for _, file := range lows {
		name, ok := strings.CutSuffix(file, low)
		if !ok {
			continue
		}
		if !slices.Contains(highs, name+high) {
			return nil, fmt.Errorf("%w: %s has no %s", ErrAlone, file, name+high)
		}
		pairs = append(pairs, Pair{Name: name, Low: file, High: name + high})
	}
	for _, file := range highs {
		if name, ok := strings.CutSuffix(file, high); ok && !slices.Contains(lows, name+low) {
			return nil, fmt.Errorf("%w: %s has no %s", ErrAlone, file, name+low)
		}
	}
	return pairs, nil
}

// names returns the names of the files in a folder, sorted.
func names(folder fs.FS, dir string) ([]string, error) {
	entries, err := fs.ReadDir(folder, dir)
	if err != nil {
		return nil, fmt.Errorf("read folder: %w", err)
	}
	var list []string
	for _, e := range entries {
		if !e.IsDir() {
			list = append(list, e.Name())
		}
	}
	return list, nil
}
