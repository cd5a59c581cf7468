package atlas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"
	"golang.org/x/sync/semaphore"

	"fairlead.dev/registry"
	"fairlead.dev/registry/protocol"
)

const (
	// serviceVersion is the protocol's, shown by `nats micro ls`.
	serviceVersion = "1.0.0"
	// requestTimeout bounds the work on one request: a client that waits for
	// longer has given up.
	requestTimeout = 5 * time.Second
	// requestsAtOnce bounds the requests that wait for the disk together;
	// more of them make larger groups for its next write, not slower ones.
	requestsAtOnce = 512
)

// A handler answers one request with a body for JSON, or an error.
type handler func(ctx context.Context, r request) (any, error)

// A request is one message of a client.
type request struct {
	key  registry.Key
	who  requester
	data []byte
}

// serve registers the endpoints as a NATS micro service, so that `nats micro
// ls`, `info` and `stats` know them. They answer until ctx ends; starting
// bounds the registration.
func (n *Node) serve(ctx, starting context.Context) error {
	service, err := micro.AddService(n.nc, micro.Config{
		Name: "atlas", Version: serviceVersion, Description: "Fairlead's registry",
	})
	if err != nil {
		return fmt.Errorf("serve: %w", err)
	}
	n.closer = append(n.closer, func() { _ = service.Stop() })
	room, beats := semaphore.NewWeighted(requestsAtOnce), semaphore.NewWeighted(requestsAtOnce)
	for verb, handle := range n.handlers() {
		if err := service.AddEndpoint(verb, n.answer(ctx, room, verb, handle), micro.WithEndpointSubject(protocol.Pattern(verb))); err != nil {
			return fmt.Errorf("serve %s: %w", verb, err)
		}
	}
	// They do not wait behind requests that wait for the disk.
	if err := n.serveHeartbeats(ctx, beats); err != nil {
		return err
	}
	if err := n.serveReads(ctx, service); err != nil {
		return err
	}
	// The server knows the subscriptions once it has answered this.
	bounded, cancel := context.WithTimeout(starting, writeTimeout)
	defer cancel()
	if err := n.flushEars(bounded); err != nil {
		return err
	}
	return n.nc.FlushWithContext(bounded)
}

func (n *Node) handlers() map[string]handler {
	return map[string]handler{
		protocol.Register:   n.handleRegister,
		protocol.Deregister: n.handleDeregister,
		protocol.Flag:       n.handleFlag,
		protocol.Weight:     n.handleWeight,
		protocol.Drain:      n.handleDrain,
		protocol.Meta:       n.handleMeta,
		protocol.Configure:  n.handleConfigure,
	}
}

// answer has a handler answer the requests of an endpoint.
func (n *Node) answer(ctx context.Context, room *semaphore.Weighted, verb string, handle handler) micro.Handler {
	return micro.HandlerFunc(func(m micro.Request) {
		r, err := n.readRequest(verb, m)
		if err != nil {
			n.respond(m, nil, err)
			return
		}
		n.answerLater(ctx, room, verb, m, func(ctx context.Context) (any, error) { return handle(ctx, r) })
	})
}

// answerLater works in a goroutine of its own, because a write waits for the
// disk and the next request should wait with it, not for it.
func (n *Node) answerLater(ctx context.Context, room *semaphore.Weighted, verb string, m micro.Request, work func(context.Context) (any, error)) {
	if room.Acquire(ctx, 1) != nil {
		return
	}
	n.work.Go(func() {
		defer room.Release(1)
		ctx := n.deadlines.within(ctx, requestTimeout)
		body, err := work(ctx)
		if errors.Is(err, errNotLeading) {
			return // every node heard it, and one of them answers
		}
		n.meters.counted(ctx, verb, codeOf(err))
		n.respond(m, body, err)
	})
}

func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	return protocol.NewProblem(err).Code
}

// readRequest checks what every request has in common: it came through the
// import from the account APP, its subject names a valid key, and its body has
// a bound.
func (n *Node) readRequest(verb string, m micro.Request) (request, error) {
	who, err := n.requesterOf(m)
	if err != nil {
		return request{}, err
	}
	k, err := keyOf(verb, m.Subject())
	if err != nil {
		return request{}, err
	}
	if len(m.Data()) > registry.MaxRegistrationBytes {
		return request{}, &registry.FieldError{Field: "body", Problem: fmt.Sprintf("must be at most %d bytes, has %d", registry.MaxRegistrationBytes, len(m.Data()))}
	}
	return request{key: k, who: who, data: m.Data()}, nil
}

