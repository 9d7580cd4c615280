package config

import "testing"

func TestParsePorts(t *testing.T) {
	for text, want := range map[string]Ports{
		"": {}, "1-1": {1, 1}, "50000-50099": {50000, 50099}, "1-65535": {1, 65535},
	} {
		if got, err := ParsePorts(text); err != nil || got != want || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"-", "0-1", "2-1", "50000", "1-65536", "1 - 2", "+1-2", "1-2-3", "a-b"} {
		if got, err := ParsePorts(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
}
