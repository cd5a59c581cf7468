package smartclient

import (
	"net/http"
	"net/url"
)

// Jar makes any cookie jar work with service URLs, whose scheme jars do not
// know and therefore ignore: a service's cookies are kept under its name, as
// those of http://NAME/.
func Jar(inner http.CookieJar) http.CookieJar { return serviceJar{inner} }

type serviceJar struct{ inner http.CookieJar }

func (j serviceJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.inner.SetCookies(asHTTP(u), cookies)
}

func (j serviceJar) Cookies(u *url.URL) []*http.Cookie { return j.inner.Cookies(asHTTP(u)) }

func asHTTP(u *url.URL) *url.URL {
	if u.Scheme != scheme {
		return u
	}
	as := *u
	as.Scheme = "http"
	return &as
}
