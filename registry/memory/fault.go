package memory

import "fairlead.dev/registry"

// GoAway makes the registry unreachable: requests get
// [registry.ErrUnavailable], listeners hear nothing, and nothing is judged.
func (r *Registry) GoAway() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = true
}

// ComeBack ends GoAway. Every lease starts anew, listeners are told that they
// may have missed something, and the functions of OnConnect are called.
func (r *Registry) ComeBack() {
	r.mu.Lock()
	r.away = false
	for _, s := range r.slots {
		if s.registered {
			r.renew(s)
		}
	}
	for l := range r.listeners {
		l.tell(registry.Update{Lost: true})
	}
	connects := make([]func(), 0, len(r.connects))
	for fn := range r.connects {
		connects = append(connects, *fn)
	}
	r.mu.Unlock()
	for _, fn := range connects {
		fn()
	}
}

// OnConnect has fn called at each ComeBack, as a bus connection would after a
// reconnect; remove takes it off again.
func (r *Registry) OnConnect(fn func()) (remove func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.connects[&fn] = struct{}{}
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		delete(r.connects, &fn)
	}
}

// Forget loses everything and begins a new epoch. Nobody is told: listeners
// learn it from the next change or digest.
func (r *Registry) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forget()
}

// DropNextChange loses the next change on its way to the listeners.
func (r *Registry) DropNextChange() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropNext = true
}

// PublishDigest tells every listener what it should hold now.
func (r *Registry) PublishDigest() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return
	}
	for l := range r.listeners {
		digest := r.table(l.interest.Realm).Digest(l.interest.Service)
		l.tell(registry.Update{Digest: &digest})
	}
}

// Heartbeats returns how many heartbeats have arrived, requested or not.
func (r *Registry) Heartbeats() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.beats
}

// Table returns the truth of a realm as of now.
func (r *Registry) Table(realm string) *registry.Table {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.table(realm)
}
