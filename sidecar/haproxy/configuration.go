package haproxy

import (
	"context"
	"fmt"
	"os"
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
	s := opts.structureOf(opts.doors(), opts.Spare)
	if err := s.writeTo(in); err != nil {
		return nil, err
	}
	if err := in.adopt(ctx, program, s); err != nil {
		return nil, err
	}
	return os.ReadFile(in.file(configFile))
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
