package embedded

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

func TestWritersDoNotWaitForTheReader(t *testing.T) {
	server, client := net.Pipe()
	p := newBufferedPipe(client)
	var want []byte
	for i := range 1000 {
		chunk := bytes.Repeat([]byte{byte(i)}, 100)
		want = append(want, chunk...)
		if n, err := p.Write(chunk); n != len(chunk) || err != nil {
			t.Fatalf("wrote %d: %v", n, err)
		}
	}
	read := make(chan []byte)
	go func() { got, _ := io.ReadAll(server); read <- got }()
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if got := <-read; !bytes.Equal(got, want) {
		t.Errorf("read %d bytes, expected %d as written", len(got), len(want))
	}
	if _, err := p.Write(nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("after closing: %v", err)
	}
}

func TestAWriterWaitsWhereThereIsNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		p := newBufferedPipe(client)
		done := make(chan error, 1)
		go func() {
			for range 3 {
				if _, err := p.Write(make([]byte, behindMost)); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("three times as much as there is room for was taken")
		default:
		}
		server.Close()
		if err := <-done; !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the reader is gone: %v", err)
		}
		_ = p.Close()
	})
}

func TestClosingWaitsForASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, client := net.Pipe()
		p := newBufferedPipe(client)
		if _, err := p.Write([]byte("nobody reads this")); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := p.Close(); err != nil || time.Since(began) != behindFor {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
	})
}
