package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"time"
)

const (
	authorityLife = 10 * 365 * 24 * time.Hour
	serverLife    = 2 * 365 * 24 * time.Hour
	// backdated lets clocks of clients be a little behind.
	backdated = time.Hour
)

// An authority signs certificates of servers.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// A certificate and its key, in PEM.
type pair struct{ cert, key []byte }

func newAuthority(now time.Time) (authority, pair, error) {
	template := certificate(now, authorityLife, "Fairlead authority")
	template.IsCA, template.BasicConstraintsValid = true, true
	template.MaxPathLenZero = true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, pair{}, fmt.Errorf("make a key: %w", err)
	}
	cert, encoded, err := sign(template, template, key, key)
	return authority{cert, key}, encoded, err
}

// server makes a certificate for the hosts that clients and peers use. It is
// good for both ends of a connection, because servers connect to each other.
func (a authority) server(hosts []string, now time.Time) (pair, error) {
	template := certificate(now, serverLife, "Fairlead server")
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, fmt.Errorf("make a key: %w", err)
	}
	_, encoded, err := sign(template, a.cert, key, a.key)
	return encoded, err
}

func certificate(now time.Time, life time.Duration, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte(rand.Text()[:16])),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    now.Add(-backdated), NotAfter: now.Add(life),
	}
}

func sign(template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) (*x509.Certificate, pair, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, pair{}, fmt.Errorf("sign a certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, pair{}, fmt.Errorf("read a certificate: %w", err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, pair{}, fmt.Errorf("encode a key: %w", err)
	}
	return cert, pair{encodePEM("CERTIFICATE", der), encodePEM("PRIVATE KEY", secret)}, nil
}

func encodePEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// parseAuthority reads one back from its files.
func parseAuthority(p pair) (authority, error) {
	cert, _ := pem.Decode(p.cert)
	key, _ := pem.Decode(p.key)
	if cert == nil || key == nil {
		return authority{}, errors.New("expected a certificate and a key in PEM")
	}
	parsed, err := x509.ParseCertificate(cert.Bytes)
	if err != nil {
		return authority{}, err
	}
	secret, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	if err != nil {
		return authority{}, err
	}
	signer, ok := secret.(*ecdsa.PrivateKey)
	if !ok {
		return authority{}, errors.New("expected a key for ECDSA")
	}
	return authority{parsed, signer}, nil
}
