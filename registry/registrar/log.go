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
		r.log.Error("registration refused for good", "error", err)
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

func (r *Registrar) once(s *state, message string, err error) {
	if s.lastLog == message {
		return
	}
	s.lastLog = message
	r.log.Warn(message, "error", err, "endpoint", r.opts.Registration.Endpoint())
}
