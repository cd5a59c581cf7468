package access

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// lookEvery is how often a directory is looked at for changes.
const lookEvery = time.Second

// Live is a directory whose users and certificate are read again when they
// change. Its methods may be called concurrently; Close it.
type Live struct {
	dir     Directory
	log     *slog.Logger
	onUsers func(Users) error

	users atomic.Pointer[Users]
	cert  atomic.Pointer[tls.Certificate]

	// The files that were read last; run's alone.
	seenUsers, seenCert fs.FileInfo

	once sync.Once
	quit chan struct{}
	done chan struct{}
}

// Follow reads the directory, and again whenever it changes until Close. What
// cannot be read later is logged, and what was known stays in force. A nil
// logger means slog.Default.
func (d Directory) Follow(log *slog.Logger) (*Live, error) {
	if log == nil {
		log = slog.Default()
	}
	l := &Live{dir: d, log: log.With("component", "access"), quit: make(chan struct{}), done: make(chan struct{})}
	// Before the files are read: what comes later is a change.
	l.seenUsers, l.seenCert = l.stamp(UsersFile), l.stamp(ServerCert)
	users, err := d.Users()
	if err != nil {
		return nil, err
	}
	cert, err := d.Certificate()
	if err != nil {
		return nil, err
	}
	l.users.Store(&users)
	l.cert.Store(&cert)
	return l, nil
}

// Run looks for changes until Close; onUsers is told of other users, one call
// at a time, and told again later if it fails.
func (l *Live) Run(onUsers func(Users) error) {
	l.onUsers = onUsers
	go l.run()
}

func (l *Live) run() {
	defer close(l.done)
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			l.seenUsers = l.renew(l.seenUsers, UsersFile, l.takeUsers)
			l.seenCert = l.renew(l.seenCert, ServerCert, l.takeCertificate)
		case <-l.quit:
			return
		}
	}
}

// stamp tells whether a file is the one that was read: files are replaced, not
// written to. Nil is one that is not there.
func (l *Live) stamp(name string) fs.FileInfo {
	info, err := os.Stat(l.dir.Path(name))
	if err != nil {
		return nil
	}
	return info
}

// renew takes a file that is another one than before. One that could not be
// taken is tried again.
func (l *Live) renew(before fs.FileInfo, name string, take func() error) fs.FileInfo {
	now := l.stamp(name)
	if now == nil || before != nil && os.SameFile(before, now) && before.ModTime().Equal(now.ModTime()) && before.Size() == now.Size() {
		return before
	}
	if err := take(); err != nil {
		l.log.Error("not taken", "file", l.dir.Path(name), "error", err)
		return nil
	}
	l.log.Info("taken", "file", l.dir.Path(name))
	return now
}

func (l *Live) takeUsers() error {
	users, err := l.dir.Users()
	if err != nil {
		return err
	}
	// Over HTTP at once: whoever was taken away has to go everywhere.
	l.users.Store(&users)
	return l.onUsers(users)
}

func (l *Live) takeCertificate() error {
	cert, err := l.dir.Certificate()
	if err == nil {
		l.cert.Store(&cert)
	}
	return err
}

// Users are those who are let in now.
func (l *Live) Users() Users { return *l.users.Load() }

// Authorize returns what the bearer of a token may.
func (l *Live) Authorize(token string) (Grant, bool) {
	user, ok := l.Users().ByToken(token)
	return user.Grant, ok
}

// TLS is the configuration of a server that always shows the newest
// certificate.
func (l *Live) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.cert.Load(), nil },
	}
}

// PeerTLS is the configuration of both ends of a connection between servers,
// each of which proves to the other who it is.
func (l *Live) PeerTLS() (*tls.Config, error) {
	pool, err := l.dir.authorities()
	if err != nil {
		return nil, err
	}
	config := l.TLS()
	config.RootCAs, config.ClientCAs, config.ClientAuth = pool, pool, tls.RequireAndVerifyClientCert
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return l.cert.Load(), nil }
	return config, nil
}

// Hosts are the names that the certificate is for, addresses left out.
func (l *Live) Hosts() []string {
	leaf := l.cert.Load().Leaf
	if leaf == nil {
		leaf, _ = x509.ParseCertificate(l.cert.Load().Certificate[0])
	}
	if leaf == nil {
		return nil
	}
	return leaf.DNSNames
}

// Close stops looking. It may be called twice.
func (l *Live) Close() {
	l.once.Do(func() {
		close(l.quit)
		if l.onUsers == nil {
			close(l.done)
		}
	})
	<-l.done
}
