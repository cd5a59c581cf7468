package identity

import (
	"maps"
	"strconv"
	"sync"
)

// A User is what the service knows of one.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// users are all users, and those who listen to their changes.
type users struct {
	mu        sync.RWMutex
	byID      map[string]User
	listeners map[chan change]struct{}
}

// A change is a user that was put, or deleted.
type change struct {
	Kind string `json:"-"`
	User
}

// seeded is how many users there are at the start.
const seeded = 1000

func newUsers() *users {
	u := &users{byID: map[string]User{}, listeners: map[chan change]struct{}{}}
	for n := 1; n <= seeded; n++ {
		id := strconv.Itoa(n)
		u.byID[id] = User{ID: id, Name: "User " + id}
	}
	return u
}

func (u *users) get(id string) (User, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	user, ok := u.byID[id]
	return user, ok
}

// put stores a user and tells whether it is new.
func (u *users) put(user User) (created bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, existed := u.byID[user.ID]
	u.byID[user.ID] = user
	u.tell(change{"put", user})
	return !existed
}

func (u *users) delete(id string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if user, ok := u.byID[id]; ok {
		delete(u.byID, id)
		u.tell(change{"deleted", user})
	}
}

// listen returns changes from now on. A listener that is too slow misses some.
func (u *users) listen() (changes <-chan change, stop func()) {
	c := make(chan change, 16)
	u.mu.Lock()
	defer u.mu.Unlock()
	u.listeners[c] = struct{}{}
	return c, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.listeners, c)
	}
}

func (u *users) tell(c change) {
	for listener := range u.listeners {
		select {
		case listener <- c:
		default:
		}
	}
}

// A counter counts requests by method.
type counter struct {
	mu      sync.Mutex
	methods map[string]int
	all     int
}

func newCounter() *counter { return &counter{methods: map[string]int{}} }

// add counts a request and returns how many there are with it.
func (c *counter) add(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.methods[method]++
	c.all++
	return c.all
}

func (c *counter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

func (c *counter) byMethod() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.methods)
}
