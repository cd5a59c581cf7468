// Package demo is the main job in one command: a realm of separate processes,
// a few hundred requests a second through the smart client and through the
// sidecar, and, while they flow, all that happens to services in production.
//
//	report, err := demo.Run(ctx, demo.Options{Binary: os.Args[0], Once: true, Progress: os.Stdout})
//	fmt.Println(report.OK)
//
// What is reported was measured by the callers. A tally (tally.go) is pure and
// says what is right and wrong of it; the realm (realm.go) owns the processes;
// the script (script.go) is what happens.
package demo
