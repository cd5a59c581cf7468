package bus

import (
	"fmt"
	"strings"
)

// Where events are published, and where what was stored of them is heard.
const (
	EventPrefix = "events.v1"
	FeedPrefix  = "feed.v1"
)

// EventSubject is where a service's event is published:
// events.v1.<realm>.<service>.<type>. The type may have several tokens
// ("deploy.started"); realm and service have one.
func EventSubject(realm, service, eventType string) (string, error) {
	if strings.ContainsAny(realm+service+eventType, "*>") {
		return "", fmt.Errorf("event subject %s.%s.%s: expected no wildcards", realm, service, eventType)
	}
	return joinSubject(EventPrefix, realm, service, eventType)
}

// FeedSubject is where stored events are heard:
// feed.v1.<realm>.<service>.<type>. "*" stands for any realm or service, and
// ">" at the end for any type.
func FeedSubject(realm, service, eventType string) (string, error) {
	return joinSubject(FeedPrefix, realm, service, eventType)
}

// ParseSubject takes an event's or a feed's subject apart; ok is false for any
// other.
func ParseSubject(subject string) (realm, service, eventType string, ok bool) {
	rest, isEvent := strings.CutPrefix(subject, EventPrefix+".")
	if !isEvent {
		rest, ok = strings.CutPrefix(subject, FeedPrefix+".")
	}
	tokens := strings.SplitN(rest, ".", 3)
	if !isEvent && !ok || len(tokens) != 3 {
		return "", "", "", false
	}
	return tokens[0], tokens[1], tokens[2], true
}

func joinSubject(prefix, realm, service, eventType string) (string, error) {
	for _, field := range []struct{ name, value string }{{"realm", realm}, {"service", service}} {
		if field.value == "" || strings.ContainsAny(field.value, ". \t\r\n") {
			return "", fmt.Errorf("event subject: %s: expected one token without dots or spaces, got %q", field.name, field.value)
		}
	}
	for token := range strings.SplitSeq(eventType, ".") {
		if token == "" || strings.ContainsAny(token, " \t\r\n") {
			return "", fmt.Errorf("event subject: type: expected tokens separated by dots, got %q", eventType)
		}
	}
	return strings.Join([]string{prefix, realm, service, eventType}, "."), nil
}
