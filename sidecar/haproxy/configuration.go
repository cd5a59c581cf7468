package haproxy

import (
	"context"
	"fmt"
	"io/fs"
	"os"

	"fairlead.dev/registry"
)

// Configuration returns what a HAProxy is to be given that somebody else runs,
// and a plane with the same options attaches to. It is left in Data too, as
// haproxy.cfg, with the files that it names, and was checked by Program. It has
// no servers or rules yet: nobody is asked for a table.
func Configuration(ctx context.Context, opts Options) ([]byte, error) {
	opts, err := opts.prepared()
	if err != nil {
		return nil, fmt.Errorf("make haproxy's configuration: %w", err)
	}
	program, err := findProgram(opts.Program)
	if err != nil {
		return nil, err
	}
	in := folder{opts.Data}
	unlock, err := in.open()
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	if err := opts.checkSockets(); err != nil {
		return nil, fmt.Errorf("make haproxy's configuration: %w", err)
	}
	s := opts.structureOf(opts.doors(), opts.Spare)
	if err := s.writeTo(in); err != nil {
		return nil, err
	}
	if err := in.adopt(ctx, program, s); err != nil {
		return nil, err
	}
	return os.ReadFile(in.file(configFile))
}

// checkSockets: HAProxy puts a socket in the place of whatever is there, and this
// is the last moment at which somebody of ours is asked.
func (o Options) checkSockets() error {
	var errs registry.FieldErrors
	taken := map[string]bool{folder{o.Data}.file(asideSock): true}
	check := func(flag, path string) {
		info, err := os.Lstat(path)
		switch {
		case taken[path]:
			errs.Addf(flag, "must have a path of its own, got %s", path)
		case err == nil && info.Mode().Type() != fs.ModeSocket:
			errs.Addf(flag, "%s is there and is no socket", path)
		}
		taken[path] = true
	}
	check("--haproxy-socket", o.Attach)
	for _, d := range o.Doors {
		if d.Network == "unix" {
			check("--unix", d.Address)
		}
	}
	return errs.Err()
}

// writeTo writes a configuration without any service, to be checked.
func (s structure) writeTo(in folder) error {
	config, entries, err := render(s, nil, nil, false)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{checkedFile: config, mapFile: entries, scriptFile: []byte(hopScript)} {
		if err := in.write(name, content); err != nil {
			return err
		}
	}
	return nil
}
