package score

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestPairs(t *testing.T) {
	for name, test := range map[string]struct {
		files string
		want  []Pair
		err   error
		says  string
	}{
		"with the scale": {
			files: "b_SRF_2_LR.png b_SRF_2_HR.png a_SRF_2_LR.png a_SRF_2_HR.png a_SRF_4_LR.png readme.txt",
			want:  []Pair{{"a", "a_SRF_2_LR.png", "a_SRF_2_HR.png"}, {"b", "b_SRF_2_LR.png", "b_SRF_2_HR.png"}},
		},
		"without": {
			files: "x_LR.png x_HR.png other.png",
			want:  []Pair{{"x", "x_LR.png", "x_HR.png"}},
		},
		"in folders": {
			files: "LR/x.png LR/y.png HR/x.png HR/y.png LR/notes.txt",
			want:  []Pair{{"x", "LR/x.png", "HR/x.png"}, {"y", "LR/y.png", "HR/y.png"}},
		},
		"nothing":             {files: "a.png", err: ErrNoPairs, says: "_SRF_2_LR.png"},
		"another scale":       {files: "a_SRF_4_LR.png a_SRF_4_HR.png", err: ErrNoPairs, says: "scale of 2"},
		"one folder":          {files: "LR/x.png", err: ErrNoPairs},
		"no original":         {files: "a_SRF_2_LR.png", err: ErrAlone, says: "a_SRF_2_HR.png"},
		"no small one":        {files: "a_LR.png a_HR.png b_HR.png", err: ErrAlone, says: "b_LR.png"},
		"no small in folders": {files: "LR/x.png HR/x.png HR/y.png", err: ErrAlone, says: "y.png"},
	} {
		t.Run(name, func(t *testing.T) {
			folder := fstest.MapFS{}
			for file := range strings.FieldsSeq(test.files) {
				folder[file] = &fstest.MapFile{}
			}
			got, err := Pairs(folder, 2)
			if !slices.Equal(got, test.want) || !errors.Is(err, test.err) {
				t.Fatalf("got %v, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v does not say %q", err, test.says)
			}
		})
	}
	if _, err := Pairs(os.DirFS(filepath.Join(t.TempDir(), "none")), 2); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing folder: %v", err)
	}
}
