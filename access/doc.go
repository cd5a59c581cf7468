// Package access says who may do what beyond loopback, and keeps the directory
// of keys that says so.
//
//	err := access.Init(dir, access.InitOptions{Hosts: []string{"bus1.example"}})
//	…
//	d, err := access.Open(dir)
//	credentials, err := d.Add("identity", access.Grant{
//		Role: access.Instance, Realm: "production", Services: []string{"identity"},
//	})
//
// A grant is a role and where it holds. What it comes to is written down once,
// and read in two places: [User.Permissions] are the subjects for the bus, and
// [Grant.May] decides for requests over HTTP.
//
// The server's side of the directory has public keys and hashes only. What
// lets a user in leaves it once, in the file that is made for that user.
package access
