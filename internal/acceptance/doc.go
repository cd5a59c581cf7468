// Package acceptance has no code, only tests that use the product as people
// do: the built command in processes of its own, real sockets, curl, Python,
// and the protocol that the nats tool speaks. Each test is one promise of the
// platform, and its name is the promise.
//
// They need python3 and curl, and use node where it is installed.
package acceptance
