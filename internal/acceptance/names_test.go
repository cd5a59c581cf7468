package acceptance

import (
	"testing"
)

// pythonAsksForA speaks DNS with the standard library alone, over UDP.
const pythonAsksForA = `
import socket, struct, sys
address, name = sys.argv[1].rsplit(":", 1), sys.argv[2]
query = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0" + struct.pack(">HH", 1, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(query, (address[0], int(address[1])))
answer = s.recv(512)
_, flags, _, count = struct.unpack(">HHHH", answer[:8])
print(flags & 15, count, ".".join(str(b) for b in answer[-4:]) if count else "")
`

func TestNamesResolveFromTheTable(t *testing.T) {
	t.Parallel()
	r := startRealm(t)
	r.startIdentity(t, "identity-1")
	names := reserved(t)
	s := r.superviseSidecar(t, "--dns", names).start()
	asks := func(name string) string { return output(t, nil, need(t, "python3"), "-c", pythonAsksForA, names, name) }
	within(t, patience, "identity resolves", func() bool { return asks("identity.service") == "0 1 127.0.0.1\n" })
	if got := asks("nobody.service"); got != "3 0 \n" {
		t.Errorf("of nobody it says %q", got)
	}
	if got := asks("example.com"); got != "5 0 \n" {
		t.Errorf("of another zone it says %q", got)
	}
	before := s.pid()
	r.succeed(t, "sidecar", "upgrade", "--addr", hostOf(s.url))
	s.awaitOther(before)
	if got := asks("identity.service"); got != "0 1 127.0.0.1\n" {
		t.Errorf("after an upgrade it says %q", got)
	}
	r.succeed(t, "disable", "identity", "identity-1")
	within(t, patience, "a disabled instance is not in the answer", func() bool { return asks("identity.service") == "0 0 \n" })
}
