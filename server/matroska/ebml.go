package matroska

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Element IDs of RFC 8794 §11 and RFC 9559 §5.1.
const (
	idEBML               = 0x1A45DFA3
	idEBMLVersion        = 0x4286
	idEBMLReadVersion    = 0x42F7
	idEBMLMaxIDLength    = 0x42F2
	idEBMLMaxSizeLength  = 0x42F3
	idDocType            = 0x4282
	idDocTypeVersion     = 0x4287
	idDocTypeReadVersion = 0x4285

	idSegment        = 0x18538067
	idInfo           = 0x1549A966
	idTimestampScale = 0x2AD7B1
	idDuration       = 0x4489
	idMuxingApp      = 0x4D80
	idWritingApp     = 0x5741

	idTracks            = 0x1654AE6B
	idTrackEntry        = 0xAE
	idTrackNumber       = 0xD7
	idTrackUID          = 0x73C5
	idTrackType         = 0x83
	idFlagDefault       = 0x88
	idFlagForced        = 0x55AA
	idFlagLacing        = 0x9C
	idDefaultDuration   = 0x23E383
	idName              = 0x536E
	idLanguage          = 0x22B59C
	idLanguageBCP47     = 0x22B59D
	idCodecID           = 0x86
	idCodecPrivate      = 0x63A2
	idCodecDelay        = 0x56AA
	idSeekPreRoll       = 0x56BB
	idVideo             = 0xE0
	idPixelWidth        = 0xB0
	idPixelHeight       = 0xBA
	idDisplayWidth      = 0x54B0
	idDisplayHeight     = 0x54BA
	idAudio             = 0xE1
	idSamplingFrequency = 0xB5
	idChannels          = 0x9F

	idCluster        = 0x1F43B675
	idTimestamp      = 0xE7
	idPosition       = 0xA7
	idPrevSize       = 0xAB
	idSimpleBlock    = 0xA3
	idBlockGroup     = 0xA0
	idBlock          = 0xA1
	idBlockDuration  = 0x9B
	idReferenceBlock = 0xFB

	idSeekHead = 0x114D9B74
	idTags     = 0x1254C367
	idVoid     = 0xEC
)

// unknownSize is the size of an element that ends where its parent does, or where the next of
// its level begins (RFC 8794 §6.2), in eight bytes: readers that know no shorter form exist.
var unknownSize = []byte{0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}

// appendBig writes the fewest bytes, big endian, that hold v, and one at least.
func appendBig(b []byte, v uint64) []byte {
	for i := max((bits.Len64(v)+7)/8, 1) - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

// appendID writes an ID, whose marker is part of the number (RFC 8794 §5).
func appendID(b []byte, id uint32) []byte { return appendBig(b, uint64(id)) }

// appendSize writes the size of content in the fewest bytes. All ones would mean that
// it is unknown, so the largest value of each width needs the next (RFC 8794 §4).
func appendSize(b []byte, size int) []byte {
	width := 1
	for uint64(size) >= uint64(1)<<(7*width)-1 {
		width++
	}
	return appendBig(b, uint64(size)|1<<(7*width))
}

func appendElement(b []byte, id uint32, content []byte) []byte {
	return append(appendSize(appendID(b, id), len(content)), content...)
}

func appendText(b []byte, id uint32, text string) []byte {
	return append(appendSize(appendID(b, id), len(text)), text...)
}

func appendUint(b []byte, id uint32, v uint64) []byte {
	return appendElement(b, id, appendBig(nil, v))
}

func appendFlag(b []byte, id uint32, set bool) []byte {
	if set {
		return appendUint(b, id, 1)
	}
	return appendUint(b, id, 0)
}

func appendFloat(b []byte, id uint32, v float64) []byte {
	return appendElement(b, id, binary.BigEndian.AppendUint64(nil, math.Float64bits(v)))
}

// unknown is the size of an element that does not tell its own.
const unknown = -1

// maxHeader is the length of the longest head of an element, in bytes.
const maxHeader = 12

// parseHeader reads the head of an element at the start of b (RFC 8794 §4 to §6). Its
// width is 0 where there is none.
func parseHeader(b []byte) (id uint32, size int64, width int) {
	width = bits.LeadingZeros8(b[0]) + 1
	if width > 4 || len(b) <= width {
		return 0, 0, 0
	}
	id = uint32(number(b[:width]))
	b = b[width:]
	sized := bits.LeadingZeros8(b[0]) + 1
	if sized > 8 || len(b) < sized {
		return 0, 0, 0
	}
	ones := uint64(1)<<(7*sized) - 1
	v := number(b[:sized]) & ones
	if v == ones {
		return id, unknown, width + sized
	}
	return id, int64(v), width + sized
}

// each calls take with the elements in content, each whole as raw.
func each(content []byte, take func(id uint32, content, raw []byte) error) error {
	for len(content) > 0 {
		id, size, width := parseHeader(content)
		if width == 0 || size == unknown || size > int64(len(content)-width) {
			return fmt.Errorf("%w: an element is not within its parent", ErrForm)
		}
		end := width + int(size)
		if err := take(id, content[width:end], content[:end]); err != nil {
			return err
		}
		content = content[end:]
	}
	return nil
}

// number reads what an element holds as an unsigned integer; one of an impossible size
// is 0.
func number(content []byte) (v uint64) {
	if len(content) > 8 {
		return 0
	}
	for _, c := range content {
		v = v<<8 | uint64(c)
	}
	return v
}
