package main

import (
	"net"
	"net/url"

	"fairlead.dev/bus"
	"fairlead.dev/connect"
)

// examineProtection tells how the bus keeps out who should not be in.
func examineProtection(session *connect.Session) diagnosis {
	nc := session.Bus().NATS()
	_, err := nc.TLSConnectionState()
	// A server that lets strangers in says all the same that it knows users.
	named := nc.Opts.Nkey != "" || nc.Opts.User != "" || nc.Opts.Token != "" || nc.Opts.UserJWT != nil || namesUser(nc.ConnectedUrl())
	login := named && nc.AuthRequired()
	return judgeProtection(nc.ConnectedUrlRedacted(), err == nil, login)
}

func namesUser(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.User != nil
}

// judgeProtection judges what a connection to an address has been asked for.
func judgeProtection(address string, encrypted, login bool) diagnosis {
	detail := map[bool]string{true: "TLS", false: "no TLS"}[encrypted] + ", " +
		map[bool]string{true: "credentials are asked for", false: "nobody is asked for credentials"}[login]
	switch {
	case encrypted && login:
		return diagnosis{"protection", isOK, detail, ""}
	case isLocal(address):
		return diagnosis{"protection", isOK, "on loopback: " + detail, ""}
	}
	return diagnosis{"protection", isFail, "beyond loopback: " + detail, `"fairlead init" makes what is missing; start the server with --security`}
}

func isLocal(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// bridgeScheme is https for whoever has an authority to trust.
func (s *settings) bridgeScheme() string {
	if s.credentials != "" || s.ca != "" {
		return "https://"
	}
	return "http://"
}

// trust is what the shared flags say of servers.
func (s *settings) trust() bus.Options {
	return bus.Options{CredentialsFile: s.credentials, CAFile: s.ca}
}
