package httpserver

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A kept connection, and the end of the server that it is to.
type kept struct {
	*testing.T
	conn    net.Conn
	answers *bufio.Reader
	end     context.CancelCauseFunc
	ended   chan error
}

func keep(t *testing.T, opts Options) *kept {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	k := &kept{T: t, ended: make(chan error, 1)}
	var ctx context.Context
	ctx, k.end = context.WithCancelCause(context.Background())
	go func() { k.ended <- Run(ctx, listener, http.NotFoundHandler(), opts) }()
	if k.conn, err = net.Dial("tcp", listener.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.conn.Close() })
	k.answers = bufio.NewReader(k.conn)
	return k
}

// ask sends a request, and tells whether its answer was the last.
func (k *kept) ask() (last bool, err error) {
	_ = k.conn.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(k.conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return false, err
	}
	res, err := http.ReadResponse(k.answers, nil)
	if err != nil {
		return false, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return res.Close, errors.Join(err, res.Body.Close())
}

func (k *kept) expectEnd() {
	k.Helper()
	select {
	case err := <-k.ended:
		if err != nil {
			k.Error(err)
		}
	case <-time.After(patience):
		k.Error("the server did not end")
	}
}

func TestAKeptConnectionIsToldThatItEnds(t *testing.T) {
	until, stop := context.WithCancel(context.Background())
	defer stop()
	for name, cause := range map[string]error{"at a stop": nil, "at a handover": &Handover{Until: until}} {
		t.Run(name, func(t *testing.T) {
			k := keep(t, Options{Linger: patience})
			if last, err := k.ask(); err != nil || last {
				t.Fatalf("before the end: last %t, %v", last, err)
			}
			k.end(cause)
			// The end is told some time after it was asked for.
			for last, err := false, error(nil); !last; {
				if last, err = k.ask(); err != nil {
					t.Fatalf("a request was lost: %v", err)
				}
			}
			k.expectEnd()
		})
	}
}

func TestAHandoverEndsWhenItIsToldTo(t *testing.T) {
	until, stop := context.WithCancel(context.Background())
	k := keep(t, Options{})
	if _, err := k.ask(); err != nil {
		t.Fatal(err)
	}
	k.end(&Handover{Until: until})
	select {
	case <-k.ended:
		t.Error("it ended with somebody connected")
	case <-time.After(50 * time.Millisecond):
	}
	stop()
	k.expectEnd()
}
