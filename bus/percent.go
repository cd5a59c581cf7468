package bus

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

var errNotUTF8 = errors.New("expected UTF-8")

// percentEncode writes an attribute as a header value: CloudEvents NATS
// binding 1.0.3, section 3.1.3.2.
func percentEncode(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; needsEncoding(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func needsEncoding(c byte) bool {
	return c <= ' ' || c == '"' || c == '%' || c >= 0x7f
}

// percentDecode reads a header value. A quoted one is unquoted first; a
// percent sign that begins no code stands for itself, because not every writer
// encodes. What is no UTF-8 then is refused, as the binding demands.
func percentDecode(value string) (string, error) {
	value = unquote(value)
	var b strings.Builder
	for i := 0; i < len(value); i++ {
		if c, ok := percentCode(value[i:]); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(value[i])
	}
	if !utf8.ValidString(b.String()) {
		return "", errNotUTF8
	}
	return b.String(), nil
}

func percentCode(s string) (code byte, ok bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, okHigh := hexDigit(s[1])
	low, okLow := hexDigit(s[2])
	return high<<4 | low, okHigh && okLow
}

func hexDigit(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// unquote takes the quotes and backslashes of RFC 7230, section 3.2.6 away.
func unquote(value string) string {
	if len(value) < 2 || value[0] != '"' || value[len(value)-1] != '"' {
		return value
	}
	var b strings.Builder
	inner := value[1 : len(value)-1]
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) {
			i++
		}
		b.WriteByte(inner[i])
	}
	return b.String()
}
