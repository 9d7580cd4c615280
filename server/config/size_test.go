package config

import (
	"math"
	"testing"
)

func TestParseSize(t *testing.T) {
	for text, want := range map[string]Size{
		"0B": 0, "1B": 1, "1KiB": 1 << 10, "4 MiB": 4 << 20, "4GiB": 4 << 30, "16TiB": 16 << 40, "9223372036854775807B": math.MaxInt64,
		"": -1, "4": -1, "4GB": -1, "4G": -1, "4gib": -1, "1.5GiB": -1, "-1B": -1, "+1B": -1, " 1B": -1, "1B ": -1, "1  B": -1, "GiB": -1,
		"9223372036854775808B": -1, "8388608TiB": -1, "9999999999999999999TiB": -1, "٤GiB": -1,
	} {
		got, err := ParseSize(text)
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
}

func FuzzParseSize(f *testing.F) {
	for _, text := range []string{"4GiB", "0B", "8388607TiB", "1 KiB"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseSize(text)
		if err != nil {
			return
		}
		if again, err := ParseSize(size.String()); err != nil || again != size || size < 0 {
			t.Errorf("%q is %d, which is written %s and read %d: %v", text, size, size, again, err)
		}
	})
}
