package testmedia

import "encoding/binary"

// OggOpus returns frames of 20 ms of Opus as a file of their own (RFC 3533, RFC 7845),
// which tools read; one page for each frame. head is the OpusHead.
func OggOpus(head []byte, frames [][]byte) []byte {
	const samples = 960
	tags := append([]byte("OpusTags"), make([]byte, 8)...) // no vendor, no comments
	file := oggPage(nil, 0, 0, 2, head)                    // the first page of the stream
	file = oggPage(file, 1, 0, 0, tags)
	for i, frame := range frames {
		flags := byte(0)
		if i == len(frames)-1 {
			flags = 4 // the last one
		}
		file = oggPage(file, uint32(i+2), uint64(i+1)*samples, flags, frame)
	}
	return file
}

// oggPage appends a page of one packet.
func oggPage(file []byte, number uint32, granule uint64, flags byte, packet []byte) []byte {
	begin := len(file)
	file = append(file, "OggS\x00"...)
	file = append(file, flags)
	file = binary.LittleEndian.AppendUint64(file, granule)
	file = binary.LittleEndian.AppendUint32(file, 1) // serial number
	file = binary.LittleEndian.AppendUint32(file, number)
	checksum := len(file)
	file = append(file, 0, 0, 0, 0, byte(len(packet)/255+1))
	for range len(packet) / 255 {
		file = append(file, 255)
	}
	file = append(file, byte(len(packet)%255))
	file = append(file, packet...)
	binary.LittleEndian.PutUint32(file[checksum:], oggChecksum(file[begin:]))
	return file
}

// oggChecksum is RFC 3533's CRC: of polynomial 0x04c11db7, from zero, unreflected.
func oggChecksum(page []byte) (crc uint32) {
	for _, b := range page {
		crc ^= uint32(b) << 24
		for range 8 {
			carry := crc >> 31
			crc = crc<<1 ^ carry*0x04c11db7
		}
	}
	return crc
}
