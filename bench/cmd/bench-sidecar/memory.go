package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"fairlead.dev/bench/internal/proxies"
	"fairlead.dev/bench/internal/report"
)

const idleConnections = 4000

var memoryRow = row{
	name: "memory", title: "Memory an idle client connection",
	method: "4,000 connections, each of which has had one answer and waits; the growth of the resident memory of the proxy's processes " +
		"since 64 connections had been served, over their number.",
	measure: measureMemory,
}

func measureMemory(ctx context.Context, s *scene) ([]report.Figure, error) {
	memory := samples{}
	for range min(s.Rounds, 3) {
		for _, proxy := range proxies.All(s.programs) {
			bytes, err := memoryOf(ctx, proxy, s.place)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", proxy.Name, err)
			}
			memory.add(proxy.Name, bytes/1000)
		}
	}
	return []report.Figure{memory.figure("kB a connection", "kB", ourBuiltin, atMost(21))}, nil
}

func memoryOf(ctx context.Context, proxy proxies.Proxy, place proxies.Place) (float64, error) {
	r, err := proxy.Start(ctx, place)
	if err != nil {
		return 0, err
	}
	defer r.Stop()
	if _, err := proxies.Wrk(ctx, r.URL(), costConnections, time.Second); err != nil {
		return 0, err
	}
	before, err := r.Child.Tree()
	if err != nil {
		return 0, err
	}
	var idle []net.Conn
	defer func() {
		for _, c := range idle {
			_ = c.Close()
		}
	}()
	for range idleConnections {
		conn, err := served(r.Address())
		if err != nil {
			return 0, err
		}
		idle = append(idle, conn)
	}
	after, err := r.Child.Tree()
	return float64(after.Resident-before.Resident) / idleConnections, err
}

// served opens a connection on which one request was answered.
func served(address string) (net.Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nFairlead-Service: %s\r\n\r\n", proxies.Service)
	if err != nil {
		return conn, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return conn, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	return conn, err
}
