package fmp4

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/Eyevinn/mp4ff/mp4"
)

// unspecified is the code point of ISO/IEC 23091-2 for what nobody said.
const unspecified = 2

// Code points of ISO/IEC 23091-2 by GStreamer's numbers (gst/video/video-color.h), in its order.
// GStreamer's gamma 1.8 and 2.0 and Adobe's RGB have none.
var (
	matrices  = []uint16{2, 0, 4, 1, 6, 7, 9}
	transfers = []uint16{2, 8, 2, 2, 4, 1, 7, 13, 5, 9, 10, 15, 2, 14, 16, 18, 6}
	primaries = []uint16{2, 1, 4, 5, 6, 7, 8, 9, 2, 10, 11, 12, 22}
)

// colorimetries are the names that GStreamer gives to some combinations, which stand for
// range:matrix:transfer:primaries.
var colorimetries = map[string]string{
	"bt601": "2:4:16:4", "bt709": "2:3:5:1", "smpte240m": "2:5:6:5", "sRGB": "1:1:7:1",
	"bt2020": "2:6:11:7", "bt2020-10": "2:6:13:7", "bt2100-pq": "2:6:14:7", "bt2100-hlg": "2:6:15:7",
}

// colour returns the colr box of a colorimetry as GStreamer writes it, nil where nothing is known.
func colour(colorimetry string) (*mp4.ColrBox, error) {
	if colorimetry == "" {
		return nil, nil //nolint:nilnil // no box is what "" asks for
	}
	numbers, named := colorimetries[colorimetry]
	if !named {
		numbers = colorimetry
	}
	fields := strings.Split(numbers, ":")
	tables := [][]uint16{{0, 1, 0}, matrices, transfers, primaries}
	if len(fields) != len(tables) {
		return nil, fmt.Errorf("%w: colorimetry %.40q", ErrMedia, colorimetry)
	}
	var points [4]uint16
	for i, field := range fields {
		n, err := strconv.ParseUint(field, 10, 8)
		if err != nil || n >= uint64(len(tables[i])) {
			return nil, fmt.Errorf("%w: colorimetry %.40q", ErrMedia, colorimetry)
		}
		points[i] = tables[i][n]
	}
	if points[1] == unspecified && points[2] == unspecified && points[3] == unspecified {
		return nil, nil //nolint:nilnil // a box that says nothing is none
	}
	return &mp4.ColrBox{
		ColorType: mp4.ColorTypeOnScreenColors, FullRangeFlag: points[0] == 1,
		MatrixCoefficients: points[1], TransferCharacteristics: points[2], ColorPrimaries: points[3],
	}, nil
}
