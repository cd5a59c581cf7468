package smartclient

import (
	"net/http"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// A method is a request's, as telemetry names it: all that are not well known
// are one, for a stranger could otherwise multiply them without end.
type method uint8

const (
	methodOther method = iota
	methodGet
	methodHead
	methodPost
	methodPut
	methodPatch
	methodDelete
	methodConnect
	methodOptions
	methodTrace
)

var methodNames = [...]string{
	methodOther: "_OTHER", methodGet: http.MethodGet, methodHead: http.MethodHead, methodPost: http.MethodPost, methodPut: http.MethodPut,
	methodPatch: http.MethodPatch, methodDelete: http.MethodDelete, methodConnect: http.MethodConnect, methodOptions: http.MethodOptions, methodTrace: http.MethodTrace,
}

// knownMethod tells which method a request's is; none means GET.
func knownMethod(name string) method {
	switch name {
	case "", http.MethodGet:
		return methodGet
	case http.MethodHead:
		return methodHead
	case http.MethodPost:
		return methodPost
	case http.MethodPut:
		return methodPut
	case http.MethodPatch:
		return methodPatch
	case http.MethodDelete:
		return methodDelete
	case http.MethodConnect:
		return methodConnect
	case http.MethodOptions:
		return methodOptions
	case http.MethodTrace:
		return methodTrace
	}
	return methodOther
}

func (m method) name() string { return methodNames[m] }

var methodAttributes = func() (all [len(methodNames)]trace.SpanStartOption) {
	for m, name := range methodNames {
		all[m] = trace.WithAttributes(semconv.HTTPRequestMethodKey.String(name))
	}
	return all
}()

// attributes is what says the method of a span.
func (m method) attributes() trace.SpanStartOption { return methodAttributes[m] }
