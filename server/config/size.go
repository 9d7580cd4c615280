package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Size is a number of bytes, written as a whole number with a binary unit.
type Size int64

// units are the units of a Size, the largest first.
var units = []struct {
	name  string
	bytes Size
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

var sizeForm = regexp.MustCompile(`^([0-9]{1,19}) ?([KMGT]iB|B)$`)

var errSize = errors.New("must be a size with its unit B, KiB, MiB, GiB or TiB, as in 4GiB")

// ParseSize reads a size. Units of 1000 (GB) and bare numbers are refused, since
// one cannot tell what was meant.
func ParseSize(text string) (Size, error) {
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, errSize
	}
	number, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0, errSize
	}
	for _, unit := range units {
		if unit.name == parts[2] {
			if number > math.MaxInt64/int64(unit.bytes) {
				return 0, errSize
			}
			return Size(number) * unit.bytes, nil
		}
	}
	return 0, errSize
}

// String writes the size in the largest unit that makes it a whole number.
func (s Size) String() string {
	for _, unit := range units {
		if s != 0 && s%unit.bytes == 0 {
			return fmt.Sprintf("%d%s", s/unit.bytes, unit.name)
		}
	}
	return "0B"
}
