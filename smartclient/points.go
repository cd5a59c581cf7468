package smartclient

import (
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// points are the attributes of one service's metrics, or of one instance's.
// They are made once, and kept as the slices that they are handed over in,
// which would be made anew with each point otherwise. What every request looks
// for has a number as its key, because strings take longer to hash than all the
// rest.
type points struct {
	realm, service string
	instance       string // "" if they are the service's

	picks    lookup[way, []metric.AddOption]
	answers  lookup[answered, []metric.RecordOption]
	failures lookup[failedWith, []metric.RecordOption]
}

// A way is how an instance was chosen.
type way uint32

const (
	byBalance way = iota
	byRoute       // the caller named it
	byNeed        // a probe, or there was nothing better
	byPanic       // fewer than half are well, so all are used
	byWarmth
)

var wayNames = [...]string{byBalance: "balanced", byRoute: "route", byNeed: "ejected", byPanic: "panic", byWarmth: "slow-start"}

func (w way) String() string { return wayNames[w] }

// answered stands for a method and the status that it was answered with.
type answered uint32

func answeredTo(m method, status int) answered { return answered(m)<<16 | answered(uint16(status)) }

// failedWith stands for a method and the kind of error that came of it.
type failedWith struct {
	method  method
	failure string
}

const pickKey = attribute.Key("fairlead.pick")

// pick returns the attributes of a choice.
func (p *points) pick(w way) []metric.AddOption {
	if known, ok := p.picks.get(w); ok {
		return known
	}
	return p.picks.add(w, func() []metric.AddOption {
		set := attribute.NewSet(realmKey.String(p.realm), serviceKey.String(p.service), pickKey.String(w.String()))
		return []metric.AddOption{metric.WithAttributeSet(set)}
	})
}

// attempt returns the attributes of an attempt that was answered with a status,
// or else failed.
func (p *points) attempt(m method, status int, err error) []metric.RecordOption {
	if err != nil {
		return p.failed(m, errorType(err))
	}
	key := answeredTo(m, status)
	if known, ok := p.answers.get(key); ok {
		return known
	}
	return p.answers.add(key, func() []metric.RecordOption {
		more := []attribute.KeyValue{semconv.HTTPResponseStatusCode(status)}
		if failure := failureOf(status, nil); failure != "" {
			more = append(more, semconv.ErrorTypeKey.String(failure))
		}
		return p.with(m, more...)
	})
}

func (p *points) failed(m method, failure string) []metric.RecordOption {
	key := failedWith{m, failure}
	if known, ok := p.failures.get(key); ok {
		return known
	}
	return p.failures.add(key, func() []metric.RecordOption { return p.with(m, semconv.ErrorTypeKey.String(failure)) })
}

func (p *points) with(m method, more ...attribute.KeyValue) []metric.RecordOption {
	set := append(more, realmKey.String(p.realm), serviceKey.String(p.service),
		semconv.ServerAddress(p.service), semconv.HTTPRequestMethodKey.String(m.name()))
	if p.instance != "" {
		set = append(set, instanceKey.String(p.instance))
	}
	return []metric.RecordOption{metric.WithAttributeSet(attribute.NewSet(set...))}
}