// keyOf returns what a request is about: an instance, or a service with no
// instance in the key.
func keyOf(verb, subject string) (registry.Key, error) {
	if verb == protocol.Meta {
		k, err := serviceIn(subject)
		return registry.Key{Realm: k.Realm, Service: k.Service}, err
	}
	k, ok := protocol.KeyOf(subject)
	if ok && verb == protocol.Configure { // the name is checked with the value
		return k, k.ServiceKey().Validate()
	}
	if !ok {
		return registry.Key{}, &registry.FieldError{Field: "subject", Problem: "must end in REALM.SERVICE.INSTANCE"}
	}
	return k, k.Validate()
}

func serviceIn(subject string) (registry.ServiceKey, error) {
	k, ok := protocol.ServiceKeyOf(subject)
	if !ok {
		return k, &registry.FieldError{Field: "subject", Problem: "must end in REALM.SERVICE"}
	}
	return k, k.Validate()
}

// requesterOf reads the header that the server adds to what comes through an
// import. Its spelling matters: another one is the sender's own. What the
// server sends of its own accord is no request, though a client can have it
// sent to any subject: the destination of a message's trace is one.
func (n *Node) requesterOf(m micro.Request) (requester, error) {
	values := nats.Header(m.Headers())["Nats-Request-Info"]
	if len(values) != 1 {
		return requester{}, errAccount
	}
	who, err := n.requesters.of(values[0], parseRequester)
	if err != nil {
		return requester{}, err
	}
	if m.Reply() != "" && !mayAnswer(m) {
		return requester{}, &registry.FieldError{Field: "reply", Problem: "must be an inbox"}
	}
	return who, nil
}

var errAccount = &registry.FieldError{Field: "account", Problem: "must be APP: programs ask the registry from there"}

func parseRequester(header string) (requester, error) {
	var info struct {
		Account string `json:"acc"`
		Kind    string `json:"kind"`
		User    string `json:"user"`
		Server  string `json:"server"`
		Client  uint64 `json:"id"`
	}
	if json.Unmarshal([]byte(header), &info) != nil || info.Account != "APP" {
		return requester{}, errAccount
	}
	if info.Kind != "Client" && info.Kind != "Leafnode" {
		return requester{}, &registry.FieldError{Field: "connection", Problem: fmt.Sprintf("must be a program's, got %q", info.Kind)}
	}
	return requester{user: info.User, server: info.Server, client: info.Client}, nil
}

const (
	// importedReplies is what the server puts in place of the reply subject of
	// a request that comes through an import.
	importedReplies = "_R_."
	// inboxes are where people with the control plane's credentials listen.
	inboxes = "_INBOX"
)

// mayAnswer keeps Atlas from publishing in its own account, where it may do
// everything, on a subject that the requester chose.
func mayAnswer(m micro.Request) bool {
	return strings.HasPrefix(m.Reply(), importedReplies) || strings.HasPrefix(m.Reply(), inboxes)
}

// respond sends an answer, or a problem with the headers of a micro service's
// error. It does not use the request's own methods for that: they note the
// error in the request, which its endpoint reads as soon as the handler has
// returned, long before the answer is there.
func (n *Node) respond(m micro.Request, body any, err error) {
	if !mayAnswer(m) {
		return
	}
	answer := &nats.Msg{Subject: m.Reply()}
	if err != nil {
		answer.Header, body = n.refusal(m, err)
	}
	// Answers are structs of strings, numbers and maps of them: they encode.
	answer.Data, _ = json.Marshal(body)
	if err := n.nc.PublishMsg(answer); err != nil {
		n.log.Debug("answer not sent", "subject", m.Subject(), "error", err)
	}
}

func (n *Node) refusal(m micro.Request, err error) (nats.Header, *protocol.Problem) {
	p := protocol.NewProblem(err)
	if p.Code == protocol.CodeInternal {
		n.log.Error("request failed", "subject", m.Subject(), "error", err)
	}
	return nats.Header{
		micro.ErrorHeader:     {oneLine(p.Detail)},
		micro.ErrorCodeHeader: {strconv.Itoa(p.Status())},
	}, p
}

