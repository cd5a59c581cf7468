package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrOtherKind says that a data directory belongs to a single server and is to
// become that of a cluster's node, or the other way round. The server would
// take the streams it finds for leftovers, and remove them.
var ErrOtherKind = errors.New("data directory is of another kind")

func storeDir(opts Options) string { return filepath.Join(opts.DataDir, "jetstream") }

// checkStore is called with the data directory's lock held.
func checkStore(opts Options) error {
	accounts := filepath.Join(storeDir(opts), "jetstream")
	hasStreams, err := exists(filepath.Join(accounts, "ATLAS", "streams"))
	if err != nil || !hasStreams {
		return err
	}
	isNode, err := exists(filepath.Join(accounts, "SYS", "_js_", "_meta_"))
	switch {
	case err != nil:
		return err
	case isNode && opts.Cluster == nil:
		return fmt.Errorf("embedded bus: %s holds a node of a cluster, and is started without one: %w", opts.DataDir, ErrOtherKind)
	case !isNode && opts.Cluster != nil:
		return fmt.Errorf("embedded bus: %s holds the registry of a single server, which a cluster would discard: %w; start the nodes on empty directories", opts.DataDir, ErrOtherKind)
	}
	return nil
}

func exists(path string) (bool, error) {
	_, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("embedded bus: look at the store: %w", err)
	}
	return true, nil
}
