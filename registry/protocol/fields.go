package protocol

import (
	"encoding/binary"
	"errors"
)

var errPacked = errors.New("packed snapshot is damaged")

// fields reads a packed message field by field.
type fields struct {
	rest    string
	damaged bool
}

// A field's value is a number or a text, by what its writer made it.
type field struct {
	id     int
	number uint64
	text   string
}

// next returns the next field; false at the end, be it because the rest makes
// no sense. What is of a kind that this form does not use is skipped.
func (f *fields) next() (field, bool) {
	s := f.rest
	if len(s) < 2 || s[0] >= 0x80 {
		return f.rare()
	}
	// Nearly all tags and lengths are of one byte.
	one := field{id: int(s[0] >> 3)}
	switch end := 2 + int(s[1]); {
	case s[0]&7 == wireNumber:
		f.rest = s[1:]
		one.number = f.number()
		return one, !f.damaged
	case s[0]&7 == wireBytes && s[1] < 0x80 && end <= len(s):
		one.text, f.rest = s[2:end], s[end:]
		return one, true
	}
	return f.rare()
}

// rare reads fields of every kind.
func (f *fields) rare() (field, bool) {
	for f.rest != "" {
		tag := f.number()
		one, known := field{id: int(tag >> 3)}, true
		switch tag & 7 {
		case wireNumber:
			one.number = f.number()
		case wireBytes:
			one.text = f.take(f.number())
		case wireFixed8:
			f.take(8)
			known = false
		case wireFixed4:
			f.take(4)
			known = false
		default:
			f.damaged = true
		}
		if f.damaged {
			return field{}, false
		}
		if known {
			return one, true
		}
	}
	return field{}, false
}

// number reads one of up to ten bytes, as [binary.Uvarint] does.
func (f *fields) number() uint64 {
	var n uint64
	s := f.rest
	for i := range min(len(s), binary.MaxVarintLen64) {
		c := s[i]
		n |= uint64(c&0x7f) << (7 * i & 63)
		if c < 0x80 {
			f.rest = s[i+1:]
			return n
		}
	}
	f.damaged = true
	return 0
}

func (f *fields) take(n uint64) string {
	if n > uint64(len(f.rest)) {
		f.damaged = true
		return ""
	}
	text := f.rest[:n]
	f.rest = f.rest[n:]
	return text
}