// oneLine keeps a text fit for a header.
func oneLine(s string) string {
	const most = 300
	out := make([]rune, 0, min(len(s), most))
	for _, r := range s {
		if len(out) == most {
			break
		}
		if r < ' ' {
			r = ' '
		}
		out = append(out, r)
	}
	return string(out)
}

func (n *Node) handleRegister(ctx context.Context, r request) (any, error) {
	req, err := protocol.ReadRegister(r.data)
	if err != nil {
		return nil, err
	}
	if err := checkRegister(req); err != nil {
		return nil, err
	}
	if err := n.mayListen(ctx, r.key.Realm, req.Registration.Host); err != nil {
		return nil, err
	}
	lease, err := n.register(ctx, r.key, req, r.who)
	if err != nil {
		return nil, err
	}
	return protocol.NewLeaseReply(lease), nil
}

func checkRegister(req protocol.RegisterRequest) error {
	var errs registry.FieldErrors
	errs.Add(req.Registration.Validate())
	errs.Add(req.Life().Validate())
	if req.Via != "" {
		errs.Add(registry.ValidateName("via", req.Via))
	}
	return errs.Err()
}

func (n *Node) handleDeregister(ctx context.Context, r request) (any, error) {
	var m protocol.DeregisterRequest
	if err := registry.DecodeLenient(r.data, &m); err != nil {
		return nil, err
	}
	return struct{}{}, n.deregister(ctx, r.key, m)
}

func (n *Node) handleFlag(ctx context.Context, r request) (any, error) {
	var m protocol.FlagRequest
	if err := decodeFlagRequest(r.data, &m); err != nil {
		return nil, err
	}
	if m.Flag != nil && m.Flag.Expired(time.Now()) {
		return nil, &registry.FieldError{Field: "until", Problem: "must be in the future, got " + m.Flag.Until.Format(time.RFC3339)}
	}
	return setOverride(ctx, n, r.key, aspectFlag, m.Flag)
}

// decodeFlagRequest insists on a word about "enabled": leaving it out would
// otherwise disable.
func decodeFlagRequest(data []byte, m *protocol.FlagRequest) error {
	var given struct {
		Flag *struct {
			Enabled *bool `json:"enabled"`
		} `json:"flag"`
	}
	if err := registry.DecodeLenient(data, &given); err != nil {
		return err
	}
	if given.Flag != nil && given.Flag.Enabled == nil {
		return &registry.FieldError{Field: "flag.enabled", Problem: "must be given, true or false"}
	}
	return decodeOverride(data, "flag", m)
}

// decodeOverride insists on a word about the override, be it null: a body that
// says nothing of it was meant for somebody else, and would otherwise take the
// override away.
func decodeOverride(data []byte, field string, m any) error {
	var given map[string]json.RawMessage
	if err := registry.DecodeLenient(data, &given); err != nil {
		return err
	}
	if _, ok := given[field]; !ok {
		return &registry.FieldError{Field: field, Problem: "must be given, or null to take it away"}
	}
	return registry.DecodeLenient(data, m)
}

func (n *Node) handleWeight(ctx context.Context, r request) (any, error) {
	var m protocol.WeightRequest
	if err := decodeOverride(r.data, "weight", &m); err != nil {
		return nil, err
	}
	return setOverride(ctx, n, r.key, aspectWeight, m.Weight)
}

func (n *Node) handleDrain(ctx context.Context, r request) (any, error) {
	var m protocol.DrainRequest
	if err := decodeOverride(r.data, "drain", &m); err != nil {
		return nil, err
	}
	return setOverride(ctx, n, r.key, aspectDrain, m.Drain)
}

func setOverride[T interface{ Validate() error }](ctx context.Context, n *Node, k registry.Key, a aspect, v *T) (any, error) {
	var value []byte
	if v != nil {
		if err := (*v).Validate(); err != nil {
			return nil, err
		}
		value = encodeOverride(v)
	}
	rev, err := n.override(ctx, k, a, value)
	return protocol.RevisionReply{Revision: rev}, err
}
