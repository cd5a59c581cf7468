package registrar

import (
	"context"
	"errors"

	"fairlead.dev/registry"
)

// What repeats is logged once, until something else happens.

func (r *Registrar) logRegister(s *state, err error) {
	switch {
	case err == nil:
		s.lastLog = ""
		r.log.Info("registered", "endpoint", r.opts.Registration.Endpoint(), "revision", s.lease.Revision.String())
	case r.ctx.Err() != nil, errors.Is(err, context.Canceled): // cut short by a new connection
	case isInvalid(err):
		r.once(s, "registration refused, trying again every "+refusedPace.String(), err)
	case errors.Is(err, registry.ErrConflict):
		r.once(s, "instance id is held by another endpoint, trying again", err)
	default:
		r.once(s, "not registered, trying again", err)
	}
}

func (r *Registrar) logHeartbeat(s *state, err error) {
	switch {
	case err == nil && s.lastLog != "":
		s.lastLog = ""
		r.log.Info("registry answers again")
	case err == nil || r.ctx.Err() != nil || errors.Is(err, context.Canceled):
	case errors.Is(err, registry.ErrUnknown):
		r.once(s, "registry does not know this instance, registering again", err)
	case errors.Is(err, registry.ErrStale):
		r.once(s, "another incarnation is registered, registering again", err)
	default:
		r.once(s, "heartbeat not answered, trying again", err)
	}
}

// once tells of a refusal again when its reason is another one; the reasons why
// a registry does not answer change by the moment.
func (r *Registrar) once(s *state, message string, err error) {
	this := message
	if isInvalid(err) {
		this += ": " + err.Error()
	}
	if s.lastLog == this {
		return
	}
	s.lastLog = this
	r.log.Warn(message, "error", err, "endpoint", r.opts.Registration.Endpoint())
}
