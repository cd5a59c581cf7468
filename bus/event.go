package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/cloudevents/sdk-go/v2/types"
	"github.com/nats-io/nats.go"
)

// Header names of the CloudEvents NATS binding 1.0.3, sections 3 and 3.1.3.1.
const (
	attributePrefix   = "ce-"
	contentTypeHeader = "Content-Type"
	structuredType    = "application/cloudevents+json"
)

// EncodeEvent makes the message of an event in binary mode: the data is the
// payload, the attributes are headers. It carries a Nats-Msg-Id made of source
// and id, by which the stream recognises an event that is published twice.
func EncodeEvent(subject string, e event.Event) (*nats.Msg, error) {
	attributes, err := eventAttributes(e)
	if err != nil {
		return nil, err
	}
	msg := newEventMsg(subject, e)
	for name, value := range attributes {
		msg.Header.Set(attributePrefix+name, percentEncode(value))
	}
	msg.Data = e.Data()
	return msg, nil
}

// EncodeStructuredEvent makes the message of an event in structured mode: the
// payload is the JSON of the whole event.
func EncodeStructuredEvent(subject string, e event.Event) (*nats.Msg, error) {
	if _, err := eventAttributes(e); err != nil {
		return nil, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode event: %w", err)
	}
	msg := newEventMsg(subject, e)
	msg.Header.Set(contentTypeHeader, structuredType)
	msg.Data = data
	return msg, nil
}

func newEventMsg(subject string, e event.Event) *nats.Msg {
	msg := nats.NewMsg(subject)
	// Encoded, neither part has a space: no two pairs give the same id.
	msg.Header.Set(nats.MsgIdHdr, percentEncode(e.Source())+" "+percentEncode(e.ID()))
	return msg
}

// eventAttributes are the attributes that are set, as the strings that the
// type system of CloudEvents gives them.
func eventAttributes(e event.Event) (map[string]string, error) {
	if err := validateEvent(e); err != nil {
		return nil, err
	}
	attributes := map[string]string{
		"specversion": event.CloudEventsVersionV1,
		"id":          e.ID(), "source": e.Source(), "type": e.Type(),
		"subject": e.Subject(), "dataschema": e.DataSchema(), "datacontenttype": e.DataContentType(),
	}
	if !e.Time().IsZero() {
		attributes["time"] = types.FormatTime(e.Time())
	}
	maps.DeleteFunc(attributes, func(_, value string) bool { return value == "" })
	for name, value := range e.Extensions() {
		text, err := types.Format(value)
		if err != nil {
			return nil, fmt.Errorf("encode event: extension %s: %w", name, err)
		}
		attributes[name] = text
	}
	return attributes, validateText(attributes)
}

func validateText(attributes map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		if !utf8.ValidString(attributes[name]) {
			return fmt.Errorf("invalid event: %s: %w", name, errNotUTF8)
		}
	}
	return nil
}

// DecodeEvent reads the event of a message in either mode. It takes what other
// writers get wrong: any case in header names, a content type in place of
// ce-datacontenttype or none at all, headers that are no attributes.
func DecodeEvent(msg *nats.Msg) (event.Event, error) {
	headers := lowerCased(msg.Header)
	if isStructured(headers, msg.Data) {
		return decodeStructured(msg.Data)
	}
	return decodeBinary(headers, msg.Data)
}

// lowerCased keeps one value of each header. Of two spellings the lower-case
// one counts, as that is how the binding writes them.
func lowerCased(header nats.Header) map[string]string {
	headers := make(map[string]string, len(header))
	for _, name := range slices.Sorted(maps.Keys(header)) {
		if values := header[name]; len(values) > 0 {
			headers[strings.ToLower(name)] = values[0]
		}
	}
	return headers
}

func isStructured(headers map[string]string, data []byte) bool {
	mediaType, _, _ := mime.ParseMediaType(headers["content-type"])
	if strings.HasPrefix(mediaType, "application/cloudevents") {
		return true
	}
	if headers[attributePrefix+"specversion"] != "" {
		return false
	}
	var probe struct {
		SpecVersion string `json:"specversion"`
	}
	return json.Unmarshal(data, &probe) == nil && probe.SpecVersion != ""
}

func decodeStructured(data []byte) (event.Event, error) {
	var e event.Event
	if err := json.Unmarshal(data, &e); err != nil {
		return event.Event{}, fmt.Errorf("decode event: %w", err)
	}
	if _, err := eventAttributes(e); err != nil {
		return event.Event{}, err
	}
	return e, nil
}

func decodeBinary(headers map[string]string, data []byte) (event.Event, error) {
	version := headers[attributePrefix+"specversion"]
	if version == "" {
		return event.Event{}, errors.New("decode event: specversion: expected 1.0, got none")
	}
	if version != event.CloudEventsVersionV1 && version != event.CloudEventsVersionV03 {
		return event.Event{}, fmt.Errorf("decode event: specversion: expected 1.0, got %q", version)
	}
	e := event.New(version)
	e.SetDataContentType(headers["content-type"])
	for header, value := range headers {
		if err := setFromHeader(&e, header, value); err != nil {
			return event.Event{}, err
		}
	}
	e.DataEncoded = data
	e.DataBase64 = !utf8.Valid(data)
	return e, validateEvent(e)
}

// setFromHeader passes over headers that cannot be attributes.
func setFromHeader(e *event.Event, header, value string) error {
	name, ok := strings.CutPrefix(header, attributePrefix)
	if !ok || !event.IsExtensionNameValid(name) {
		return nil
	}
	text, err := percentDecode(value)
	if err != nil {
		return fmt.Errorf("decode event: %s: %w", name, err)
	}
	return setAttribute(e, name, text)
}

func setAttribute(e *event.Event, name, value string) error {
	switch name {
	case "specversion": // chose the event's type already
	case "id":
		e.SetID(value)
	case "source":
		e.SetSource(value)
	case "type":
		e.SetType(value)
	case "subject":
		e.SetSubject(value)
	case "dataschema", "schemaurl":
		e.SetDataSchema(value)
	case "datacontenttype":
		e.SetDataContentType(value)
	case "time":
		return setTime(e, value)
	default:
		e.SetExtension(name, value)
	}
	return nil
}

func setTime(e *event.Event, value string) error {
	t, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return fmt.Errorf("decode event: time: expected RFC 3339, got %q", value)
	}
	e.SetTime(t)
	return nil
}

// validateEvent reports in one line, and in an order that does not change.
func validateEvent(e event.Event) error {
	err := e.Validate()
	if err == nil {
		return nil
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	slices.Sort(lines)
	return fmt.Errorf("invalid event: %s", strings.Join(lines, "; "))
}
