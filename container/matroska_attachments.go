package container

import (
	"fmt"
	"hash/fnv"
	"io"
)

// readAttachments reads what is said about the attached files and where their
// data lies; the data itself is not read.
func (m *matroskaReader) readAttachments(attachments placed) ([]Attachment, error) {
	var all []Attachment
	end := min(attachments.end(m.end), m.end)
	for file, err := range m.elements(attachments.data(), end) {
		if err != nil || len(all) == maxAttachments {
			return all, err
		}
		if file.id != idAttachedFile || file.end(end) > end {
			continue
		}
		a, err := m.readAttachment(file, file.end(end))
		if err != nil {
			return all, err
		}
		if a.Data != nil {
			all = append(all, a)
		}
	}
	return all, nil
}

func (m *matroskaReader) readAttachment(file placed, end int64) (Attachment, error) {
	var a Attachment
	for p, err := range m.elements(file.data(), end) {
		if err != nil {
			return a, err
		}
		if p.size == unknownSize || p.end(end) > end {
			return Attachment{}, nil
		}
		if p.id == idFileData {
			a.Data = io.NewSectionReader(m.r, p.data(), p.size)
			continue
		}
		b, err := m.bytes(p.data(), min(p.size, maxText))
		if err != nil {
			return a, err
		}
		e := element{id: p.id, data: b}
		switch p.id {
		case idFileName:
			a.Name = e.asText()
		case idFileMediaType:
			a.MIME = e.asText()
		case idFileDescription:
			a.Description = e.asText()
		case idFileUID:
			a.UID = e.asUint()
		}
	}
	return a, nil
}

// attachedFiles is an Attachments element that is ready to be written: what
// stands in front of each file's data is made, the data stays where it lies.
type attachedFiles struct {
	heads [][]byte // of each AttachedFile, up to and with the header of its FileData
	data  []*io.SectionReader
	size  int64 // bytes of content
}

func newAttachedFiles(attachments []Attachment) attachedFiles {
	var files attachedFiles
	used := map[uint64]bool{0: true}
	for _, a := range attachments {
		var b []byte
		if a.Description != "" {
			b = appendText(b, idFileDescription, a.Description)
		}
		b = appendText(b, idFileName, a.Name)
		mime := a.MIME
		if mime == "" {
			mime = "application/octet-stream"
		}
		b = appendText(b, idFileMediaType, mime)
		b = appendUint(b, idFileUID, freshUID(a.UID, a.Name, used))
		b = appendHeader(b, idFileData, a.Data.Size())
		size := int64(len(b)) + a.Data.Size()
		head := append(appendHeader(nil, idAttachedFile, size), b...)
		files.heads = append(files.heads, head)
		files.data = append(files.data, a.Data)
		files.size += int64(len(head)) + a.Data.Size()
	}
	return files
}

// length is that of the whole element, in bytes.
func (f attachedFiles) length() int64 {
	return int64(len(appendHeader(nil, idAttachments, f.size))) + f.size
}

// writeTo streams the element to w; an attachment whose reader ends early is an error.
func (f attachedFiles) writeTo(w io.Writer) error {
	if _, err := w.Write(appendHeader(nil, idAttachments, f.size)); err != nil {
		return fmt.Errorf("write attachments: %w", err)
	}
	for i, head := range f.heads {
		if _, err := w.Write(head); err != nil {
			return fmt.Errorf("write attachment %d: %w", i+1, err)
		}
		data := io.NewSectionReader(f.data[i], 0, f.data[i].Size())
		if _, err := io.CopyN(w, data, data.Size()); err != nil {
			return fmt.Errorf("copy attachment %d: %w", i+1, err)
		}
	}
	return nil
}

// freshUID keeps a UID that is neither 0 nor taken, since tags refer to it, and
// otherwise makes one out of the name, so that the same input gives the same file.
func freshUID(uid uint64, name string, used map[uint64]bool) uint64 {
	hash := fnv.New64a()
	for used[uid] {
		_, _ = io.WriteString(hash, name) // a hash takes every byte
		_, _ = hash.Write([]byte{byte(len(used))})
		uid = hash.Sum64()
	}
	used[uid] = true
	return uid
}
