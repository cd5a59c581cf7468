// Package route decides where a request goes that came to a host's proxy: to
// which service, or why to none. It looks at the request alone and does
// nothing, so both data planes can be held to it:
//
//	front := route.Front{Realm: "local"}
//	target, refusal := front.Target(r)                    // which service is named
//	asked := route.Asked{Service: target.Service, Path: r.URL.EscapedPath(), Header: r.Header}
//	service := route.Follow(rules, asked, rand.IntN)       // what its rules make of it
//
// A service is named by the header [ServiceHeader], which wins, or by the
// host: NAME.service or NAME.service.internal, of another realm
// NAME.REALM.service where that realm is allowed. A listener may also be one
// service's own.
package route
