// Package architecture has no code, only tests that keep the repository in
// shape: which package may import which, and what no file may contain.
//
// Imports run one way. rules_test.go has the table; a new package that is not
// in it fails, so that somebody decides where it belongs.
package architecture
