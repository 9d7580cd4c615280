package container

import (
	"bytes"
	"testing"
)

func TestUnwrap(t *testing.T) {
	tests := map[string]string{
		`plain`:                 `plain`,
		`"Der\ Film"`:           `Der Film`,
		`"Gr\303\266\303\237e"`: `Größe`,
		`"\"quoted\"\ \\"`:      `"quoted" \`,
		`"\400"`:                `400`, // not a byte: the backslash stands before a 4
		// Not as GStreamer writes them, so they are what they say.
		`""`:                 `""`,
		`"`:                  `"`,
		`"half\ `:            `"half\ `,
		`"ends\"`:            `"ends\"`,
		`"Heroes"`:           `"Heroes"`,
		`"A day" and "C:\x"`: `"A day" and "C:\x"`,
		"padded\x00":         "padded\x00",
	}
	for in, want := range tests {
		if got := unwrap([]byte(in)); string(got) != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestFillIsExact(t *testing.T) {
	for n := range 300 {
		content := bytes.Repeat([]byte{1}, n)
		shortest := len(appendElement(nil, idTags, content))
		for size := shortest; size < shortest+200; size++ {
			b := fill(idTags, content, size)
			if len(b) != size {
				t.Fatalf("content of %d bytes over %d: got %d", n, size, len(b))
			}
			first := true
			for e, err := range children(b) {
				if err != nil || first && !bytes.Equal(e.data, content) || !first && e.id != idVoid {
					t.Fatalf("content of %d bytes over %d: %x, %v", n, size, e.id, err)
				}
				first = false
			}
		}
	}
}
