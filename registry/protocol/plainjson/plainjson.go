// Package plainjson reads JSON of the plainest kind: no spaces between tokens,
// texts without escapes, no nulls. Programs of ours write all their messages
// like that, and the few messages that are most of the traffic are read without
// reflection:
//
//	r := plainjson.Reader{Rest: data}
//	r.Object(func(name []byte) {
//		switch string(name) {
//		case "host":
//			host = string(r.Text())
//		default:
//			r.Bad = true
//		}
//	})
//	if !r.Done() {
//		// it is not that plain: json.Unmarshal has the say
//	}
//
// What it reads is what encoding/json reads.
package plainjson

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// A Reader reads what is left of a text. It belongs to one goroutine.
type Reader struct {
	Rest []byte
	// Bad is set once something is not plain; what was read then is nothing.
	Bad bool
}

// Done tells whether all was read, and all of it was plain.
func (r *Reader) Done() bool { return !r.Bad && len(r.Rest) == 0 }

// Object calls field after each of an object's names; field has to read the
// value.
func (r *Reader) Object(field func(name []byte)) {
	if r.skip(`{}`) {
		return
	}
	for begin := `{"`; ; begin = `,"` {
		name, ok := r.name(begin)
		if !ok {
			r.Bad = true
			return
		}
		if field(name); r.Bad || r.skip(`}`) {
			return
		}
	}
}

func (r *Reader) name(begin string) ([]byte, bool) {
	if !r.skip(begin) {
		return nil, false
	}
	end := bytes.IndexByte(r.Rest, '"')
	if end < 0 || !bytes.HasPrefix(r.Rest[end:], []byte(`":`)) {
		return nil, false
	}
	name := r.Rest[:end]
	r.Rest = r.Rest[end+2:]
	return name, true
}

func (r *Reader) skip(text string) bool {
	if !bytes.HasPrefix(r.Rest, []byte(text)) {
		return false
	}
	r.Rest = r.Rest[len(text):]
	return true
}

func (r *Reader) value() []byte {
	value, rest, ok := Cut(r.Rest)
	r.Rest, r.Bad = rest, r.Bad || !ok
	return value
}

// Text reads a text. It is a piece of what is read.
func (r *Reader) Text() []byte {
	plain, ok := Unquote(r.value())
	r.Bad = r.Bad || !ok
	return plain
}

// Int reads a whole number that is not negative.
func (r *Reader) Int() int {
	n := r.Uint()
	r.Bad = r.Bad || n > 1<<62
	return int(n)
}

// Uint reads a whole number that is not negative.
func (r *Reader) Uint() uint64 {
	value := r.value()
	if r.Bad || !IsNumber(value) {
		r.Bad = true
		return 0
	}
	n, err := strconv.ParseUint(string(value), 10, 64)
	r.Bad = err != nil
	return n
}

// Pairs reads an object of texts.
func (r *Reader) Pairs() map[string]string {
	pairs := map[string]string{}
	r.Object(func(name []byte) {
		key := string(name)
		r.Bad = r.Bad || !isPlain(name)
		pairs[key] = string(r.Text())
	})
	return pairs
}

// Cut takes a text without escapes, with its quotes, or a number.
func Cut(data []byte) (value, rest []byte, ok bool) {
	end := bytes.IndexAny(data, ",}")
	if len(data) > 0 && data[0] == '"' {
		end = bytes.IndexByte(data[1:], '"') + 2
	}
	if end < 1 || end == 1 && data[0] == '"' {
		return nil, nil, false
	}
	return data[:end], data[end:], true
}

// IsNumber leaves out what Go reads and JSON does not, as "+1" and "0x1", and
// what is negative.
func IsNumber(value []byte) bool {
	return len(value) > 0 && value[0] >= '0' && value[0] <= '9' && json.Valid(value)
}

// Unquote takes the quotes off, where there is nothing in between that JSON
// treats specially.
func Unquote(value []byte) ([]byte, bool) {
	if len(value) < 2 || value[0] != '"' {
		return nil, false
	}
	inner := value[1 : len(value)-1]
	return inner, isPlain(inner)
}

func isPlain(text []byte) bool {
	for _, c := range text {
		if c < ' ' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}
